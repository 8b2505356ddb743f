//! What the Python service sealed: Fernet tokens (AES-128-CBC under HMAC-SHA-256), each once more in base64url, and the
//! digest by which it found an address. Opened for the import alone; nothing is sealed so any more.
//!
//! A token is `80 | time u64 BE | IV 16 | ciphertext | HMAC 32` in base64url; the MAC covers all before it and is compared
//! before anything is decrypted. Nothing in it names whose it is, so that a value of one record opens in another: the
//! search hash, which is of the address, shows where somebody exchanged that.

use std::num::NonZeroU32;

use aws_lc_rs::{
    cipher::{AES_128, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey},
    iv::FixedLength,
    pbkdf2,
};
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use crate::{crypto::encoding::hmac_sha256_matches, domain::private::Private};

const VERSION: u8 = 0x80;
/// Of the search hash.
const ROUNDS: NonZeroU32 = match NonZeroU32::new(100_000) {
    Some(rounds) => rounds,
    None => NonZeroU32::MIN,
};
/// Version, time, IV.
const HEADER: usize = 1 + 8 + 16;
const MAC: usize = 32;

/// The keys of the Python service: `ENCRYPTION_KEY` and `EMAIL_SALT`.
pub struct LegacyKeys {
    signing: Zeroizing<[u8; 16]>,
    encryption: Zeroizing<[u8; 16]>,
    salt: Private,
}

/// `ENCRYPTION_KEY` is not what Fernet makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no Fernet key: 32 bytes in base64url, 44 characters")]
pub struct NotAFernetKey;

/// Another key, or an altered value: there is no telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a value does not open under ENCRYPTION_KEY")]
pub struct DoesNotOpen;

impl LegacyKeys {
    /// From the two settings as the service had them.
    pub fn parse(encryption_key: &str, email_salt: Private) -> Result<Self, NotAFernetKey> {
        let key = decode(encryption_key.trim()).ok_or(NotAFernetKey)?;
        let (signing, encryption) = key.split_first_chunk().ok_or(NotAFernetKey)?;
        let encryption: &[u8; 16] = encryption.try_into().map_err(|_| NotAFernetKey)?;
        Ok(Self {
            signing: Zeroizing::new(*signing),
            encryption: Zeroizing::new(*encryption),
            salt: email_salt,
        })
    }

    /// Opens a field: a token, once more in base64url.
    pub fn open(&self, sealed: &str) -> Result<Private, DoesNotOpen> {
        let token = decode(sealed).ok_or(DoesNotOpen)?;
        self.open_token(std::str::from_utf8(&token).map_err(|_| DoesNotOpen)?)
    }

    /// Opens a token, however old.
    pub fn open_token(&self, token: &str) -> Result<Private, DoesNotOpen> {
        let token = decode(token).ok_or(DoesNotOpen)?;
        let body = token.len().checked_sub(MAC).ok_or(DoesNotOpen)?;
        let (signed, mac) = token.split_at(body);
        if !hmac_sha256_matches(&*self.signing, signed, mac) {
            return Err(DoesNotOpen);
        }
        let (header, ciphertext) = signed.split_at_checked(HEADER).ok_or(DoesNotOpen)?;
        let iv: [u8; 16] = header[9..].try_into().map_err(|_| DoesNotOpen)?;
        if header[0] != VERSION {
            return Err(DoesNotOpen);
        }
        let key = UnboundCipherKey::new(&AES_128, &*self.encryption)
            .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
            .map_err(|_| DoesNotOpen)?;
        let mut ciphertext = Zeroizing::new(ciphertext.to_vec());
        let plain = key
            .decrypt(&mut ciphertext, DecryptionContext::Iv128(FixedLength::from(iv)))
            .map_err(|_| DoesNotOpen)?;
        let plain = std::str::from_utf8(plain).map_err(|_| DoesNotOpen)?;
        Ok(Private::new(plain.to_owned()))
    }

    /// Whether `stored` is the search hash of `address`: base64url of PBKDF2-HMAC-SHA-256 of the address in lower case. Takes
    /// as long as a hundred thousand rounds.
    #[must_use]
    pub fn is_search_hash_of(&self, address: &str, stored: &str) -> bool {
        let lower = Zeroizing::new(address.to_lowercase());
        let salt = self.salt.expose().as_bytes();
        decode(stored).is_some_and(|stored| {
            stored.len() == 32
                && pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt, lower.as_bytes(), &stored).is_ok()
        })
    }
}

/// Base64url with its padding or without.
fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let bare = text.trim_end_matches('=');
    let is_padded_right = bare.len() == text.len() || text.len().is_multiple_of(4) && text.len() - bare.len() < 3;
    let decoded = BASE64URL_NOPAD.decode(bare.as_bytes()).ok();
    decoded.filter(|_| is_padded_right).map(Zeroizing::new)
}

impl std::fmt::Debug for LegacyKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LegacyKeys")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::crypto::frozen::{legacy, list, text};

    fn keys(key: &Value) -> LegacyKeys {
        let salt = Private::new(text(&legacy()["email_salt"]).to_owned());
        LegacyKeys::parse(text(key), salt).expect("a key")
    }

    /// Those of the specification, which Python's `cryptography` tests itself with.
    #[test]
    fn vectors_of_fernet() {
        let vectors = legacy();
        for vector in ["generate", "verify"]
            .iter()
            .flat_map(|name| list(&vectors["fernet"][name]))
        {
            let opened = keys(&vector["secret"])
                .open_token(text(&vector["token"]))
                .expect("opens");
            assert_eq!(opened.expose(), text(&vector["src"]));
        }
        let refused = list(&vectors["fernet"]["invalid"]);
        assert_eq!(refused.len(), 8);
        for vector in refused {
            let opened = keys(&vector["secret"]).open_token(text(&vector["token"]));
            // How old a value in a database is says nothing.
            let is_of_time = ["far-future TS (unacceptable clock skew)", "expired TTL"];
            let is_of_time = is_of_time.contains(&text(&vector["desc"]));
            assert_eq!(opened.is_ok(), is_of_time, "{}", vector["desc"]);
        }
    }

    #[test]
    fn what_python_sealed_opens_under_its_key_alone() {
        let vectors = legacy();
        let (own, other) = (keys(&vectors["encryption_key"]), keys(&vectors["other_key"]));
        for vector in list(&vectors["sealed"]) {
            let sealed = text(&vector["sealed"]);
            assert_eq!(own.open(sealed).expect("opens").expose(), text(&vector["plain"]));
            assert_eq!(
                own.open(sealed.trim_end_matches('=')).expect("opens").expose(),
                text(&vector["plain"])
            );
            assert_eq!(other.open(sealed).expect_err("another key"), DoesNotOpen);
        }
    }

    #[test]
    fn every_altered_byte_is_seen() {
        let vectors = legacy();
        let own = keys(&vectors["encryption_key"]);
        let token = decode(text(&vectors["sealed"][1]["sealed"])).expect("base64url");
        let token = decode(std::str::from_utf8(&token).expect("text")).expect("base64url");
        for at in 0..token.len() {
            let mut altered = token.to_vec();
            altered[at] ^= 1;
            assert!(own.open_token(&BASE64URL_NOPAD.encode(&altered)).is_err(), "{at}");
            assert!(
                own.open_token(&BASE64URL_NOPAD.encode(&token[..at])).is_err(),
                "cut at {at}"
            );
        }
        for text in ["", "=", "A===", "gAAA", "\u{e9}", "%%%%"] {
            assert!(own.open(text).is_err() && own.open_token(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_search_hash_is_of_the_address_in_lower_case() {
        let vectors = legacy();
        let own = keys(&vectors["encryption_key"]);
        for vector in list(&vectors["search_hashes"]) {
            assert!(own.is_search_hash_of(text(&vector["address"]), text(&vector["hash"])));
            assert!(!own.is_search_hash_of("adb@example.com", text(&vector["hash"])));
        }
        assert!(!own.is_search_hash_of("ada@example.com", ""));
    }

    #[test]
    fn a_key_is_44_characters_of_base64url() {
        for text in [
            "",
            "short",
            &"A".repeat(42),
            &"A".repeat(44),
            "not base64url, but forty-four characters ....",
        ] {
            let parsed = LegacyKeys::parse(text, Private::new(String::new()));
            assert_eq!(parsed.err(), Some(NotAFernetKey), "{text}");
        }
        assert!(LegacyKeys::parse(&format!("{}=", "A".repeat(43)), Private::new(String::new())).is_ok());
    }
}
