//! What a version of a key of Vault's or OpenBao's transit engine is called here, what its ciphertext says of it, and what
//! a wrapped key is bound to: `docs/CRYPTO.md`, "Wrapped key".

use sha2::{Digest as _, Sha256};

use crate::{
    crypto::encoding::join,
    domain::{clock::Timestamp, entropy::Entropy, ids::KekId},
};

/// Ids of the versions of one key: the version where other ids have their time, then what mount and name digest to. So
/// they sort by version, and are the same in every process.
pub struct TransitNames([u8; 32]);

impl TransitNames {
    /// Of the key `key` of the engine at `mount`.
    #[must_use]
    pub fn new(mount: &str, key: &str) -> Self {
        let parts = join(&[b"sealgate/transit-key/v1", mount.as_bytes(), key.as_bytes()]);
        Self(Sha256::digest(parts).into())
    }

    /// What `version` is called.
    #[must_use]
    pub fn id(&self, version: u32) -> KekId {
        KekId::make(Timestamp::from_millis(version.into()), self)
    }

    /// Which version is called that; nothing where it is none of this key's.
    #[must_use]
    pub fn version(&self, id: &KekId) -> Option<u32> {
        let version = u32::try_from(id.made_at()?.as_millis()).ok()?;
        (version > 0 && self.id(version) == *id).then_some(version)
    }
}

/// Nothing of it is random.
impl Entropy for TransitNames {
    fn fill(&self, out: &mut [u8]) {
        for (byte, digest) in out.iter_mut().zip(self.0.iter().cycle()) {
            *byte = *digest;
        }
    }
}

/// What a key is bound to that `id` wraps.
#[must_use]
pub fn associated_data(id: &KekId) -> Vec<u8> {
    join(&[b"sealgate/wrapped-key/v1", id.as_str().as_bytes()])
}

/// The version in `vault:v<version>:…`; nothing where it is anything else.
#[must_use]
pub fn version_of(ciphertext: &str) -> Option<u32> {
    let (version, rest) = ciphertext.strip_prefix("vault:v")?.split_once(':')?;
    let is_plain = !rest.is_empty() && !version.starts_with(['0', '+']);
    is_plain.then(|| version.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::frozen::{Frozen, hex, list, text};

    #[test]
    fn an_id_is_of_one_version_of_one_key_and_tells_which() {
        let names = TransitNames::new("transit", "sealgate");
        for version in [1, 2, 9, 10, 4_000_000_000] {
            let id = names.id(version);
            assert_eq!(names.version(&id), Some(version));
            assert_eq!(id, TransitNames::new("transit", "sealgate").id(version));
            for other in [
                TransitNames::new("transit", "another"),
                TransitNames::new("another", "sealgate"),
                // Not the same letters at another place.
                TransitNames::new("transits", "ealgate"),
            ] {
                assert_eq!(other.version(&id), None);
            }
        }
        assert!(names.id(9) < names.id(10));
        let of_a_file = format!("kek_{}", "0".repeat(26)).parse().expect("an id");
        assert_eq!(names.version(&of_a_file), None);
    }

    #[test]
    fn frozen_vectors() {
        let frozen = Frozen::read().0;
        let vectors = list(&frozen["transit_names"]);
        assert!(!vectors.is_empty());
        for vector in vectors {
            let names = TransitNames::new(text(&vector["mount"]), text(&vector["key"]));
            let version = vector["version"].as_u64().and_then(|version| version.try_into().ok());
            let id = names.id(version.expect("a version"));
            assert_eq!(id.as_str(), vector["kek_id"]);
            assert_eq!(hex(&associated_data(&id)), vector["associated_data"]);
        }
    }

    #[test]
    fn a_ciphertext_tells_its_version() {
        assert_eq!(version_of("vault:v1:AAAA"), Some(1));
        assert_eq!(version_of("vault:v12:AAAA"), Some(12));
        for other in [
            "",
            "vault:v1:",
            "vault:v1",
            "vault:v:AAAA",
            "vault:1:AAAA",
            "vault:v01:AAAA",
            "vault:v+1:AAAA",
            "vault:v-1:AAAA",
            "v1:AAAA",
            "vault:v99999999999:AAAA",
        ] {
            assert_eq!(version_of(other), None, "{other}");
        }
    }
}
