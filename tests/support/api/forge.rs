//! Tokens signed with the service's own key: what a client that stole nothing could never make, so that every check
//! beside the signature is seen to hold by itself.

use std::sync::Arc;

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, Header};
use sealgate::{
    crypto::{kek::Keks, kek_file::KekFile, key_pair::KeyPair, keyring::KeyUse, public_key::PublicKey},
    domain::clock::SystemClock,
    service::keyring,
};
use serde_json::Value;

use super::TestApp;

/// The service's signing key, read out of its store with its key file.
#[derive(Debug)]
pub(crate) struct Forger {
    pair: KeyPair,
    /// The public half, as the curve has it; of RSA the modulus.
    pub(crate) public: Vec<u8>,
}

impl Forger {
    pub(crate) async fn of(app: &TestApp) -> Self {
        let file = KekFile::open(&app.kek_file, Arc::new(SystemClock)).expect("the key file");
        let keks = Keks::newest(Arc::new(file)).await.expect("a key");
        let ring = keyring::read(&app.open_stores().await, &keks).await.expect("the keys");
        Self::with(&ring.active(&KeyUse::Token).expect("the signing key").material)
    }

    /// One with a key of his own.
    pub(crate) fn with(pkcs8: &[u8]) -> Self {
        let pair = KeyPair::from_pkcs8(pkcs8).expect("a key pair");
        let public = pair.public().expect("a public half");
        let member = |member: &Option<String>| {
            let text = member.as_deref().unwrap_or_default();
            BASE64URL_NOPAD.decode(text.as_bytes()).expect("base64url")
        };
        let public = [member(&public.n), member(&public.x), member(&public.y)].concat();
        Self { pair, public }
    }

    /// The public key, as it is published.
    pub(crate) fn key(&self) -> PublicKey {
        self.pair.public().expect("a public half")
    }

    /// Signs `claims` under `header` with the genuine key.
    pub(crate) fn sign(&self, header: &Header, claims: &Value) -> String {
        let header = serde_json::to_vec(header).expect("JSON");
        self.sign_texts(&header, claims.to_string().as_bytes())
    }

    /// Signs whatever bytes.
    pub(crate) fn sign_texts(&self, header: &[u8], claims: &[u8]) -> String {
        let text = message(header, claims);
        let signature = self.pair.sign(text.as_bytes()).expect("signs");
        format!("{text}.{}", BASE64URL_NOPAD.encode(&signature))
    }

    /// Signs with `secret`, as if it were a shared one.
    pub(crate) fn sign_hs256(header: &Header, claims: &Value, secret: &[u8]) -> String {
        let header = Header {
            alg: Algorithm::HS256,
            ..header.clone()
        };
        let text = message(
            &serde_json::to_vec(&header).expect("JSON"),
            claims.to_string().as_bytes(),
        );
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let signature = hmac::sign(&key, text.as_bytes());
        format!("{text}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }
}

fn message(header: &[u8], claims: &[u8]) -> String {
    let [header, claims] = [header, claims].map(|part| BASE64URL_NOPAD.encode(part));
    format!("{header}.{claims}")
}

/// A part of a token, read.
pub(crate) fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).expect("three parts");
    let bytes = BASE64URL_NOPAD.decode(part.as_bytes()).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// A part of a token, written.
pub(crate) fn encoded(part: &Value) -> String {
    BASE64URL_NOPAD.encode(part.to_string().as_bytes())
}
