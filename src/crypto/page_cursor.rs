//! Where a list goes on: `cu1.` and base64url of `key version u16 BE | nonce 12 | ciphertext | tag 16`, AES-256-GCM over
//! `end i64 BE | last`.
//!
//! Who gets one learns nothing of what it holds, and takes it nowhere else: user type, list, caller and filter are
//! authenticated beside it, and it is good until its end. Nothing of it is stored.
//!
//! The key is derived from the one of requests, under a label that no field of a request has: an installation that is there
//! needs no new root key for what lives an hour.

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce, Tag,
    aead::{AeadInOut, inout::InOutBuf},
};
use data_encoding::BASE64URL_NOPAD;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    crypto::{
        encoding::join,
        keyring::{KeyUse, Keyring, MissingKey, RootKey},
        system_entropy,
    },
    domain::{clock::Timestamp, user_type::UserType},
};

const PREFIX: &str = "cu1.";
const DOMAIN: &[u8] = b"sealgate/cursor/v1";
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
/// Longer ones are not even decoded: an id has 64 bytes at most.
const LONGEST: usize = 256;

/// What a cursor is good for.
#[derive(Clone, Copy, Debug)]
pub struct CursorScope<'c> {
    /// The population.
    pub user_type: &'c UserType,
    /// The list.
    pub list: &'c str,
    /// Who goes through it.
    pub caller: &'c str,
    /// What was asked for, in one spelling.
    pub filter: &'c [u8],
}

impl CursorScope<'_> {
    fn associated_data(&self) -> Vec<u8> {
        join(&[
            DOMAIN,
            self.user_type.as_str().as_bytes(),
            self.list.as_bytes(),
            self.caller.as_bytes(),
            self.filter,
        ])
    }

    fn cipher(&self, root: &RootKey) -> Aes256Gcm {
        let info = join(&[DOMAIN, self.user_type.as_str().as_bytes()]);
        let mut key = Zeroizing::new([0; 32]);
        #[expect(clippy::expect_used, reason = "HKDF gives up to 8160 bytes (RFC 5869 section 2.3)")]
        Hkdf::<Sha256>::new(None, &root.material)
            .expand(&info, key.as_mut_slice())
            .expect("32 bytes");
        Aes256Gcm::new(&(*key).into())
    }

    /// The text that goes on after `last`, until `end`.
    pub fn seal(&self, keyring: &Keyring, last: &str, end: Timestamp) -> Result<String, MissingKey> {
        let mut nonce = [0; NONCE_LEN];
        system_entropy::fill(&mut nonce);
        Ok(self.seal_with_nonce(keyring.active(&KeyUse::Request)?, last, end, nonce))
    }

    fn seal_with_nonce(&self, root: &RootKey, last: &str, end: Timestamp, nonce: [u8; NONCE_LEN]) -> String {
        let mut body = [&end.as_millis().to_be_bytes(), last.as_bytes()].concat();
        #[expect(
            clippy::expect_used,
            reason = "GCM refuses only bodies over 64 GiB (SP 800-38D section 5.2.1.1)"
        )]
        let tag = self
            .cipher(root)
            .encrypt_inout_detached(
                &Nonce::from(nonce),
                &self.associated_data(),
                InOutBuf::from(body.as_mut_slice()),
            )
            .expect("an id");
        let bytes = [&root.version.to_be_bytes()[..], &nonce, &body, &tag].concat();
        format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&bytes))
    }

    /// What a cursor goes on after; `None` for everything that was not made here for this scope, and what is over.
    #[must_use]
    pub fn open(&self, keyring: &Keyring, text: &str, now: Timestamp) -> Option<String> {
        let encoded = text.strip_prefix(PREFIX).filter(|_| text.len() <= LONGEST)?;
        let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes()).ok()?;
        let (version, rest) = bytes.split_first_chunk::<2>()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>()?;
        let (body, tag) = rest.split_last_chunk::<TAG_LEN>()?;
        let root = keyring.readable(&KeyUse::Request, u16::from_be_bytes(*version)).ok()?;
        let mut body = body.to_vec();
        self.cipher(root)
            .decrypt_inout_detached(
                &Nonce::from(*nonce),
                &self.associated_data(),
                InOutBuf::from(body.as_mut_slice()),
                &Tag::from(*tag),
            )
            .ok()?;
        let (end, last) = body.split_first_chunk::<8>()?;
        let is_on = now < Timestamp::from_millis(i64::from_be_bytes(*end));
        let last = std::str::from_utf8(last).ok()?;
        is_on.then(|| last.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::crypto::{
        frozen::{Frozen, array, bytes, number, text},
        keyring::KeyState,
    };

    fn root(version: u16, material: Vec<u8>) -> RootKey {
        RootKey {
            version,
            state: KeyState::Active,
            material: Zeroizing::new(material),
        }
    }

    fn keyring() -> Keyring {
        let mut keyring = Keyring::default();
        keyring.insert(KeyUse::Request, root(1, vec![7; 32]));
        keyring
    }

    const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);

    fn end() -> Timestamp {
        NOW.plus(Duration::from_hours(1))
    }

    #[test]
    fn frozen_vector() {
        let frozen = Frozen::read();
        let (user_type, vector) = (frozen.user_type(), &frozen.0["page_cursor"]);
        let filter = bytes(&vector["filter"]);
        let scope = CursorScope {
            user_type: &user_type,
            list: text(&vector["list"]),
            caller: text(&vector["caller"]),
            filter: &filter,
        };
        let key = || root(number(&vector["version"]), bytes(&vector["key"]));
        let end = Timestamp::from_millis(vector["end"].as_i64().expect("a time"));
        let last = text(&vector["last"]);
        let sealed = scope.seal_with_nonce(&key(), last, end, array(&vector["nonce"]));
        assert_eq!(sealed, vector["text"]);
        let mut keyring = Keyring::default();
        keyring.insert(KeyUse::Request, key());
        let before = Timestamp::from_millis(end.as_millis() - 1);
        assert_eq!(
            scope.open(&keyring, text(&vector["text"]), before).as_deref(),
            Some(last)
        );
    }

    #[test]
    fn it_is_good_for_what_it_was_made_for_until_its_end() {
        let keyring = keyring();
        let [one, two] = ["User1", "User2"].map(|name| name.parse::<UserType>().expect("valid"));
        let scope = CursorScope {
            user_type: &one,
            list: "accounts",
            caller: "usr_a",
            filter: b"active",
        };
        let sealed = scope.seal(&keyring, "usr_b", end()).expect("a key");
        assert_eq!(scope.open(&keyring, &sealed, NOW).as_deref(), Some("usr_b"));
        assert_eq!(scope.open(&keyring, &sealed, end()), None, "over");
        for other in [
            CursorScope {
                user_type: &two,
                ..scope
            },
            CursorScope { list: "audit", ..scope },
            CursorScope {
                caller: "usr_c",
                ..scope
            },
            CursorScope {
                filter: b"locked",
                ..scope
            },
        ] {
            assert_eq!(other.open(&keyring, &sealed, NOW), None, "{other:?}");
        }
        for at in 0..sealed.len() {
            let mut altered = sealed.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).expect("ASCII");
            assert_eq!(scope.open(&keyring, &altered, NOW), None, "altered at {at}");
        }
        let again = scope.seal(&keyring, "usr_b", end()).expect("a key");
        assert_ne!(sealed, again, "a nonce of its own");
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "(cu1\\.)?.{0,300}") {
            let user_type = "User1".parse().expect("valid");
            let scope = CursorScope { user_type: &user_type, list: "accounts", caller: "usr_a", filter: b"" };
            prop_assert_eq!(scope.open(&keyring(), &text, NOW), None);
        }
    }
}
