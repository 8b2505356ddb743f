//! The MAC of a line of the erasure journal: that this service erased this account then. Who can write to the journal erases
//! nobody with it.

use crate::{
    crypto::{
        encoding::join,
        keyring::{Keyring, MissingKey},
        versioned_mac,
    },
    domain::{clock::Timestamp, ids::AccountId, user_type::UserType},
};

/// What the MAC covers.
#[derive(Clone, Copy, Debug)]
pub struct ErasureFacts<'e> {
    /// The population.
    pub user_type: &'e UserType,
    /// Who was erased.
    pub account_id: &'e AccountId,
    /// When.
    pub erased_at: Timestamp,
}

impl ErasureFacts<'_> {
    /// Under the active key.
    pub fn sign(&self, keyring: &Keyring) -> Result<Vec<u8>, MissingKey> {
        versioned_mac::sign(keyring, &self.message())
    }

    /// Whether `mac` is of these.
    #[must_use]
    pub fn is_signed_by(&self, keyring: &Keyring, mac: &[u8]) -> bool {
        versioned_mac::is_of(keyring, &self.message(), mac)
    }

    fn message(&self) -> Vec<u8> {
        let Self {
            user_type,
            account_id,
            erased_at,
        } = self;
        join(&[
            b"sealgate/erasure/v1",
            user_type.as_str().as_bytes(),
            account_id.as_str().as_bytes(),
            &erased_at.as_millis().to_be_bytes(),
        ])
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zeroize::Zeroizing;

    use super::*;
    use crate::crypto::{
        frozen::{Frozen, bytes, hex},
        keyring::{KeyState, KeyUse, RootKey},
    };

    #[test]
    fn frozen_vector_and_nothing_beside_it() {
        let frozen = Frozen::read();
        let (user_type, account_id, vector) = (frozen.user_type(), frozen.account_id(), &frozen.0["erasure"]);
        let mut keyring = Keyring::default();
        keyring.insert(
            KeyUse::Mac,
            RootKey {
                version: 258,
                state: KeyState::Active,
                material: Zeroizing::new(bytes(&vector["key"])),
            },
        );
        let facts = ErasureFacts {
            user_type: &user_type,
            account_id: &account_id,
            erased_at: Timestamp::from_millis(vector["erased_at"].as_i64().expect("a number")),
        };
        assert_eq!(hex(&facts.message()), vector["message"]);
        let mac = facts.sign(&keyring).expect("a key");
        assert_eq!(hex(&mac), vector["mac"]);
        assert!(facts.is_signed_by(&keyring, &mac));

        let (other_type, other_account): (UserType, AccountId) =
            ("User2".parse().expect("valid"), "usr_b".parse().expect("valid"));
        let forgeries = [
            ErasureFacts {
                user_type: &other_type,
                ..facts
            },
            ErasureFacts {
                account_id: &other_account,
                ..facts
            },
            ErasureFacts {
                erased_at: facts.erased_at.plus(Duration::from_millis(1)),
                ..facts
            },
        ];
        for forgery in forgeries {
            assert!(!forgery.is_signed_by(&keyring, &mac), "{forgery:?}");
        }
        for length in 0..mac.len() {
            assert!(!facts.is_signed_by(&keyring, &mac[..length]), "{length}");
        }
    }
}
