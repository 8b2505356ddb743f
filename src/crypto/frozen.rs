//! `tests/vectors/frozen.json` for this layer's tests: one vector per format, computed by a program that shares no code
//! with this one. A test that fails against it says that stored data, or tokens in people's hands, would be lost.

use std::sync::Arc;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{
    crypto::{
        key_pair::KeyPair,
        keyring::{KeyState, KeyUse, Keyring, RootKey, SharedKeyring},
        rsa_pem,
        token_signer::{SigningMethod, TokenSigner},
    },
    domain::{ids::AccountId, user_type::UserType},
};

/// The whole file, and what its vectors have in common.
pub(in crate::crypto) struct Frozen(pub Value);

impl Frozen {
    pub(in crate::crypto) fn read() -> Self {
        let text = include_str!("../../tests/vectors/frozen.json");
        Self(serde_json::from_str(text).expect("JSON"))
    }

    pub(in crate::crypto) fn user_type(&self) -> UserType {
        text(&self.0["user_type"]).parse().expect("a user type")
    }

    pub(in crate::crypto) fn account_id(&self) -> AccountId {
        text(&self.0["account_id"]).parse().expect("an id")
    }
}

/// `tests/vectors/legacy.json`: what the Python services left behind.
pub(in crate::crypto) fn legacy() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors/legacy.json")).expect("JSON")
}

pub(in crate::crypto) fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

pub(in crate::crypto) fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

pub(in crate::crypto) fn number(value: &Value) -> u16 {
    value
        .as_u64()
        .and_then(|number| number.try_into().ok())
        .expect("a 16-bit number")
}

pub(in crate::crypto) fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(text(value).as_bytes()).expect("hex")
}

pub(in crate::crypto) fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().expect("that length")
}

pub(in crate::crypto) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Every kind of signer with the keys of the vectors.
pub(in crate::crypto) fn frozen_signers(frozen: &Value) -> [(&'static str, TokenSigner); 5] {
    let signer = |method, pkcs8: &Value| {
        let mut keyring = Keyring::default();
        let pair = RootKey {
            version: 1,
            state: KeyState::Active,
            material: Zeroizing::new(bytes(pkcs8)),
        };
        keyring.insert(KeyUse::Token, pair);
        TokenSigner::new(
            SharedKeyring::new(keyring),
            method,
            Vec::new(),
            "https://id.example.com",
        )
    };
    let (tokens, pairs) = (&frozen["access_token"], &frozen["access_token_pairs"]);
    let eddsa = &tokens["eddsa"]["pkcs8"];
    let secret = SigningMethod::hs256(&bytes(&tokens["hs256"]["secret"]));
    let [es256, rs256] = ["es256", "rs256"].map(|name| &pairs[name]["pkcs8"]);
    let of_ring = |pkcs8| signer(SigningMethod::Keyring, pkcs8);
    let configured: KeyPair = rsa_pem::private_key(text(&frozen["rsa_pem"]["pkcs1"])).expect("a key");
    [
        ("eddsa", of_ring(eddsa)),
        ("hs256", signer(secret, eddsa)),
        ("es256", of_ring(es256)),
        ("rs256", of_ring(rs256)),
        // The same key, configured.
        ("rs256", signer(SigningMethod::Rs256(Arc::new(configured)), rs256)),
    ]
}

/// What a token says, in whatever order.
pub(in crate::crypto) fn assert_says(token: &str, header: &Value, claims: &Value) {
    let part = |part: &str| -> Value {
        let json = BASE64URL_NOPAD.decode(part.as_bytes()).expect("base64url");
        serde_json::from_slice(&json).expect("JSON")
    };
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!((part(parts[0]), part(parts[1])), (header.clone(), claims.clone()));
}
