//! Refresh tokens: `rt1.` and base64url of `session id (30) | generation u32 BE | 32 bytes | tag 16`.
//!
//! The tag is the first half of an HMAC over everything before it: text that was never issued is told from a token
//! that was used before without asking the database, and changes nothing. The first token's bytes are random; each
//! successor's are derived from its parent, so that the same parent presented twice gets the same successor.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    crypto::{
        encoding::{hmac_sha256, hmac_sha256_matches, join},
        keyring::{KeyUse, Keyring, MissingKey, RootKey},
    },
    domain::{
        entropy::{Entropy, make_bytes},
        ids::SessionId,
        private::Private,
        token::TokenDigest,
    },
};

const PREFIX: &str = "rt1.";
const ID_LEN: usize = 30;
const BODY_LEN: usize = ID_LEN + 4 + 32;
const TAG_LEN: usize = 16;
/// Characters of the whole token.
pub const TEXT_LEN: usize = PREFIX.len() + (BODY_LEN + TAG_LEN) * 4 / 3 + 1;

/// A refresh token whose tag was made, or verified, here.
pub struct RefreshToken {
    session_id: SessionId,
    bytes: Zeroizing<[u8; BODY_LEN + TAG_LEN]>,
}

impl RefreshToken {
    /// The first token of a session: generation 0, random.
    pub fn make(session_id: SessionId, keyring: &Keyring, entropy: &dyn Entropy) -> Result<Self, MissingKey> {
        let key = keyring.active(&KeyUse::Refresh)?;
        Ok(Self::compose(session_id, 0, &Zeroizing::new(make_bytes(entropy)), key))
    }

    /// Reads a token and verifies its tag. `None` for everything that this installation never issued.
    #[must_use]
    pub fn parse(text: &str, keyring: &Keyring) -> Option<Self> {
        if text.len() != TEXT_LEN {
            return None;
        }
        let decoded = Zeroizing::new(BASE64URL_NOPAD.decode(text.strip_prefix(PREFIX)?.as_bytes()).ok()?);
        let bytes: Zeroizing<[u8; BODY_LEN + TAG_LEN]> = Zeroizing::new(decoded.as_slice().try_into().ok()?);
        let (body, tag) = bytes.split_at(BODY_LEN);
        let genuine = keyring
            .all_readable(&KeyUse::Refresh)
            .any(|key| hmac_sha256_matches(&key.material, &tagged(body), tag));
        if !genuine {
            return None;
        }
        let session_id = std::str::from_utf8(&body[..ID_LEN]).ok()?.parse().ok()?;
        Some(Self { session_id, bytes })
    }

    /// Every token that may have followed this one: one per readable key, newest first. Which of them was issued, the
    /// session's digest tells; a new one is the first.
    pub fn successors(&self, keyring: &Keyring) -> impl Iterator<Item = Self> {
        keyring.all_readable(&KeyUse::Refresh).map(|key| {
            let next = hmac_sha256(
                &key.material,
                &join(&[b"sealgate/refresh/v1 next", self.bytes.as_slice()]),
            );
            Self::compose(
                self.session_id.clone(),
                self.generation().wrapping_add(1),
                &Zeroizing::new(next),
                key,
            )
        })
    }

    /// The session (the token family) it belongs to.
    #[must_use]
    pub fn session_id(&self) -> &SessionId {
        &self.session_id
    }

    /// How many tokens of the family came before it.
    #[must_use]
    pub fn generation(&self) -> u32 {
        let generation: [u8; 4] = std::array::from_fn(|index| self.bytes[ID_LEN + index]);
        u32::from_be_bytes(generation)
    }

    /// What the session stores instead of the token.
    #[must_use]
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::new(Sha256::digest(join(&[b"sealgate/refresh/v1 digest", self.bytes.as_slice()])).into())
    }

    /// The text that the client gets.
    #[must_use]
    pub fn expose(&self) -> Private {
        let mut text = String::with_capacity(TEXT_LEN);
        text.push_str(PREFIX);
        BASE64URL_NOPAD.encode_append(self.bytes.as_slice(), &mut text);
        Private::new(text)
    }

    fn compose(session_id: SessionId, generation: u32, random: &[u8; 32], key: &RootKey) -> Self {
        let mut bytes = Zeroizing::new([0; BODY_LEN + TAG_LEN]);
        let (body, tag) = bytes.split_at_mut(BODY_LEN);
        body[..ID_LEN].copy_from_slice(session_id.as_str().as_bytes());
        body[ID_LEN..ID_LEN + 4].copy_from_slice(&generation.to_be_bytes());
        body[ID_LEN + 4..].copy_from_slice(random);
        tag.copy_from_slice(&hmac_sha256(&key.material, &tagged(body))[..TAG_LEN]);
        Self { session_id, bytes }
    }
}

fn tagged(body: &[u8]) -> Vec<u8> {
    join(&[b"sealgate/refresh/v1 tag", body])
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::{
        crypto::{
            frozen::{Frozen, bytes, hex, number, text},
            keyring::KeyState,
        },
        domain::clock::Timestamp,
    };

    struct Fixed;
    impl Entropy for Fixed {
        fn fill(&self, out: &mut [u8]) {
            out.fill(7);
        }
    }

    fn keyring(versions: &[(u16, KeyState)]) -> Keyring {
        let mut keyring = Keyring::default();
        for &(version, state) in versions {
            let material = Zeroizing::new(vec![u8::try_from(version).expect("small"); 32]);
            keyring.insert(
                KeyUse::Refresh,
                RootKey {
                    version,
                    state,
                    material,
                },
            );
        }
        keyring
    }

    fn token(keyring: &Keyring) -> RefreshToken {
        let session = SessionId::make(Timestamp::from_millis(1_764_000_000_000), &Fixed);
        RefreshToken::make(session, keyring, &Fixed).expect("key")
    }

    #[test]
    fn frozen_vectors() {
        let frozen = Frozen::read().0;
        let vector = &frozen["refresh"];
        let mut keyring = Keyring::default();
        let key = RootKey {
            version: 1,
            state: KeyState::Active,
            material: Zeroizing::new(bytes(&vector["key"])),
        };
        keyring.insert(KeyUse::Refresh, key);
        let check = |token: &RefreshToken, expected: &Value| {
            assert_eq!(token.expose().expose(), expected["text"]);
            assert_eq!(hex(token.digest().as_bytes()), expected["digest"]);
            assert_eq!(token.generation(), u32::from(number(&expected["generation"])));
            assert_eq!(token.session_id().as_str(), vector["session_id"]);
            assert!(RefreshToken::parse(text(&expected["text"]), &keyring).is_some());
        };
        // The session id and the random bytes are both drawn from `Fixed`.
        let first = token(&keyring);
        check(&first, &vector["first"]);
        check(&first.successors(&keyring).next().expect("a key"), &vector["successor"]);
    }

    #[test]
    fn the_same_parent_has_the_same_successor() {
        let keyring = keyring(&[(1, KeyState::Active)]);
        let parent = token(&keyring);
        let again = RefreshToken::parse(parent.expose().expose(), &keyring).expect("genuine");
        let [one, two] = [parent, again].map(|token| token.successors(&keyring).next().expect("a key").digest());
        assert_eq!(one, two);
    }

    #[test]
    fn a_successor_is_known_again_after_the_key_was_replaced() {
        let parent = token(&keyring(&[(1, KeyState::Active)]));
        let before = parent
            .successors(&keyring(&[(1, KeyState::Active)]))
            .next()
            .expect("a key");
        let after = keyring(&[(1, KeyState::VerifyOnly), (2, KeyState::Active)]);
        assert!(
            parent
                .successors(&after)
                .any(|successor| successor.digest() == before.digest())
        );
        assert!(RefreshToken::parse(before.expose().expose(), &after).is_some());
    }

    proptest! {
        #[test]
        fn no_changed_character_keeps_the_tag_valid(position in 4usize..TEXT_LEN, to in "[A-Za-z0-9_-]") {
            let keyring = keyring(&[(1, KeyState::Active)]);
            let text = token(&keyring).expose();
            let mut forged = text.expose().to_owned();
            forged.replace_range(position..=position, &to);
            prop_assume!(forged != text.expose());
            prop_assert!(RefreshToken::parse(&forged, &keyring).is_none());
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,150}") {
            let _ = RefreshToken::parse(&text, &keyring(&[(1, KeyState::Active)]));
        }
    }
}
