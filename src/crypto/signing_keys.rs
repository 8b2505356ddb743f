//! The keys that sign and verify access tokens, parsed: those of the keyring, and those that are configured. Parsing costs
//! as much as signing, and happens once for every reading of the key database.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use zeroize::Zeroizing;

use crate::crypto::{
    encoding::hmac_sha256,
    key_pair::KeyPair,
    keyring::{KeyState, KeyUse, Keyring, SharedKeyring},
    public_key::PublicKey,
};

/// What signs.
#[derive(Clone)]
pub enum SigningMethod {
    /// The active key pair of the keyring, with the algorithm that is its own. The default.
    Keyring,
    /// A configured RSA key pair.
    Rs256(Arc<KeyPair>),
    /// HMAC-SHA-256 with a shared secret, for services that verify with it already.
    Hs256(Arc<Zeroizing<Vec<u8>>>),
}

impl fmt::Debug for SigningMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keyring => "SigningMethod(keyring)",
            Self::Rs256(_) => "SigningMethod(RS256)",
            Self::Hs256(_) => "SigningMethod(HS256)",
        })
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rs256(_) => "VerifyingKey(RS256)",
            Self::Hs256(_) => "VerifyingKey(HS256)",
        })
    }
}

impl SigningMethod {
    /// With a shared secret.
    #[must_use]
    pub fn hs256(secret: &[u8]) -> Self {
        Self::Hs256(Arc::new(Zeroizing::new(secret.to_vec())))
    }
}

/// A configured key that verifies and does not sign: of tokens from before a change of keys, or after it.
#[derive(Clone)]
pub enum VerifyingKey {
    /// Of an RSA key pair.
    Rs256(PublicKey),
    /// A shared secret.
    Hs256(Arc<Zeroizing<Vec<u8>>>),
}

/// One key, with the one algorithm that it is good for.
pub(in crate::crypto) struct SigningKey {
    pub kid: String,
    pub algorithm: Algorithm,
    pub decoding: DecodingKey,
    /// Published; a shared secret has none.
    pub public: Option<PublicKey>,
    /// What signs with it, on the key that does.
    signs: Option<Signs>,
}

enum Signs {
    Pair(Arc<KeyPair>),
    Secret(Arc<Zeroizing<Vec<u8>>>),
}

impl SigningKey {
    /// Signs; the others verify only.
    pub(in crate::crypto) const fn is_active(&self) -> bool {
        self.signs.is_some()
    }

    pub(in crate::crypto) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match self.signs.as_ref()? {
            Signs::Pair(pair) => pair.sign(message),
            Signs::Secret(secret) => Some(hmac_sha256(secret, message).to_vec()),
        }
    }

    fn public(public: PublicKey, signs: Option<Signs>) -> Option<Self> {
        Some(Self {
            kid: public.thumbprint(),
            algorithm: public.algorithm()?.jose(),
            decoding: public.decoding()?,
            public: Some(public),
            signs,
        })
    }

    fn secret(secret: &Arc<Zeroizing<Vec<u8>>>, signs: Option<Signs>) -> Self {
        // A MAC under its own label: the id names the secret and tells nothing of it.
        let id = hmac_sha256(secret, b"sealgate/kid/v1");
        Self {
            kid: format!("hs256-{}", BASE64URL_NOPAD.encode(&id[..12])),
            algorithm: Algorithm::HS256,
            decoding: DecodingKey::from_secret(secret),
            public: None,
            signs,
        }
    }
}

/// The keys as last read.
pub(in crate::crypto) struct SigningKeys {
    keyring: SharedKeyring,
    method: SigningMethod,
    also: Vec<VerifyingKey>,
    parsed: RwLock<Option<Parsed>>,
}

struct Parsed {
    /// What was parsed: another keyring is another allocation.
    keyring: Arc<Keyring>,
    keys: Arc<[SigningKey]>,
}

impl SigningKeys {
    pub(in crate::crypto) fn new(keyring: SharedKeyring, method: SigningMethod, also: Vec<VerifyingKey>) -> Self {
        Self {
            keyring,
            method,
            also,
            parsed: RwLock::new(None),
        }
    }

    pub(in crate::crypto) const fn is_of_keyring(&self) -> bool {
        matches!(self.method, SigningMethod::Keyring)
    }

    /// Every key that may verify: what is configured, then the keyring's, newest first. At most one of them signs.
    pub(in crate::crypto) fn current(&self) -> Arc<[SigningKey]> {
        let keyring = self.keyring.current();
        let parsed = self.parsed.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(parsed) = parsed.as_ref().filter(|parsed| Arc::ptr_eq(&parsed.keyring, &keyring)) {
            return Arc::clone(&parsed.keys);
        }
        drop(parsed);
        let keys: Arc<[SigningKey]> = self.parse(&keyring).into();
        *self.parsed.write().unwrap_or_else(PoisonError::into_inner) = Some(Parsed {
            keyring,
            keys: Arc::clone(&keys),
        });
        keys
    }

    fn parse(&self, keyring: &Keyring) -> Vec<SigningKey> {
        let mut keys = Vec::new();
        match &self.method {
            SigningMethod::Keyring => {}
            SigningMethod::Rs256(pair) => {
                let signs = Some(Signs::Pair(Arc::clone(pair)));
                keys.extend(pair.public().and_then(|public| SigningKey::public(public, signs)));
            }
            SigningMethod::Hs256(secret) => {
                keys.push(SigningKey::secret(secret, Some(Signs::Secret(Arc::clone(secret)))));
            }
        }
        let signs = matches!(self.method, SigningMethod::Keyring);
        keys.extend(key_pairs(keyring, signs));
        for also in &self.also {
            match also {
                VerifyingKey::Rs256(public) => keys.extend(SigningKey::public(public.clone(), None)),
                VerifyingKey::Hs256(secret) => keys.push(SigningKey::secret(secret, None)),
            }
        }
        // The one that signs is among those that verify, too.
        let mut known = std::collections::HashSet::new();
        keys.retain(|key| known.insert(key.kid.clone()));
        keys
    }
}

/// The keyring's pairs. Where `signs` says so, the active one signs.
fn key_pairs(keyring: &Keyring, signs: bool) -> impl Iterator<Item = SigningKey> {
    let active = keyring.active(&KeyUse::Token).ok().map(|key| key.version);
    keyring.all_readable(&KeyUse::Token).filter_map(move |key| {
        let pair = Arc::new(KeyPair::from_pkcs8(&key.material)?);
        let is_active = signs && key.state == KeyState::Active && Some(key.version) == active;
        let public = pair.public()?;
        SigningKey::public(public, is_active.then_some(Signs::Pair(pair)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{keyring::RootKey, public_key::PairAlgorithm};

    fn keyring(versions: &[(u16, KeyState)]) -> Keyring {
        keyring_of(
            versions
                .iter()
                .map(|&(version, state)| (version, state, PairAlgorithm::EdDsa)),
        )
    }

    fn keyring_of(versions: impl IntoIterator<Item = (u16, KeyState, PairAlgorithm)>) -> Keyring {
        let mut keyring = Keyring::default();
        for (version, state, algorithm) in versions {
            let material = KeyPair::make_pkcs8(algorithm);
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

    fn of_keyring(keyring: Keyring) -> SigningKeys {
        SigningKeys::new(SharedKeyring::new(keyring), SigningMethod::Keyring, Vec::new())
    }

    #[test]
    fn keys_are_parsed_again_when_the_keyring_was_and_not_before() {
        let shared = SharedKeyring::new(keyring(&[(1, KeyState::Active)]));
        let keys = SigningKeys::new(shared.clone(), SigningMethod::Keyring, Vec::new());
        let first = keys.current();
        assert!(Arc::ptr_eq(&first, &keys.current()));
        shared.replace(keyring(&[
            (1, KeyState::VerifyOnly),
            (2, KeyState::Active),
            (3, KeyState::Pending),
        ]));
        let second = keys.current();
        assert_eq!(
            second.iter().map(SigningKey::is_active).collect::<Vec<_>>(),
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
            material: Zeroizing::new(vec![0; 48]),
        };
        retired.insert(KeyUse::Token, broken);
        assert_eq!(of_keyring(retired).current().len(), 0);
    }

    /// A crash between two steps leaves two; a server that signs with none answers nobody.
    #[test]
    fn of_two_active_keys_the_newer_signs() {
        let two = keyring(&[(1, KeyState::Active), (2, KeyState::Active)]);
        let signing: Vec<bool> = of_keyring(two).current().iter().map(SigningKey::is_active).collect();
        assert_eq!(signing, [true, false]);
    }

    #[test]
    fn a_keyring_may_hold_keys_of_several_algorithms() {
        let keys = of_keyring(keyring_of([
            (1, KeyState::VerifyOnly, PairAlgorithm::EdDsa),
            (2, KeyState::Active, PairAlgorithm::Es256),
            (3, KeyState::Pending, PairAlgorithm::Rs256),
        ]));
        let algorithms: Vec<_> = keys.current().iter().map(|key| key.algorithm).collect();
        assert_eq!(algorithms, [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA]);
    }

    #[test]
    fn a_configured_key_signs_in_place_of_the_keyrings_which_verifies_on() {
        let pair = KeyPair::from_pkcs8(&KeyPair::make_pkcs8(PairAlgorithm::Rs256)).expect("a pair");
        let (public, pair) = (pair.public().expect("a public half"), Arc::new(pair));
        let secret = SigningMethod::hs256(&[9; 32]);
        let SigningMethod::Hs256(bytes) = &secret else {
            panic!("a secret");
        };
        let also = vec![VerifyingKey::Rs256(public), VerifyingKey::Hs256(Arc::clone(bytes))];
        for (method, number) in [
            (SigningMethod::Rs256(pair), 3),
            (secret.clone(), 3),
            (SigningMethod::Keyring, 3),
        ] {
            let is_of_keyring = matches!(method, SigningMethod::Keyring);
            let ring = SharedKeyring::new(keyring(&[(1, KeyState::Active)]));
            let keys = SigningKeys::new(ring, method, also.clone()).current();
            // The one that signs stands first, and none twice.
            assert_eq!(keys.len(), number);
            assert_eq!(keys.iter().filter(|key| key.is_active()).count(), 1);
            assert!(keys[0].is_active());
            assert_eq!(keys[0].algorithm == Algorithm::EdDSA, is_of_keyring);
        }
    }
}
