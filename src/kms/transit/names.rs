//! What a version of a transit key is called here, and what its ciphertext says of it.

use sha2::{Digest as _, Sha256};

use data_encoding::BASE64;

use crate::domain::{clock::Timestamp, entropy::Entropy, ids::KekId};

/// Ids of the versions of one key: the version where other ids have their time, then what mount and name digest to. So
/// they sort by version, and are the same in every process.
pub(super) struct Names([u8; 32]);

impl Names {
    pub(super) fn new(mount: &str, key: &str) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"sealgate/transit-key/v1");
        for part in [mount, key] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        Self(digest.finalize().into())
    }

    pub(super) fn id(&self, version: u32) -> KekId {
        KekId::make(Timestamp::from_millis(version.into()), self)
    }

    /// Which version is called that; nothing where it is none of this key's.
    pub(super) fn version(&self, id: &KekId) -> Option<u32> {
        let version = u32::try_from(id.made_at()?.as_millis()).ok()?;
        (version > 0 && self.id(version) == *id).then_some(version)
    }
}

/// Nothing of it is random.
impl Entropy for Names {
    fn fill(&self, out: &mut [u8]) {
        for (byte, digest) in out.iter_mut().zip(self.0.iter().cycle()) {
            *byte = *digest;
        }
    }
}

/// What a ciphertext is bound to, in base64 as the API takes it.
pub(super) fn associated(id: &KekId) -> String {
    BASE64.encode(format!("sealgate/wrapped-key/v1/{id}").as_bytes())
}

/// The version in `vault:v<version>:…`; nothing where it is anything else.
pub(super) fn version_of(ciphertext: &str) -> Option<u32> {
    let (version, rest) = ciphertext.strip_prefix("vault:v")?.split_once(':')?;
    let is_plain = !rest.is_empty() && !version.starts_with(['0', '+']);
    is_plain.then(|| version.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_of_one_version_of_one_key_and_tells_which() {
        let names = Names::new("transit", "sealgate");
        for version in [1, 2, 9, 10, 4_000_000_000] {
            let id = names.id(version);
            assert_eq!(names.version(&id), Some(version));
            assert_eq!(id, Names::new("transit", "sealgate").id(version));
            for other in [
                Names::new("transit", "another"),
                Names::new("another", "sealgate"),
                // Not the same letters at another place.
                Names::new("transits", "ealgate"),
            ] {
                assert_eq!(other.version(&id), None);
            }
        }
        assert!(names.id(9) < names.id(10));
        let of_a_file = format!("kek_{}", "0".repeat(26)).parse().expect("an id");
        assert_eq!(names.version(&of_a_file), None);
    }

    /// What is stored names it: it may never change.
    #[test]
    fn frozen_vector() {
        let names = Names::new("transit", "sealgate");
        assert_eq!(names.id(1).as_str(), "kek_0000000005senei6fo37tn8m8s");
        assert_eq!(names.id(300).as_str(), "kek_000000015hsenei6fo37tn8m8s");
        assert_eq!(
            associated(&names.id(1)),
            "c2VhbGdhdGUvd3JhcHBlZC1rZXkvdjEva2VrXzAwMDAwMDAwMDVzZW5laTZmbzM3dG44bThz"
        );
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
