//! RSA keys that an operator configures, as PEM: PKCS #8 or PKCS #1, as `openssl` writes them.

use aws_lc_rs::{rsa, signature::RsaKeyPair};
use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::crypto::{key_pair::KeyPair, public_key::PublicKey};

/// The least that is taken (RFC 7518 section 3.3), and the most that verifiers take.
const BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Why a text is no key. Never repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// No `BEGIN` and `END`, or something between them that is no Base64.
    #[error("is not PEM")]
    NotPem,
    /// It would need a password.
    #[error("is encrypted")]
    Encrypted,
    /// Another kind of key, or damaged.
    #[error("is not an RSA key of that kind")]
    NotRsa,
    /// Too weak or too large.
    #[error("must have 2048 to 8192 bits")]
    Size,
}

/// The key pair of the one block in `text`.
pub fn private_key(text: &str) -> Result<KeyPair, PemError> {
    let blocks = blocks(text)?;
    let [(label, der)] = &blocks[..] else {
        return Err(PemError::NotPem);
    };
    let parsed = match label.as_str() {
        "PRIVATE KEY" => RsaKeyPair::from_pkcs8(der),
        "RSA PRIVATE KEY" => RsaKeyPair::from_der(der),
        "ENCRYPTED PRIVATE KEY" => return Err(PemError::Encrypted),
        _ => return Err(PemError::NotRsa),
    };
    let pair = parsed.map_err(|rejected| match rejected.to_string().as_str() {
        "TooSmall" | "TooLarge" => PemError::Size,
        _ => PemError::NotRsa,
    })?;
    Ok(KeyPair::Rs256(Box::new(pair)))
}

/// The public keys in `text`, one a block.
pub fn public_keys(text: &str) -> Result<Vec<PublicKey>, PemError> {
    let blocks = blocks(text)?;
    let keys = blocks.iter().map(|(label, der)| match label.as_str() {
        "PUBLIC KEY" | "RSA PUBLIC KEY" => public_key(der),
        _ => Err(PemError::NotRsa),
    });
    keys.collect()
}

fn public_key(der: &[u8]) -> Result<PublicKey, PemError> {
    let key = rsa::PublicKey::from_der(der).map_err(|_| PemError::NotRsa)?;
    let (modulus, exponent) = (key.modulus(), key.exponent());
    let modulus = modulus.big_endian_without_leading_zero();
    let first = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if !BITS.contains(&(modulus.len() * 8 - first)) {
        return Err(PemError::Size);
    }
    Ok(PublicKey::rsa(modulus, exponent.big_endian_without_leading_zero()))
}

type Block = (String, Zeroizing<Vec<u8>>);

/// Every block; at least one. Line ends may be written `\n`, as a variable of one line has them.
fn blocks(text: &str) -> Result<Vec<Block>, PemError> {
    let text = Zeroizing::new(text.replace("\\r", "").replace("\\n", "\n"));
    let (mut rest, mut blocks) = (text.as_str(), Vec::new());
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----").ok_or(PemError::NotPem)?;
        let (body, after) = after
            .split_once(&format!("-----END {label}-----"))
            .ok_or(PemError::NotPem)?;
        if body.contains(':') {
            return Err(PemError::Encrypted);
        }
        let body: Zeroizing<String> = Zeroizing::new(body.split_whitespace().collect());
        let der = BASE64.decode(body.as_bytes()).map_err(|_| PemError::NotPem)?;
        blocks.push((label.to_owned(), Zeroizing::new(der)));
        rest = after;
    }
    if blocks.is_empty() {
        return Err(PemError::NotPem);
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::frozen::{Frozen, text};

    /// Every form of the frozen key is the frozen key.
    #[test]
    fn keys_as_openssl_writes_them() {
        let frozen = Frozen::read().0;
        let pem = &frozen["rsa_pem"];
        let kid = text(&frozen["access_token_pairs"]["rs256"]["header"]["kid"]);
        for form in ["pkcs8", "pkcs1"] {
            let pem = text(&pem[form]);
            for pem in [pem.to_owned(), pem.replace('\n', "\\n"), pem.replace('\n', "\r\n")] {
                let pair = private_key(&pem).expect(form);
                assert_eq!(pair.public().expect("a public half").thumbprint(), kid, "{form}");
            }
        }
        let both = format!("{}{}", text(&pem["public"]), text(&pem["public_pkcs1"]));
        let keys = public_keys(&both).expect("two keys");
        assert_eq!(keys.len(), 2);
        assert!(keys.iter().all(|key| key.thumbprint() == kid));
    }

    #[test]
    fn what_is_no_key_is_refused_with_its_reason() {
        let frozen = Frozen::read().0;
        let pem = &frozen["rsa_pem"];
        let [weak, weak_public] = ["weak", "weak_public"].map(|name| text(&pem[name]));
        let [good, public] = ["pkcs8", "public"].map(|name| text(&pem[name]));
        let encrypted =
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----";
        for (text, reason) in [
            (weak, PemError::Size),
            (public, PemError::NotRsa),
            ("", PemError::NotPem),
            ("MIIE", PemError::NotPem),
            (&good[..good.len() - 30], PemError::NotPem),
            (encrypted, PemError::Encrypted),
            (
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
                PemError::Encrypted,
            ),
            (
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
                PemError::NotRsa,
            ),
            (&format!("{good}{good}"), PemError::NotPem),
        ] {
            assert_eq!(private_key(text).err(), Some(reason), "{text}");
        }
        assert_eq!(public_keys(weak_public), Err(PemError::Size));
        assert_eq!(public_keys(good), Err(PemError::NotRsa));
    }
}
