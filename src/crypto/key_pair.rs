//! Key pairs that sign tokens. Stored as PKCS #8, which says by itself what kind of key it is, and so which algorithm it
//! is good for: there is no second place that could say otherwise.

use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use zeroize::Zeroizing;

use crate::crypto::public_key::{PairAlgorithm, PublicKey};

/// Made by the service: as strong as the other two (SP 800-57 part 1, table 2).
const RSA_BITS: KeySize = KeySize::Rsa3072;

/// A key pair, parsed.
pub enum KeyPair {
    /// Ed25519.
    EdDsa(Ed25519KeyPair),
    /// P-256.
    Es256(EcdsaKeyPair),
    /// RSA, 2048 to 8192 bits.
    Rs256(Box<RsaKeyPair>),
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.algorithm())
    }
}

impl KeyPair {
    /// The pair of a PKCS #8 document; `None` where it is damaged or of another kind. Each parser takes the one kind that
    /// the document's algorithm identifier names.
    #[must_use]
    pub fn from_pkcs8(der: &[u8]) -> Option<Self> {
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            return Some(Self::EdDsa(pair));
        }
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            return Some(Self::Es256(pair));
        }
        let pair = RsaKeyPair::from_pkcs8(der).ok()?;
        Some(Self::Rs256(Box::new(pair)))
    }

    /// A fresh pair as PKCS #8.
    #[must_use]
    pub fn make_pkcs8(algorithm: PairAlgorithm) -> Zeroizing<Vec<u8>> {
        let made = match algorithm {
            PairAlgorithm::EdDsa => Ed25519KeyPair::generate().and_then(|pair| pkcs8(&pair.as_der()?)),
            PairAlgorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .and_then(|pair| Ok(Zeroizing::new(pair.to_pkcs8v1()?.as_ref().to_vec()))),
            PairAlgorithm::Rs256 => RsaKeyPair::generate(RSA_BITS).and_then(|pair| pkcs8(&pair.as_der()?)),
        };
        #[expect(
            clippy::expect_used,
            reason = "fails only when the operating system gives no randomness"
        )]
        made.expect("a key pair")
    }

    /// What it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> PairAlgorithm {
        match self {
            Self::EdDsa(_) => PairAlgorithm::EdDsa,
            Self::Es256(_) => PairAlgorithm::Es256,
            Self::Rs256(_) => PairAlgorithm::Rs256,
        }
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> Option<PublicKey> {
        match self {
            Self::EdDsa(pair) => Some(PublicKey::ed25519(pair.public_key().as_ref())),
            Self::Es256(pair) => PublicKey::p256(pair.public_key().as_ref()),
            Self::Rs256(pair) => {
                let public = pair.public_key();
                let (modulus, exponent) = (public.modulus(), public.exponent());
                Some(PublicKey::rsa(
                    modulus.big_endian_without_leading_zero(),
                    exponent.big_endian_without_leading_zero(),
                ))
            }
        }
    }

    /// Signs, in the form that JWS has (RFC 7518 section 3.4, RFC 8037).
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "a signature's own randomness is the operating system's"
    )]
    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::EdDsa(pair) => Some(pair.sign(message).as_ref().to_vec()),
            Self::Es256(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                Some(signature)
            }
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a step of a chain")]
fn pkcs8(der: &Pkcs8V1Der<'_>) -> Result<Zeroizing<Vec<u8>>, aws_lc_rs::error::Unspecified> {
    Ok(Zeroizing::new(der.as_ref().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_says_what_kind_its_key_is() {
        for algorithm in [PairAlgorithm::EdDsa, PairAlgorithm::Es256, PairAlgorithm::Rs256] {
            let der = KeyPair::make_pkcs8(algorithm);
            let pair = KeyPair::from_pkcs8(&der).expect("a pair");
            assert_eq!(pair.algorithm(), algorithm);
            let public = pair.public().expect("a public half");
            assert_eq!(public.algorithm(), Some(algorithm));
            assert_eq!(format!("{pair:?}"), format!("KeyPair({algorithm})"));
            assert_ne!(KeyPair::make_pkcs8(algorithm), der, "each is another");
        }
    }

    #[test]
    fn a_damaged_document_is_none() {
        for algorithm in [PairAlgorithm::EdDsa, PairAlgorithm::Es256] {
            let der = KeyPair::make_pkcs8(algorithm);
            assert!(KeyPair::from_pkcs8(&der[..der.len() - 1]).is_none());
        }
        assert!(KeyPair::from_pkcs8(&[0; 48]).is_none());
    }
}
