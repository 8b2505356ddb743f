//! The MAC of a session: whose it is, since which epoch, and until when at the latest. Who can write to the database makes no
//! session of their own another account's by it, and brings none back that an account left behind.
//!
//! What changes with every renewal lies outside: tokens, times of use, the end.

use crate::{
    crypto::{
        encoding::join,
        keyring::{Keyring, MissingKey},
        versioned_mac,
    },
    domain::{
        clock::Timestamp,
        ids::{AccountId, SessionId},
        user_type::UserType,
    },
};

/// What the MAC covers.
#[derive(Clone, Copy, Debug)]
pub struct SessionFacts<'s> {
    /// The population.
    pub user_type: &'s UserType,
    /// The session.
    pub id: &'s SessionId,
    /// Whose it is.
    pub account_id: &'s AccountId,
    /// The account's epoch when it began.
    pub epoch: u64,
    /// When it began.
    pub created_at: Timestamp,
    /// Over then in any case.
    pub expires_at: Timestamp,
}

impl SessionFacts<'_> {
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
            id,
            account_id,
            epoch,
            created_at,
            expires_at,
        } = self;
        join(&[
            b"sealgate/session/v1",
            user_type.as_str().as_bytes(),
            id.as_str().as_bytes(),
            account_id.as_str().as_bytes(),
            &epoch.to_be_bytes(),
            &created_at.as_millis().to_be_bytes(),
            &expires_at.as_millis().to_be_bytes(),
        ])
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::crypto::{
        frozen::{Frozen, bytes, hex},
        keyring::{KeyState, KeyUse, RootKey},
    };

    #[test]
    fn frozen_vector_and_nothing_beside_it() {
        let frozen = Frozen::read();
        let (user_type, account_id, vector) = (frozen.user_type(), frozen.account_id(), &frozen.0["session"]);
        let mut keyring = Keyring::default();
        keyring.insert(
            KeyUse::Mac,
            RootKey {
                version: 258,
                state: KeyState::Active,
                material: Zeroizing::new(bytes(&vector["key"])),
            },
        );
        let id: SessionId = vector["session_id"].as_str().expect("text").parse().expect("an id");
        let time = |name: &str| Timestamp::from_millis(vector[name].as_i64().expect("a number"));
        let facts = SessionFacts {
            user_type: &user_type,
            id: &id,
            account_id: &account_id,
            epoch: vector["epoch"].as_u64().expect("a number"),
            created_at: time("created_at"),
            expires_at: time("expires_at"),
        };
        let mac = facts.sign(&keyring).expect("a key");
        assert_eq!(hex(&mac), vector["mac"]);
        assert!(facts.is_signed_by(&keyring, &mac));

        let (other_type, other_account): (UserType, AccountId) =
            ("User2".parse().expect("valid"), "usr_b".parse().expect("valid"));
        let other_id: SessionId = format!("ses_{}", "0".repeat(26)).parse().expect("valid");
        let later = facts.expires_at.plus(std::time::Duration::from_millis(1));
        let forgeries = [
            SessionFacts {
                user_type: &other_type,
                ..facts
            },
            SessionFacts { id: &other_id, ..facts },
            SessionFacts {
                account_id: &other_account,
                ..facts
            },
            SessionFacts {
                epoch: facts.epoch + 1,
                ..facts
            },
            SessionFacts {
                created_at: later,
                ..facts
            },
            SessionFacts {
                expires_at: later,
                ..facts
            },
        ];
        for (index, forged) in forgeries.iter().enumerate() {
            assert!(!forged.is_signed_by(&keyring, &mac), "forgery {index}");
        }
        for mac in [&mac[..33], &[], &[0; 34]] {
            assert!(!facts.is_signed_by(&keyring, mac));
        }
    }
}
