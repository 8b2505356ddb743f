//! The one way in which several values become one byte string: each preceded by its length, so that no two
//! different lists give the same bytes.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Each part preceded by its length as a big-endian `u16`. Parts longer than 65,535 bytes are cut off by no caller:
/// all are ids, names of fields, or already bounded values.
#[must_use]
pub fn join(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().map(|part| part.len() + 2).sum());
    for part in parts {
        debug_assert!(u16::try_from(part.len()).is_ok(), "part too long to be joined");
        out.extend_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

/// HMAC-SHA-256 (RFC 2104) over `message`.
#[must_use]
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    keyed(key, message).finalize().into_bytes().into()
}

/// Whether `tag`, or what is given of it (at least 16 bytes), is the HMAC of `message`; in constant time.
#[must_use]
pub fn hmac_sha256_matches(key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    tag.len() >= 16 && keyed(key, message).verify_truncated_left(tag).is_ok()
}

fn keyed(key: &[u8], message: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104 section 3)")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(message);
    mac
}

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    use super::*;

    /// Holds only while the crates' `zeroize` features are on. HMAC and HKDF consist of SHA-256 states.
    #[test]
    fn keys_in_use_are_wiped_on_drop() {
        fn check<T: ZeroizeOnDrop>() {}
        check::<Sha256>();
        check::<aes::Aes256>();
        check::<aes_gcm::Aes256Gcm>();
        check::<aes_kw::AesKwp<aes::Aes256>>();
    }

    #[test]
    fn lists_that_would_run_together_stay_apart() {
        assert_ne!(join(&[b"ab", b"c"]), join(&[b"a", b"bc"]));
        assert_eq!(join(&[b"ab", b""]), [0, 2, b'a', b'b', 0, 0]);
    }
}
