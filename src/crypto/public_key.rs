//! Public halves of key pairs: JSON Web Keys (RFC 7517) with the members that name a key and no others, so that the
//! SHA-256 of the text is the thumbprint (RFC 7638) by which tokens name it.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What a key pair signs with: one algorithm per key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairAlgorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// RSA PKCS #1 v1.5 with SHA-256, 2048 bits or more.
    Rs256,
}

impl PairAlgorithm {
    /// Its name in a header (RFC 7518 section 3.1, RFC 8037).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    pub(in crate::crypto) const fn jose(self) -> Algorithm {
        match self {
            Self::EdDsa => Algorithm::EdDSA,
            Self::Es256 => Algorithm::ES256,
            Self::Rs256 => Algorithm::RS256,
        }
    }
}

impl fmt::Display for PairAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A public key. Members in the order of RFC 7638.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKey {
    /// The curve, of an elliptic one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// RSA's exponent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// `OKP`, `EC` or `RSA`.
    pub kty: String,
    /// RSA's modulus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// The point, or its first coordinate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// Its second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
}

fn encoded(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

impl PublicKey {
    const fn of_type(kty: String) -> Self {
        Self {
            crv: None,
            e: None,
            kty,
            n: None,
            x: None,
            y: None,
        }
    }

    pub(in crate::crypto) fn ed25519(point: &[u8]) -> Self {
        Self {
            crv: Some("Ed25519".into()),
            x: Some(encoded(point)),
            ..Self::of_type("OKP".into())
        }
    }

    /// Of an uncompressed point; `None` for anything else.
    pub(in crate::crypto) fn p256(point: &[u8]) -> Option<Self> {
        let (&[4], coordinates) = point.split_first_chunk::<1>()? else {
            return None;
        };
        let (x, y) = coordinates.split_at_checked(32).filter(|(_, y)| y.len() == 32)?;
        Some(Self {
            crv: Some("P-256".into()),
            x: Some(encoded(x)),
            y: Some(encoded(y)),
            ..Self::of_type("EC".into())
        })
    }

    pub(in crate::crypto) fn rsa(modulus: &[u8], exponent: &[u8]) -> Self {
        Self {
            e: Some(encoded(exponent)),
            n: Some(encoded(modulus)),
            ..Self::of_type("RSA".into())
        }
    }

    /// What its pair signs with; `None` for a kind that no token has.
    #[must_use]
    pub fn algorithm(&self) -> Option<PairAlgorithm> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => Some(PairAlgorithm::EdDsa),
            ("EC", Some("P-256")) => Some(PairAlgorithm::Es256),
            ("RSA", None) => Some(PairAlgorithm::Rs256),
            _ => None,
        }
    }

    /// The text whose SHA-256 is the thumbprint.
    #[must_use]
    pub fn canonical(&self) -> String {
        #[expect(clippy::expect_used, reason = "texts alone are always JSON")]
        serde_json::to_string(self).expect("JSON")
    }

    /// The key of a [canonical](Self::canonical) text.
    #[must_use]
    pub fn from_canonical(text: &[u8]) -> Option<Self> {
        let key: Self = serde_json::from_slice(text).ok()?;
        key.algorithm().is_some().then_some(key)
    }

    /// By what tokens name it.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        BASE64URL_NOPAD.encode(&Sha256::digest(self.canonical()))
    }

    /// What verifies with it.
    pub(in crate::crypto) fn decoding(&self) -> Option<DecodingKey> {
        let member = |member: &Option<String>| member.as_deref().unwrap_or_default().to_owned();
        match self.algorithm()? {
            PairAlgorithm::EdDsa => DecodingKey::from_ed_components(&member(&self.x)).ok(),
            PairAlgorithm::Es256 => DecodingKey::from_ec_components(&member(&self.x), &member(&self.y)).ok(),
            PairAlgorithm::Rs256 => DecodingKey::from_rsa_components(&member(&self.n), &member(&self.e)).ok(),
        }
    }

    /// As it is published: with what it is for.
    #[must_use]
    pub fn to_jwk(&self) -> Jwk {
        Jwk {
            kid: self.thumbprint(),
            usage: "sig",
            alg: self.algorithm().map(PairAlgorithm::as_str),
            key: self.clone(),
        }
    }
}

/// A public key as a key set has it.
#[derive(Clone, Debug, Serialize)]
pub struct Jwk {
    /// What tokens name it by.
    pub kid: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub usage: &'static str,
    /// The one algorithm that it is good for.
    pub alg: Option<&'static str>,
    /// The key.
    #[serde(flatten)]
    pub key: PublicKey,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::frozen::{Frozen, text};

    /// RFC 8037 appendix A.3, RFC 7638 section 3.1.
    #[test]
    fn thumbprints_are_those_of_the_standards() {
        let ed25519 = PublicKey::from_canonical(
            br#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        );
        let ed25519 = ed25519.expect("a key");
        assert_eq!(ed25519.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let modulus = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWK\
             RXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnY\
             b9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF4\
             4-csFCur-kEgU8awapJzKnqDKgw";
        let rsa = PublicKey {
            e: Some("AQAB".into()),
            n: Some(modulus.into()),
            ..PublicKey::of_type("RSA".into())
        };
        assert_eq!(rsa.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert_eq!(PublicKey::from_canonical(rsa.canonical().as_bytes()), Some(rsa));
    }

    #[test]
    fn frozen_vectors() {
        let frozen = Frozen::read().0;
        for (name, vector) in frozen["public_keys"].as_object().expect("an object") {
            let retired = text(&vector["retired"]);
            let key = PublicKey::from_canonical(retired.as_bytes()).expect(name);
            assert_eq!(key.canonical(), retired);
            assert_eq!(serde_json::to_value(key.to_jwk()).expect("JSON"), vector["jwk"]);
        }
    }

    #[test]
    fn a_key_of_another_kind_is_none() {
        for text in [
            r#"{"kty":"oct","k":"AAAA"}"#,
            r#"{"kty":"oct"}"#,
            r#"{"crv":"X25519","kty":"OKP","x":"AA"}"#,
            r#"{"crv":"P-384","kty":"EC","x":"AA","y":"AA"}"#,
            r#"{"e":"AQAB","kty":"RSA","n":"AA","d":"AA"}"#,
            "",
        ] {
            assert_eq!(PublicKey::from_canonical(text.as_bytes()), None, "{text}");
        }
        for point in [&[][..], &[4; 33], &[2; 65], &[4; 66]] {
            assert_eq!(PublicKey::p256(point), None);
        }
    }
}
