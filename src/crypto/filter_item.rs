//! What goes into the e-mail filter: keyed digests of blind indexes, so that neither the shared bitmap nor the feed of
//! additions tells an address, or an index value of the database, to whoever reads them.

use std::fmt;

use crate::{
    crypto::{
        blind_index::Slot,
        encoding::{hmac_sha256, join},
        keyring::{KeyUse, Keyring, MissingKey},
    },
    domain::user_type::UserType,
};

/// One item of the filter. Opaque: good for nothing but being compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FilterItem([u8; 32]);

impl FilterItem {
    /// As it came from another server.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// As it is sent to others.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for FilterItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FilterItem")
    }
}

/// The item of each of `values`: HMAC-SHA-256(filter key, join("sealgate/filter/v1", user type, index value)).
pub fn filter_items<'s>(
    keyring: &Keyring,
    user_type: &UserType,
    values: impl IntoIterator<Item = &'s Slot>,
) -> Result<Vec<FilterItem>, MissingKey> {
    let key = keyring.active(&KeyUse::Filter)?;
    let item = |value: &Slot| {
        let message = join(&[b"sealgate/filter/v1", user_type.as_str().as_bytes(), value.as_bytes()]);
        FilterItem(hmac_sha256(&key.material, &message))
    };
    Ok(values.into_iter().map(item).collect())
}

/// The seed of the filter's hash functions: HMAC-SHA-256(filter key, join("sealgate/filter-seed/v1")). Without it nobody
/// can choose addresses that fill the filter or collide in it.
pub fn filter_seed(keyring: &Keyring) -> Result<[u8; 32], MissingKey> {
    let key = keyring.active(&KeyUse::Filter)?;
    Ok(hmac_sha256(&key.material, &join(&[b"sealgate/filter-seed/v1"])))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::crypto::{
        frozen::{Frozen, bytes, hex, list, text},
        keyring::{KeyState, RootKey},
    };

    #[test]
    fn frozen_vectors() {
        let frozen = Frozen::read();
        let vector = &frozen.0["filter"];
        let mut keyring = Keyring::default();
        let key = RootKey {
            version: 1,
            state: KeyState::Active,
            material: Zeroizing::new(bytes(&vector["key"])),
        };
        keyring.insert(KeyUse::Filter, key);
        assert_eq!(hex(&filter_seed(&keyring).expect("a key")), text(&vector["seed"]));
        for case in list(&vector["items"]) {
            let user_type: UserType = text(&case["user_type"]).parse().expect("valid");
            let slot = Slot::from_bytes(bytes(&case["index"]));
            let items = filter_items(&keyring, &user_type, [&slot]).expect("a key");
            assert_eq!(hex(items[0].as_bytes()), text(&case["item"]));
        }
    }

    #[test]
    fn a_missing_key_is_said() {
        assert!(filter_seed(&Keyring::default()).is_err());
    }
}
