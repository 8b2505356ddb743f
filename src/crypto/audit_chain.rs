//! The chain over the audit: each link names entries, holds what they digest to, and carries a MAC over itself and the
//! link before. Who changes, removes or moves an entry or a link without the key is found out.

use sha2::{Digest as _, Sha256};

use crate::{
    crypto::{
        encoding::{hmac_sha256, hmac_sha256_matches, join},
        keyring::{KeyUse, Keyring, MissingKey},
    },
    domain::{clock::Timestamp, ids::AuditId},
};

/// Of one entry.
pub type Digest = [u8; 32];

/// The digest of an entry: SHA-256(join("sealgate/audit-entry/v1") | body). The body is the entry's BSON document without
/// its length, its first element, which is the id, and its last byte.
#[must_use]
pub fn entry_digest(body: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(join(&[b"sealgate/audit-entry/v1"]));
    hash.update(body);
    hash.finalize().into()
}

/// What a link's MAC covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'l> {
    /// Counted from 1.
    pub place: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Which entries it is about.
    pub entries: &'l [AuditId],
    /// What they digest to.
    pub digests: &'l [Digest],
    /// The newest entry that was covered by then.
    pub through: Timestamp,
    /// The first link that is kept.
    pub begins_at: u64,
    /// `through` of the last one that is not.
    pub begins_after: Timestamp,
    /// The MAC of the link before; empty in the first.
    pub previous: &'l [u8],
}

impl Link<'_> {
    fn message(&self) -> Vec<u8> {
        // Taken apart by name: a new field does not compile until someone decides where it stands in the message.
        let Self {
            place,
            at,
            entries,
            digests,
            through,
            begins_at,
            begins_after,
            previous,
        } = self;
        let mut run = Sha256::new();
        for (entry, digest) in entries.iter().zip(*digests) {
            run.update(join(&[entry.as_str().as_bytes(), digest]));
        }
        join(&[
            b"sealgate/audit/v1",
            &place.to_be_bytes(),
            &at.as_millis().to_be_bytes(),
            &u32::try_from(entries.len()).unwrap_or(u32::MAX).to_be_bytes(),
            &run.finalize(),
            &through.as_millis().to_be_bytes(),
            &begins_at.to_be_bytes(),
            &begins_after.as_millis().to_be_bytes(),
            previous,
        ])
    }
}

/// Signs and verifies links with the keys of a keyring.
#[derive(Clone, Copy)]
pub struct AuditChain<'a>(&'a Keyring);

impl<'a> AuditChain<'a> {
    /// With these keys.
    #[must_use]
    pub fn new(keyring: &'a Keyring) -> Self {
        Self(keyring)
    }

    /// The MAC of a link: `key version u16 BE | HMAC-SHA-256`.
    pub fn sign(self, link: &Link<'_>) -> Result<Vec<u8>, MissingKey> {
        let key = self.0.active(&KeyUse::Audit)?;
        let mut mac = key.version.to_be_bytes().to_vec();
        mac.extend_from_slice(&hmac_sha256(&key.material, &link.message()));
        Ok(mac)
    }

    /// Whether it is.
    #[must_use]
    pub fn verify(self, link: &Link<'_>, mac: &[u8]) -> bool {
        let Some((version, tag)) = mac.split_first_chunk::<2>() else {
            return false;
        };
        let key = self.0.readable(&KeyUse::Audit, u16::from_be_bytes(*version));
        tag.len() == 32 && key.is_ok_and(|key| hmac_sha256_matches(&key.material, &link.message(), tag))
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::crypto::{
        frozen::{Frozen, array, bytes, hex, list, number, text},
        keyring::{KeyState, RootKey},
    };

    fn ring(version: u16, material: Vec<u8>) -> Keyring {
        let mut keyring = Keyring::default();
        let material = Zeroizing::new(material);
        let key = RootKey {
            version,
            state: KeyState::Active,
            material,
        };
        keyring.insert(KeyUse::Audit, key);
        keyring
    }

    fn millis(value: &serde_json::Value) -> Timestamp {
        Timestamp::from_millis(value.as_i64().expect("a number"))
    }

    #[test]
    fn frozen_vectors() {
        let frozen = Frozen::read();
        let vector = &frozen.0["audit"];
        let entries = list(&vector["entries"]);
        for entry in entries {
            assert_eq!(hex(&entry_digest(&bytes(&entry["body"]))), entry["digest"]);
        }
        let keyring = ring(number(&vector["key_version"]), bytes(&vector["key"]));
        let chain = AuditChain::new(&keyring);
        let mut previous = Vec::new();
        for link in list(&vector["links"]) {
            let named: Vec<usize> = list(&link["entries"]).iter().map(|n| usize::from(number(n))).collect();
            let ids: Vec<AuditId> = named
                .iter()
                .map(|n| text(&entries[*n]["id"]).parse().expect("an id"))
                .collect();
            let digests: Vec<Digest> = named.iter().map(|n| array(&entries[*n]["digest"])).collect();
            let covered = Link {
                place: link["place"].as_u64().expect("a number"),
                at: millis(&link["at"]),
                entries: &ids,
                digests: &digests,
                through: millis(&link["through"]),
                begins_at: link["begins_at"].as_u64().expect("a number"),
                begins_after: millis(&link["begins_after"]),
                previous: &previous,
            };
            assert_eq!(hex(&covered.message()), link["message"]);
            let mac = chain.sign(&covered).expect("a key");
            assert_eq!(hex(&mac), link["mac"]);
            assert!(chain.verify(&covered, &mac));
            previous = mac;
        }
    }

    #[test]
    fn everything_in_a_link_is_covered() {
        let keyring = ring(3, vec![7; 32]);
        let chain = AuditChain::new(&keyring);
        let at = Timestamp::from_millis(1_764_000_000_000);
        let [one, two] = [at, at.plus(std::time::Duration::from_secs(1))].map(AuditId::first_at);
        let (entries, digests) = ([one.clone(), two.clone()], [[1; 32], [2; 32]]);
        let link = Link {
            place: 2,
            at,
            entries: &entries,
            digests: &digests,
            through: at,
            begins_at: 1,
            begins_after: Timestamp::from_millis(0),
            previous: &[9; 34],
        };
        let mac = chain.sign(&link).expect("a key");
        assert!(chain.verify(&link, &mac));

        let later = at.plus(std::time::Duration::from_millis(1));
        let swapped = [two, one];
        let forgeries = [
            Link { place: 3, ..link },
            Link { at: later, ..link },
            Link {
                entries: &swapped,
                ..link
            },
            Link {
                entries: &entries[..1],
                digests: &digests[..1],
                ..link
            },
            Link {
                digests: &[[2; 32], [1; 32]],
                ..link
            },
            Link { through: later, ..link },
            Link { begins_at: 2, ..link },
            Link {
                begins_after: at,
                ..link
            },
            Link {
                previous: &[8; 34],
                ..link
            },
            Link { previous: &[], ..link },
        ];
        for forged in forgeries {
            assert!(!chain.verify(&forged, &mac), "{forged:?}");
        }
        for position in 0..mac.len() {
            let mut flipped = mac.clone();
            flipped[position] ^= 1;
            assert!(!chain.verify(&link, &flipped), "byte {position}");
        }
        for cut in 0..mac.len() {
            assert!(!chain.verify(&link, &mac[..cut]), "{cut} bytes");
        }
        assert!(!AuditChain::new(&ring(3, vec![8; 32])).verify(&link, &mac));
        assert!(!AuditChain::new(&Keyring::default()).verify(&link, &mac));
        assert!(AuditChain::new(&Keyring::default()).sign(&link).is_err());
    }
}
