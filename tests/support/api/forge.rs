//! Tokens signed with the service's own key: what a client that stole nothing could never make, so that every check
//! beside the signature is seen to hold by itself.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use sealgate::{crypto::keyring::KeyUse, service::keyring};
use serde_json::Value;

use super::TestApp;

/// The service's signing key, read out of its store with its key file.
#[derive(Debug)]
pub(crate) struct Forger {
    pkcs8: Vec<u8>,
    /// The public half.
    pub(crate) public: Vec<u8>,
}

impl Forger {
    pub(crate) async fn of(app: &TestApp) -> Self {
        let keks = sealgate::crypto::kek_file::read(&app.kek_file).expect("the key file");
        let ring = keyring::read(&app.open_stores().await, &keks).await.expect("the keys");
        let pkcs8 = ring.active(&KeyUse::Token).expect("the signing key").material.to_vec();
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).expect("a key pair");
        Self {
            public: pair.public_key().as_ref().to_vec(),
            pkcs8,
        }
    }

    /// Signs `claims` under `header` with the genuine key.
    pub(crate) fn sign(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &EncodingKey::from_ed_der(&self.pkcs8)).expect("signs")
    }

    /// Signs with `secret`, as if it were a shared one.
    pub(crate) fn sign_hs256(header: &Header, claims: &Value, secret: &[u8]) -> String {
        let header = Header {
            alg: Algorithm::HS256,
            ..header.clone()
        };
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret)).expect("signs")
    }
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
