//! The keys that sign access tokens, parsed. Parsing an Ed25519 pair costs as much as signing with it, and happens once
//! for every reading of the key database.

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use sha2::{Digest as _, Sha256};

use crate::crypto::{
    encoding::hmac_sha256,
    keyring::{KeyState, KeyUse, Keyring, SharedKeyring},
    token_signer::SigningMethod,
};

/// One key, with the one algorithm that it is good for.
pub(in crate::crypto) struct SigningKey {
    pub kid: String,
    pub algorithm: Algorithm,
    pub encoding: EncodingKey,
    pub decoding: DecodingKey,
    /// Signs; the others verify only.
    pub is_active: bool,
}

/// The keys of the keyring as last read.
pub(in crate::crypto) struct SigningKeys {
    keyring: SharedKeyring,
    method: SigningMethod,
    parsed: RwLock<Option<Parsed>>,
}

struct Parsed {
    /// What was parsed: another keyring is another allocation.
    keyring: Arc<Keyring>,
    keys: Arc<[SigningKey]>,
}

impl SigningKeys {
    pub(in crate::crypto) fn new(keyring: SharedKeyring, method: SigningMethod) -> Self {
        Self {
            keyring,
            method,
            parsed: RwLock::new(None),
        }
    }

    /// Every key that may verify, newest first.
    pub(in crate::crypto) fn current(&self) -> Arc<[SigningKey]> {
        let keyring = self.keyring.current();
        let parsed = self.parsed.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(parsed) = parsed.as_ref().filter(|parsed| Arc::ptr_eq(&parsed.keyring, &keyring)) {
            return Arc::clone(&parsed.keys);
        }
        drop(parsed);
        let keys: Arc<[SigningKey]> = match &self.method {
            SigningMethod::Hs256(secret) => Arc::new([shared_secret(secret)]),
            SigningMethod::EdDsa => key_pairs(&keyring),
        };
        *self.parsed.write().unwrap_or_else(PoisonError::into_inner) = Some(Parsed {
            keyring,
            keys: Arc::clone(&keys),
        });
        keys
    }
}

fn key_pairs(keyring: &Keyring) -> Arc<[SigningKey]> {
    let active = keyring.active(&KeyUse::Token).ok().map(|key| key.version);
    keyring
        .all_readable(&KeyUse::Token)
        .filter_map(|key| {
            let is_active = key.state == KeyState::Active && Some(key.version) == active;
            key_pair(&key.material, is_active)
        })
        .collect()
}

fn key_pair(pkcs8: &[u8], is_active: bool) -> Option<SigningKey> {
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
    let public = pair.public_key().as_ref();
    Some(SigningKey {
        kid: thumbprint(public),
        algorithm: Algorithm::EdDSA,
        encoding: EncodingKey::from_ed_der(pkcs8),
        decoding: DecodingKey::from_ed_der(public),
        is_active,
    })
}

fn shared_secret(secret: &[u8]) -> SigningKey {
    // A MAC under its own label: the id names the secret and tells nothing of it.
    let id = hmac_sha256(secret, b"sealgate/kid/v1");
    SigningKey {
        kid: format!("hs256-{}", BASE64URL_NOPAD.encode(&id[..12])),
        algorithm: Algorithm::HS256,
        encoding: EncodingKey::from_secret(secret),
        decoding: DecodingKey::from_secret(secret),
        is_active: true,
    }
}

/// JWK thumbprint of an Ed25519 key (RFC 7638, RFC 8037 appendix A.3).
fn thumbprint(public: &[u8]) -> String {
    let jwk = format!(
        r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#,
        BASE64URL_NOPAD.encode(public)
    );
    BASE64URL_NOPAD.encode(&Sha256::digest(jwk))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keyring::RootKey;

    fn keyring(versions: &[(u16, KeyState)]) -> Keyring {
        let mut keyring = Keyring::default();
        for &(version, state) in versions {
            let material = KeyUse::Token.make_material();
            keyring.insert(
                KeyUse::Token,
                RootKey {
                    version,
                    state,
                    material,
                },
            );
        }
        keyring
    }

    #[test]
    fn keys_are_parsed_again_when_the_keyring_was_and_not_before() {
        let shared = SharedKeyring::new(keyring(&[(1, KeyState::Active)]));
        let keys = SigningKeys::new(shared.clone(), SigningMethod::EdDsa);
        let first = keys.current();
        assert!(Arc::ptr_eq(&first, &keys.current()));
        shared.replace(keyring(&[
            (1, KeyState::VerifyOnly),
            (2, KeyState::Active),
            (3, KeyState::Pending),
        ]));
        let second = keys.current();
        assert_eq!(
            second.iter().map(|key| key.is_active).collect::<Vec<_>>(),
            [false, true, false]
        );
        assert!(second.iter().all(|key| key.kid != first[0].kid));
    }

    #[test]
    fn a_retired_or_unreadable_key_is_no_key() {
        let mut retired = keyring(&[(1, KeyState::Retired)]);
        let broken = RootKey {
            version: 2,
            state: KeyState::Active,
            material: zeroize::Zeroizing::new(vec![0; 48]),
        };
        retired.insert(KeyUse::Token, broken);
        let keys = SigningKeys::new(SharedKeyring::new(retired), SigningMethod::EdDsa);
        assert_eq!(keys.current().len(), 0);
    }
}
