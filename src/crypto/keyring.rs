//! The root keys of the installation, in the clear, by use and version.
//!
//! Each is random and wrapped by the key provider in the key database; this is the unwrapped set that one process
//! holds. A new version begins `pending`: every process can read with it before any writes with it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    crypto::{key_pair::KeyPair, public_key::PairAlgorithm, system_entropy},
    domain::user_type::UserType,
};

/// What a root key is for. One key, one use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyUse {
    /// Blind indexes of one user type.
    Index(UserType),
    /// Argon2's secret input.
    Pepper,
    /// Codes at rest.
    Otp,
    /// MACs of account records.
    Mac,
    /// Refresh tokens: their tags and successors.
    Refresh,
    /// Access tokens and receipts: a [key pair](crate::crypto::key_pair) (PKCS #8), which says its algorithm by itself.
    Token,
    /// Addresses in requests.
    Request,
    /// The seed of the e-mail filter.
    Filter,
    /// Subjects of rate limits.
    Rate,
    /// Idempotency keys and bodies.
    Idempotency,
    /// Checkpoints of the audit.
    Audit,
    /// Key-encryption keys. They live with their provider: a record names one, and its material is no key but shows that
    /// the provider has the right one under that id.
    Kek,
    /// Generations of data keys. They live in records of their own: a record names a generation, its material opens
    /// nothing.
    Dek,
}

impl KeyUse {
    /// The stored name; with the version it is the record's id.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Index(user_type) => format!("index.{user_type}"),
            Self::Pepper => "pepper".into(),
            Self::Otp => "otp".into(),
            Self::Mac => "mac".into(),
            Self::Refresh => "refresh".into(),
            Self::Token => "token".into(),
            Self::Request => "request".into(),
            Self::Filter => "filter".into(),
            Self::Rate => "rate".into(),
            Self::Idempotency => "idempotency".into(),
            Self::Audit => "audit".into(),
            Self::Kek => "kek".into(),
            Self::Dek => "dek".into(),
        }
    }

    /// The use of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if let Some(user_type) = name.strip_prefix("index.") {
            return user_type.parse().ok().map(Self::Index);
        }
        [
            Self::Pepper,
            Self::Otp,
            Self::Mac,
            Self::Refresh,
            Self::Token,
            Self::Request,
            Self::Filter,
            Self::Rate,
            Self::Idempotency,
            Self::Audit,
            Self::Kek,
            Self::Dek,
        ]
        .into_iter()
        .find(|key_use| key_use.name() == name)
    }

    /// Every use that an installation with these user types needs.
    #[must_use]
    pub fn all(user_types: &[UserType]) -> Vec<Self> {
        let shared = [
            Self::Pepper,
            Self::Otp,
            Self::Mac,
            Self::Refresh,
            Self::Token,
            Self::Request,
            Self::Filter,
            Self::Rate,
            Self::Idempotency,
            Self::Audit,
        ];
        user_types.iter().cloned().map(Self::Index).chain(shared).collect()
    }

    /// Fresh key material: 32 random bytes, or a key pair where the use signs.
    #[must_use]
    pub fn make_material(&self) -> Zeroizing<Vec<u8>> {
        self.make_material_for(PairAlgorithm::EdDsa)
    }

    /// The same, with the algorithm of a key pair.
    #[must_use]
    pub fn make_material_for(&self, algorithm: PairAlgorithm) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Token => KeyPair::make_pkcs8(algorithm),
            _ => Zeroizing::new(system_entropy::make_key().to_vec()),
        }
    }
}

/// Where a version stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Readable by all, written with by none yet.
    Pending,
    /// The one that writes.
    Active,
    /// Reads only. An index key is still written beside the active one, or uniqueness would have a gap.
    VerifyOnly,
    /// Neither; kept until nothing names it. Of a key pair the public half alone is kept.
    Retired,
}

impl KeyState {
    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::VerifyOnly => "verify_only",
            Self::Retired => "retired",
        }
    }
}

/// One version of a root key.
pub struct RootKey {
    /// Counted from 1.
    pub version: u16,
    /// Where it stands.
    pub state: KeyState,
    /// The key itself.
    pub material: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKey(v{}, {:?})", self.version, self.state)
    }
}

/// A use has no key that may do what was asked. Never answered by making one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no usable key for `{0}` in the key database")]
pub struct MissingKey(pub String);

/// All root keys as of one reading of the key database.
#[derive(Debug, Default)]
pub struct Keyring {
    keys: BTreeMap<KeyUse, Vec<RootKey>>,
}

impl Keyring {
    /// Adds a version.
    pub fn insert(&mut self, key_use: KeyUse, key: RootKey) {
        let versions = self.keys.entry(key_use).or_default();
        versions.push(key);
        versions.sort_by_key(|key| key.version);
    }

    /// The version that writes.
    pub fn active(&self, key_use: &KeyUse) -> Result<&RootKey, MissingKey> {
        self.versions(key_use)
            .rfind(|key| key.state == KeyState::Active)
            .ok_or_else(|| MissingKey(key_use.name()))
    }

    /// That version, if it may still be read with.
    pub fn readable(&self, key_use: &KeyUse, version: u16) -> Result<&RootKey, MissingKey> {
        self.all_readable(key_use)
            .find(|key| key.version == version)
            .ok_or_else(|| MissingKey(key_use.name()))
    }

    /// Every version that may be read with, newest first.
    pub fn all_readable(&self, key_use: &KeyUse) -> impl Iterator<Item = &RootKey> {
        self.versions(key_use)
            .rev()
            .filter(|key| key.state != KeyState::Retired)
    }

    fn versions(&self, key_use: &KeyUse) -> std::slice::Iter<'_, RootKey> {
        self.keys.get(key_use).map(Vec::as_slice).unwrap_or_default().iter()
    }
}

/// The keyring that a process shares among its threads and replaces whole when the key database was read again.
#[derive(Clone, Debug, Default)]
pub struct SharedKeyring(Arc<RwLock<Arc<Keyring>>>);

impl SharedKeyring {
    /// Shares `keyring`.
    #[must_use]
    pub fn new(keyring: Keyring) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(keyring))))
    }

    /// The keys as last read.
    #[must_use]
    pub fn current(&self) -> Arc<Keyring> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces them.
    pub fn replace(&self, keyring: Keyring) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keyring);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::frozen::Frozen;

    fn key(version: u16, state: KeyState) -> RootKey {
        RootKey {
            version,
            state,
            material: Zeroizing::new(vec![0; 32]),
        }
    }

    #[test]
    fn a_pending_version_reads_and_does_not_write() {
        let mut keyring = Keyring::default();
        keyring.insert(KeyUse::Mac, key(2, KeyState::Pending));
        keyring.insert(KeyUse::Mac, key(1, KeyState::Active));
        assert_eq!(keyring.active(&KeyUse::Mac).expect("active").version, 1);
        assert_eq!(
            keyring
                .all_readable(&KeyUse::Mac)
                .map(|key| key.version)
                .collect::<Vec<_>>(),
            [2, 1]
        );
    }

    #[test]
    fn a_retired_or_missing_version_is_refused() {
        let mut keyring = Keyring::default();
        keyring.insert(KeyUse::Mac, key(1, KeyState::Retired));
        assert!(keyring.readable(&KeyUse::Mac, 1).is_err());
        assert_eq!(
            keyring.active(&KeyUse::Pepper).expect_err("none"),
            MissingKey("pepper".into())
        );
    }

    #[test]
    fn names_and_lengths_are_those_that_are_stored() {
        let frozen = Frozen::read();
        let uses = frozen.0["key_uses"].as_object().expect("an object");
        let all = KeyUse::all(&[frozen.user_type()]);
        assert_eq!(uses.len(), all.len());
        for key_use in all {
            let length = uses.get(&key_use.name()).expect("a known name");
            if let Some(length) = length.as_u64() {
                assert_eq!(key_use.make_material().len() as u64, length, "{}", key_use.name());
            }
        }
    }

    #[test]
    fn every_use_comes_back_from_its_name() {
        let types = ["User1".parse().expect("valid")];
        for key_use in KeyUse::all(&types) {
            assert_eq!(KeyUse::from_name(&key_use.name()), Some(key_use));
        }
    }
}
