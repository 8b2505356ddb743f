//! Tokens in the clear, and their digests.
//!
//! A plain token prints as its type's name and can't be stored: only a [`TokenDigest`] can.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::domain::{
    entropy::{Entropy, make_bytes},
    ids::AccountId,
    private::Private,
};

/// A bearer token of the API (RFC 9068). Short-lived, never stored.
pub struct AccessToken(Private);

impl AccessToken {
    /// Wraps the compact serialisation.
    #[must_use]
    pub fn new(compact: String) -> Self {
        Self(Private::new(compact))
    }

    /// The compact serialisation.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken")
    }
}

/// What a mailed link carries: `base64url(account id | 32 random bytes)`. It names its account, so that no look-up
/// index over tokens is needed.
pub struct LinkToken {
    account_id: AccountId,
    random: Zeroizing<[u8; 32]>,
}

impl LinkToken {
    /// A new one for `account_id`.
    pub fn make(account_id: AccountId, entropy: &dyn Entropy) -> Self {
        Self {
            account_id,
            random: Zeroizing::new(make_bytes(entropy)),
        }
    }

    /// Reads what a link carried; `None` for anything that was never a link token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // 64 + 32 bytes at most; longer text is not even decoded.
        if text.len() > 128 {
            return None;
        }
        let bytes = Zeroizing::new(BASE64URL_NOPAD.decode(text.as_bytes()).ok()?);
        let (id, random) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
        Some(Self {
            account_id: std::str::from_utf8(id).ok()?.parse().ok()?,
            random: Zeroizing::new(random.try_into().ok()?),
        })
    }

    /// The account (or registration) that the link belongs to, if the token is genuine.
    #[must_use]
    pub fn account_id(&self) -> &AccountId {
        &self.account_id
    }

    /// The random part.
    #[must_use]
    pub fn expose_random(&self) -> &[u8; 32] {
        &self.random
    }

    /// The text that goes into the link.
    #[must_use]
    pub fn expose(&self) -> Private {
        let bytes = Zeroizing::new([self.account_id.as_str().as_bytes(), self.random.as_slice()].concat());
        Private::new(BASE64URL_NOPAD.encode(&bytes))
    }
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkToken")
    }
}

/// One-way value of a token or code, 32 bytes. Compared in constant time; the only form that is stored.
#[derive(Clone, Copy)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Wraps computed bytes. Only the crypto layer computes them.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for TokenDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}
impl Eq for TokenDigest {}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest")
    }
}

impl Serialize for TokenDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for TokenDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = crate::domain::octets::deserialize(deserializer)?;
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| serde::de::Error::custom("a digest has 32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Fixed;
    impl Entropy for Fixed {
        fn fill(&self, out: &mut [u8]) {
            out.fill(7);
        }
    }

    proptest! {
        #[test]
        fn a_link_token_comes_back_from_its_text(id in "[A-Za-z0-9_-]{1,64}") {
            let token = LinkToken::make(id.parse().expect("valid id"), &Fixed);
            let again = LinkToken::parse(token.expose().expose()).expect("own text");
            prop_assert_eq!(again.account_id(), token.account_id());
            prop_assert_eq!(again.expose_random(), token.expose_random());
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,200}") {
            let _ = LinkToken::parse(&text);
        }
    }
}
