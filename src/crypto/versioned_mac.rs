//! The MAC that records carry: `key version u16 BE | HMAC-SHA-256`, 34 bytes, under the key of records. What it covers, and that
//! no two kinds of record can be taken for each other, is the message's to say.

use crate::crypto::{
    encoding::{hmac_sha256, hmac_sha256_matches},
    keyring::{KeyUse, Keyring, MissingKey},
};

/// Of `message`, under the active key.
pub(in crate::crypto) fn sign(keyring: &Keyring, message: &[u8]) -> Result<Vec<u8>, MissingKey> {
    let key = keyring.active(&KeyUse::Mac)?;
    let mut mac = key.version.to_be_bytes().to_vec();
    mac.extend_from_slice(&hmac_sha256(&key.material, message));
    Ok(mac)
}

/// Whether `mac` is of `message`, under the key that it names.
pub(in crate::crypto) fn is_of(keyring: &Keyring, message: &[u8], mac: &[u8]) -> bool {
    let Some((version, tag)) = mac.split_first_chunk::<2>() else {
        return false;
    };
    let key = keyring.readable(&KeyUse::Mac, u16::from_be_bytes(*version));
    tag.len() == 32 && key.is_ok_and(|key| hmac_sha256_matches(&key.material, message, tag))
}
