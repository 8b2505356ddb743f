//! Signed with a key that is not the service's, or with what everybody knows of it.

use aws_lc_rs::hmac;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use sealgate::crypto::{key_pair::KeyPair, public_key::PairAlgorithm};
use serde_json::{Value, json};

use super::{Attack, Genuine, SECRET, changed};
use crate::support::Forger;

pub(super) fn attacks(genuine: &Genuine) -> Vec<Attack> {
    let mut attacks = confused(genuine);
    attacks.extend(named(genuine, "http://127.0.0.1:9/keys.json"));
    attacks.extend(unsigned(genuine));
    attacks
}

/// HMAC-SHA-256 of a token's first two parts.
pub(super) fn sign_hs256(head: &[u8], claims: &[u8], secret: &[u8]) -> String {
    let [head, claims] = [head, claims].map(|part| BASE64URL_NOPAD.encode(part));
    let text = format!("{head}.{claims}");
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    format!("{text}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
}

/// HS256 with what is public taken for the secret, named as the genuine key and as a secret would be.
fn confused(genuine: &Genuine) -> Vec<Attack> {
    let kid = genuine.head["kid"].as_str().expect("a text");
    let issuer = genuine.claims["iss"].as_str().expect("a text");
    let mut secrets = vec![
        ("nothing", Vec::new()),
        ("the key's id", kid.as_bytes().to_vec()),
        ("the issuer", issuer.as_bytes().to_vec()),
        ("a word", b"secret".to_vec()),
        ("zeros", vec![0; 32]),
    ];
    match &genuine.forger {
        Some(forger) => {
            let key = forger.key();
            let jwk = serde_json::to_string(&key.to_jwk()).expect("JSON");
            let pem = |der: &[u8]| {
                format!(
                    "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
                    BASE64.encode(der)
                )
            };
            secrets.extend([
                ("the public key", forger.public.clone()),
                (
                    "the public key in base64url",
                    BASE64URL_NOPAD.encode(&forger.public).into_bytes(),
                ),
                (
                    "the public key in hexadecimal",
                    data_encoding::HEXLOWER.encode(&forger.public).into_bytes(),
                ),
                ("its canonical text", key.canonical().into_bytes()),
                ("its published text", jwk.into_bytes()),
                ("its point", [&[4], &forger.public[..]].concat()),
                ("its PEM", pem(&spki(forger)).into_bytes()),
                (
                    "its PEM without the last newline",
                    pem(&spki(forger)).trim_end().as_bytes().to_vec(),
                ),
                ("its DER", spki(forger)),
            ]);
        }
        None => secrets.extend([
            ("the secret's beginning", SECRET.as_bytes()[..32].to_vec()),
            ("the secret and a newline", [SECRET.as_bytes(), b"\n"].concat()),
            ("the secret in base64", BASE64.encode(SECRET.as_bytes()).into_bytes()),
            ("the secret in capitals", SECRET.to_ascii_uppercase().into_bytes()),
        ]),
    }
    let mut attacks = Vec::new();
    for (what, secret) in secrets {
        let id = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), b"sealgate/kid/v1");
        let own = format!("hs256-{}", BASE64URL_NOPAD.encode(&id.as_ref()[..12]));
        for kid in [kid, &own] {
            let head = changed(&genuine.head, &json!({ "alg": "HS256", "kid": kid }));
            let token = sign_hs256(
                head.to_string().as_bytes(),
                genuine.claims.to_string().as_bytes(),
                &secret,
            );
            attacks.push(Attack::token(format!("HS256 with {what}, kid {kid}"), token));
        }
    }
    attacks
}

/// As `openssl` would write it; of RSA, whose structure is its own, the modulus alone.
fn spki(forger: &Forger) -> Vec<u8> {
    const ED25519: &str = "302a300506032b6570032100";
    const P256: &str = "3059301306072a8648ce3d020106082a8648ce3d03010703420004";
    let prefix = match forger.key().algorithm() {
        Some(PairAlgorithm::EdDsa) => ED25519,
        Some(PairAlgorithm::Es256) => P256,
        _ => "",
    };
    let prefix = data_encoding::HEXLOWER.decode(prefix.as_bytes()).expect("hexadecimal");
    [prefix, forger.public.clone()].concat()
}

/// A stranger's key, which the token brings or says where it is.
pub(super) fn named(genuine: &Genuine, url: &str) -> Vec<Attack> {
    let mut attacks = Vec::new();
    for algorithm in [PairAlgorithm::EdDsa, PairAlgorithm::Es256] {
        let stranger = Forger::with(&KeyPair::make_pkcs8(algorithm));
        let jwk = stranger.key().to_jwk();
        let (own, theirs) = (json!(jwk.kid), genuine.head["kid"].clone());
        let jwk = serde_json::to_value(&jwk).expect("JSON");
        let certificate = BASE64.encode(&[0x30; 400]);
        let all = [
            json!({}),
            json!({ "jwk": jwk }),
            json!({ "jku": url }),
            json!({ "jku": "https://id.example.com@127.0.0.1:9/.well-known/jwks.json" }),
            json!({ "x5u": url }),
            json!({ "x5c": [certificate] }),
            json!({ "x5t": "AAAA", "x5t#S256": "AAAA" }),
            json!({ "jwk": jwk, "jku": url, "x5u": url, "x5c": [certificate] }),
            json!({ "jwk": null }),
            json!({ "jku": { "$gt": "" } }),
        ];
        for (number, brought) in all.into_iter().enumerate() {
            for kid in [&own, &theirs] {
                let head = json!({ "alg": algorithm.as_str(), "kid": kid });
                let head = changed(&changed(&genuine.head, &head), &brought);
                let names: Vec<_> = brought
                    .as_object()
                    .expect("an object")
                    .keys()
                    .map(String::as_str)
                    .collect();
                let what = format!(
                    "a stranger's {algorithm} key in [{}] {:.40} (number {number}), named as {}",
                    names.join(", "),
                    brought["jku"].to_string(),
                    if *kid == own { "his" } else { "ours" }
                );
                let token = stranger.sign_texts(head.to_string().as_bytes(), genuine.claims.to_string().as_bytes());
                attacks.push(Attack::token(what, token));
            }
        }
    }
    attacks
}

/// Signatures that some verifier somewhere took for good ones.
fn unsigned(genuine: &Genuine) -> Vec<Attack> {
    let [head, claims, signature] = genuine.parts();
    let genuine_bytes = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base64url");
    let length = genuine_bytes.len();
    let flipped = |index: usize| {
        let mut bytes = genuine_bytes.clone();
        bytes[index] ^= 1;
        bytes
    };
    let half = genuine_bytes[..length / 2].to_vec();
    [
        ("zeros", vec![0; length]),
        ("ones", vec![0xff; length]),
        ("one zero", vec![0]),
        (
            "r and s of one",
            [vec![0; length / 2 - 1], vec![1], vec![0; length / 2 - 1], vec![1]].concat(),
        ),
        ("the first bit turned", flipped(0)),
        ("the last bit turned", flipped(length - 1)),
        ("half of the signature", half.clone()),
        ("its halves exchanged", [&genuine_bytes[length / 2..], &half].concat()),
        ("the signature twice", [&genuine_bytes[..], &genuine_bytes].concat()),
        ("the signature and a zero", [&genuine_bytes[..], &[0]].concat()),
        ("a zero and the signature", [&[0], &genuine_bytes[..]].concat()),
        (
            "the signature of ASN.1",
            [&[0x30, 0x44, 2, 0x20][..], &genuine_bytes].concat(),
        ),
        ("the signature as its own text", signature.as_bytes().to_vec()),
    ]
    .into_iter()
    .map(|(what, bytes)| {
        let token = format!("{head}.{claims}.{}", BASE64URL_NOPAD.encode(&bytes));
        Attack::token(format!("{what} for the signature"), token)
    })
    .chain(altered(genuine))
    .collect()
}

/// Claims changed under the genuine signature.
fn altered(genuine: &Genuine) -> Vec<Attack> {
    let [head, _, signature] = genuine.parts();
    let victim: Value = crate::support::part(&genuine.victim.access, 1);
    let later = genuine.claims["exp"].as_i64().expect("a number") + 3600;
    [
        json!({ "role": "admin" }),
        json!({ "exp": later }),
        json!({ "auth_time": later }),
        json!({ "sub": victim["sub"], "sid": victim["sid"] }),
        json!({ "amr": ["pwd", "otp", "mfa"] }),
        json!({ "x": 1 }),
    ]
    .iter()
    .map(|changes| {
        let claims = changed(&genuine.claims, changes).to_string();
        let claims = BASE64URL_NOPAD.encode(claims.as_bytes());
        Attack::token(
            format!("claims altered by {changes}"),
            format!("{head}.{claims}.{signature}"),
        )
    })
    .collect()
}
