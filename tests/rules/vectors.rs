//! Wycheproof's vectors (`tests/vectors/wycheproof`), run through the same calls that `src/crypto` makes.
//!
//! Every test states how many vectors it ran, so that one that ran none fails; what is left out is left out by a
//! rule that stands in the code with its reason. The project's own formats have their vectors in
//! `tests/vectors/frozen.json` and their tests beside the code.

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce, Tag,
    aead::{AeadInOut, inout::InOutBuf},
};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use hkdf::Hkdf;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind, jwk::Jwk};
use sealgate::{
    crypto::{
        encoding::{hmac_sha256, hmac_sha256_matches},
        kek::WrappedKey,
        local_keks::LocalKeks,
    },
    domain::ids::KekId,
};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;
use zeroize::Zeroizing;

/// A vector of any suite: what all have, and the rest by name.
#[derive(Deserialize)]
struct Case {
    #[serde(rename = "tcId")]
    id: u32,
    comment: String,
    result: Expected,
    #[serde(flatten)]
    values: Value,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Valid,
    Invalid,
    /// Legal but weak: none of the suites used here has one, and one that appears must be decided about.
    Acceptable,
}

impl Case {
    fn bytes(&self, name: &str) -> Vec<u8> {
        HEXLOWER.decode(self.text(name).as_bytes()).expect("hex")
    }

    fn text(&self, name: &str) -> &str {
        self.values[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name} of {}", self.name()))
    }

    fn is_valid(&self) -> bool {
        assert!(self.result != Expected::Acceptable, "{} is undecided", self.name());
        self.result == Expected::Valid
    }

    fn name(&self) -> String {
        format!("case {} ({})", self.id, self.comment)
    }
}

#[derive(Deserialize)]
struct Group {
    tests: Vec<Case>,
    #[serde(flatten)]
    values: Value,
}

fn groups(suite: &str) -> Vec<Group> {
    #[derive(Deserialize)]
    struct Suite {
        #[serde(rename = "testGroups")]
        groups: Vec<Group>,
    }
    serde_json::from_str::<Suite>(suite).expect("a suite").groups
}

/// How many vectors were run, and how many of them must be accepted.
#[derive(Debug, Default, PartialEq)]
struct Ran {
    valid: usize,
    invalid: usize,
}

impl Ran {
    fn count(&mut self, is_valid: bool) {
        *(if is_valid { &mut self.valid } else { &mut self.invalid }) += 1;
    }
}

macro_rules! suite {
    ($name:literal) => {
        groups(include_str!(concat!("../vectors/wycheproof/", $name, "_test.json")))
    };
}

#[test]
fn aes_256_gcm() {
    let mut ran = Ran::default();
    for group in suite!("aes_gcm") {
        // Sealed fields know one key length and one nonce length.
        if group.values["keySize"] != 256 || group.values["ivSize"] != 96 {
            continue;
        }
        for case in group.tests {
            let key: [u8; 32] = case.bytes("key").try_into().expect("32 bytes");
            let nonce: [u8; 12] = case.bytes("iv").try_into().expect("12 bytes");
            let tag: [u8; 16] = case.bytes("tag").try_into().expect("16 bytes");
            let (cipher, aad) = (Aes256Gcm::new(&key.into()), case.bytes("aad"));

            let mut opened = case.bytes("ct");
            let verdict = cipher.decrypt_inout_detached(
                &Nonce::from(nonce),
                &aad,
                InOutBuf::from(opened.as_mut_slice()),
                &Tag::from(tag),
            );
            assert_eq!(verdict.is_ok(), case.is_valid(), "{}", case.name());
            if case.is_valid() {
                assert_eq!(opened, case.bytes("msg"), "{}", case.name());
                let mut sealed = case.bytes("msg");
                let made = cipher
                    .encrypt_inout_detached(&Nonce::from(nonce), &aad, InOutBuf::from(sealed.as_mut_slice()))
                    .expect("a short message");
                assert_eq!(
                    (sealed, made.as_slice()),
                    (case.bytes("ct"), tag.as_slice()),
                    "{}",
                    case.name()
                );
            }
            ran.count(case.is_valid());
        }
    }
    assert_eq!(ran, Ran { valid: 39, invalid: 27 });
}

#[test]
fn aes_256_key_wrap_with_padding() {
    let id = format!("kek_{}", "0".repeat(26));
    let mut ran = Ran::default();
    for group in suite!("aes_kwp") {
        // Key-encryption keys have 256 bits.
        if group.values["keySize"] != 256 {
            continue;
        }
        for case in group.tests {
            let key: [u8; 32] = case.bytes("key").try_into().expect("32 bytes");
            let kek_id: KekId = id.parse().expect("an id");
            let keks = LocalKeks::new(vec![(kek_id.clone(), Zeroizing::new(key))]).expect("one key");
            let wrapped = WrappedKey {
                kek_id: id.parse().expect("an id"),
                wrapped: case.bytes("ct"),
            };
            let unwrapped = keks.unwrap(&wrapped);
            assert_eq!(unwrapped.is_ok(), case.is_valid(), "{}", case.name());
            if let Ok(unwrapped) = unwrapped {
                assert_eq!(*unwrapped, case.bytes("msg"), "{}", case.name());
                assert_eq!(keks.wrap(&kek_id, &unwrapped), Ok(wrapped), "{}", case.name());
            }
            ran.count(case.is_valid());
        }
    }
    assert_eq!(ran, Ran { valid: 25, invalid: 69 });
}

#[test]
fn hkdf_sha_256() {
    let mut ran = Ran::default();
    for case in suite!("hkdf_sha256").into_iter().flat_map(|group| group.tests) {
        let salt = case.bytes("salt");
        let salt = (!salt.is_empty()).then_some(salt.as_slice());
        let size = case.values["size"].as_u64().and_then(|size| size.try_into().ok());
        let mut out = vec![0; size.expect("a length")];
        // In two steps, as data keys do it: extraction once, expansion for every field.
        let (extracted, _) = Hkdf::<Sha256>::extract(salt, &case.bytes("ikm"));
        let expanded = Hkdf::<Sha256>::from_prk(&extracted)
            .expect("a hash's length")
            .expand(&case.bytes("info"), &mut out);
        assert_eq!(expanded.is_ok(), case.is_valid(), "{}", case.name());
        if case.is_valid() {
            assert_eq!(out, case.bytes("okm"), "{}", case.name());
        }
        ran.count(case.is_valid());
    }
    assert_eq!(ran, Ran { valid: 83, invalid: 3 });
}

#[test]
fn hmac_sha_256() {
    let mut ran = Ran::default();
    for case in suite!("hmac_sha256").into_iter().flat_map(|group| group.tests) {
        let (key, message, tag) = (case.bytes("key"), case.bytes("msg"), case.bytes("tag"));
        assert!(tag.len() >= 16, "{}: shorter tags are refused as such", case.name());
        assert_eq!(
            hmac_sha256_matches(&key, &message, &tag),
            case.is_valid(),
            "{}",
            case.name()
        );
        assert_eq!(
            hmac_sha256(&key, &message).starts_with(&tag),
            case.is_valid(),
            "{}",
            case.name()
        );
        assert!(!hmac_sha256_matches(&key, &message, &tag[..15]), "{}: cut", case.name());
        ran.count(case.is_valid());
    }
    assert_eq!(
        ran,
        Ran {
            valid: 66,
            invalid: 108
        }
    );
}

#[test]
fn ed25519() {
    let mut ran = Ran::default();
    for group in suite!("ed25519") {
        let public = group.values["publicKey"]["pk"].as_str().expect("a key");
        let public = DecodingKey::from_ed_der(&HEXLOWER.decode(public.as_bytes()).expect("hex"));
        for case in group.tests {
            let signature = BASE64URL_NOPAD.encode(&case.bytes("sig"));
            let verdict = jsonwebtoken::crypto::verify(&signature, &case.bytes("msg"), &public, Algorithm::EdDSA);
            assert_eq!(verdict.unwrap_or(false), case.is_valid(), "{}", case.name());
            ran.count(case.is_valid());
        }
    }
    assert_eq!(ran, Ran { valid: 88, invalid: 63 });
}

/// The verdict on a case of the suite, four of whose labels are wrong about compact serialisation (RFC 7515 section 7.1).
fn must_be_accepted(case: &Case) -> bool {
    match case.id {
        // Called invalid, but character for character case 357, which is valid.
        367 | 370 => true,
        // Called valid, but with a `?` amid the base64url, which other decoders skip.
        372 | 373 => false,
        _ => case.is_valid(),
    }
}

#[test]
fn json_web_signature() {
    let mut ran = Ran::default();
    for group in suite!("json_web_signature") {
        let jwk = group.values.get("public").or_else(|| group.values.get("private"));
        let jwk = jwk.expect("a key");
        // Each of our keys has one purpose and one algorithm, and none is read from a JWK: how a JWK says that it is not
        // for signing is nobody's concern.
        let Some(algorithm) = jwk.get("alg").and_then(Value::as_str) else {
            continue;
        };
        let Ok(algorithm @ (Algorithm::HS256 | Algorithm::ES256 | Algorithm::RS256)) = algorithm.parse() else {
            continue; // Never configured: PSS, and the longer hashes.
        };
        let jwk: Jwk = serde_json::from_value(jwk.clone()).expect("a JWK");
        let key = DecodingKey::from_jwk(&jwk).expect("a usable key");
        for case in group.tests {
            let expected = must_be_accepted(&case);
            assert_eq!(accepts(case.text("jws"), &key, algorithm), expected, "{}", case.name());
            ran.count(expected);
        }
    }
    assert_eq!(
        ran,
        Ran {
            valid: 20,
            invalid: 292
        }
    );
}

/// Whether the signature of `jws` passes, by the calls that the token signer makes. The suite's payloads are no JSON: an
/// error about that comes after the signature has passed.
fn accepts(jws: &str, key: &DecodingKey, algorithm: Algorithm) -> bool {
    let mut rules = Validation::new(algorithm);
    rules.required_spec_claims.clear();
    rules.validate_exp = false;
    rules.validate_aud = false;
    let Ok(header) = jsonwebtoken::decode_header(jws) else {
        return false;
    };
    if header.alg != algorithm || header.crit.is_some() {
        return false;
    }
    match jsonwebtoken::decode::<Value>(jws, key, &rules) {
        Ok(_) => true,
        Err(error) => matches!(error.kind(), ErrorKind::Json(_)),
    }
}

/// The description of the formats quotes the vectors that are tested, and no others.
#[test]
fn the_documentation_quotes_the_frozen_vectors() {
    let frozen = include_str!("../vectors/frozen.json");
    let text = include_str!("../../docs/CRYPTO.md");
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '`' | '|' | ','));
    let is_hex = |word: &str| word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let quoted: Vec<&str> = words
        .filter(|word| word.len() >= 16 && is_hex(word) || word.starts_with("rt1.e") || word.contains("keyid=AQI"))
        .collect();
    assert!(quoted.len() >= 30, "only {} quotations found", quoted.len());
    for word in quoted {
        assert!(frozen.contains(word), "{word} is in no frozen vector");
    }
}
