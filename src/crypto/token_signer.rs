//! Access tokens (RFC 9068): signed with one algorithm per key, verified with the key that `kid` names and no other.
//!
//! Refused, whatever else is right: any algorithm but the key's own, any `typ` but `at+jwt`, a missing claim, another
//! user type's issuer or audience, more than 4 KiB. Headers that point to keys (`jku`, `jwk`, `x5u`, `x5c`) are not
//! read (RFC 8725 section 3.10). Times are judged by the caller's clock, with 30 s leeway.
//!
//! Which keys there are is `signing_keys`' matter.

use std::{collections::HashSet, time::Duration};

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::Serialize;

use crate::{
    crypto::{
        access_claims::Claims,
        keyring::{KeyUse, MissingKey, SharedKeyring},
        public_key::{Jwk, PairAlgorithm, PublicKey},
        signing_keys::{SigningKey, SigningKeys},
        verified_tokens::{Verified, VerifiedTokens},
    },
    domain::{clock::Timestamp, token::AccessToken, user_type::UserType},
};

pub use crate::crypto::{
    access_claims::{AccessClaims, CLIENT_ID},
    signing_keys::{SigningMethod, VerifyingKey},
};

const TYPE: &str = "at+jwt";
/// By how much clocks may differ.
pub const LEEWAY: Duration = Duration::from_secs(30);
const LONGEST: usize = 4096;
/// A thumbprint: SHA-256 in base64url.
const THUMBPRINT: usize = 43;
/// Why a token is refused. Never told to the client, who learns `invalid_token` only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of ours, or altered, or for somebody else.
    #[error("the access token is not valid")]
    Invalid,
    /// Was one of ours.
    #[error("the access token has expired")]
    Expired,
    /// Names a key as ours are named, that is none of those known here: another server may have made it a moment ago.
    #[error("the access token names a key that is not known")]
    UnknownKey,
}

/// Signs and verifies the access tokens of every user type.
pub struct TokenSigner {
    keys: SigningKeys,
    verified: VerifiedTokens,
    issuer_base: String,
}

impl TokenSigner {
    /// `issuer_base` is the service's public URL; each user type's issuer and audience are that URL and its name. The keys
    /// of `also` verify beside those of the keyring and of `method`.
    #[must_use]
    pub fn new(keyring: SharedKeyring, method: SigningMethod, also: Vec<VerifyingKey>, issuer_base: &str) -> Self {
        Self {
            keys: SigningKeys::new(keyring, method, also),
            verified: VerifiedTokens::new(),
            issuer_base: issuer_base.trim_end_matches('/').to_owned(),
        }
    }

    /// `iss` and `aud` of a user type.
    #[must_use]
    pub fn issuer(&self, user_type: &UserType) -> String {
        format!("{}/{user_type}", self.issuer_base)
    }

    /// Signs an access token.
    pub fn sign(&self, claims: &AccessClaims) -> Result<AccessToken, MissingKey> {
        let body = Claims::new(self.issuer(&claims.user_type), claims);
        self.encode(TYPE, &body).map(AccessToken::new)
    }

    /// Signs with the active key. Each kind of token has its own `typ`, and no verifier takes another's.
    pub(in crate::crypto) fn encode(&self, typ: &str, body: &impl Serialize) -> Result<String, MissingKey> {
        let keys = self.keys.current();
        let missing = || MissingKey(KeyUse::Token.name());
        let key = keys.iter().find(|key| key.is_active()).ok_or_else(missing)?;
        let mut header = Header::new(key.algorithm);
        header.typ = Some(typ.to_owned());
        header.kid = Some(key.kid.clone());
        let mut text = part(&header).ok_or_else(missing)?;
        text.push('.');
        text.push_str(&part(body).ok_or_else(missing)?);
        let signature = key.sign(text.as_bytes()).ok_or_else(missing)?;
        text.push('.');
        BASE64URL_NOPAD.encode_append(&signature, &mut text);
        Ok(text)
    }

    /// The public keys that verify, for other services: those that sign soon and signed before among them, no secret.
    #[must_use]
    pub fn published(&self) -> Vec<Jwk> {
        let keys = self.keys.current();
        let public = keys.iter().filter_map(|key| key.public.as_ref());
        public.map(PublicKey::to_jwk).collect()
    }

    /// Every key that verifies now, by its id.
    pub(in crate::crypto) fn verifying(&self) -> Vec<(String, Algorithm, jsonwebtoken::DecodingKey)> {
        let keys = self.keys.current();
        let of = |key: &SigningKey| (key.kid.clone(), key.algorithm, key.decoding.clone());
        keys.iter().map(of).collect()
    }

    /// Whether the keyring's key signs, and none that is configured.
    #[must_use]
    pub fn is_of_keyring(&self) -> bool {
        self.keys.is_of_keyring()
    }

    /// What the key pair that signs signs with; `None` where a secret does.
    #[must_use]
    pub fn signs_with(&self) -> Option<PairAlgorithm> {
        let keys = self.keys.current();
        let key = keys.iter().find(|key| key.is_active())?;
        key.public.as_ref()?.algorithm()
    }

    /// Verifies a token that claims to be of `user_type`.
    pub fn verify(&self, user_type: &UserType, text: &str, now: Timestamp) -> Result<AccessClaims, TokenError> {
        if text.len() > LONGEST {
            return Err(TokenError::Invalid);
        }
        let (keys, name) = (self.keys.current(), VerifiedTokens::name(text));
        let known = self.verified.find(&name, |kid| keys.iter().any(|key| key.kid == kid));
        let (claims, signed_by) = match known {
            Some(claims) => (claims, None),
            None => self
                .check_signature(user_type, text, &keys)
                .map(|(claims, kid)| (claims, Some(kid)))?,
        };
        if claims.user_type != *user_type || claims.issued_at > now.plus(LEEWAY) {
            return Err(TokenError::Invalid);
        }
        if now >= claims.expires_at.plus(LEEWAY) {
            return Err(TokenError::Expired);
        }
        if let Some(kid) = signed_by {
            let claims = claims.clone();
            self.verified.remember(name, Verified { kid, claims });
        }
        Ok(claims)
    }

    /// What the token says, and the id of the key that signed it. Times are not judged.
    fn check_signature(
        &self,
        user_type: &UserType,
        text: &str,
        keys: &[SigningKey],
    ) -> Result<(AccessClaims, String), TokenError> {
        let header = jsonwebtoken::decode_header(text).map_err(|_| TokenError::Invalid)?;
        if !header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case(TYPE)) || header.crit.is_some() {
            return Err(TokenError::Invalid);
        }
        let kid = header.kid.ok_or(TokenError::Invalid)?;
        let Some(key) = keys.iter().find(|key| key.kid == kid) else {
            let may_be_ours = header.alg != Algorithm::HS256 && kid.len() == THUMBPRINT;
            return Err(if may_be_ours {
                TokenError::UnknownKey
            } else {
                TokenError::Invalid
            });
        };

        let issuer = self.issuer(user_type);
        let mut rules = Validation::new(key.algorithm);
        rules.validate_exp = false; // judged by the caller's clock
        rules.required_spec_claims = HashSet::from(["iss", "aud", "sub", "exp"].map(String::from));
        rules.set_audience(&[&issuer]);
        rules.set_issuer(&[&issuer]);
        let claims = jsonwebtoken::decode::<Claims>(text, &key.decoding, &rules)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        let claims = claims.into_access().ok_or(TokenError::Invalid)?;
        Ok((claims, kid))
    }
}

fn part(part: &impl Serialize) -> Option<String> {
    Some(BASE64URL_NOPAD.encode(&serde_json::to_vec(part).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crypto::{
            frozen::{Frozen, assert_says, frozen_signers, text},
            key_pair::KeyPair,
            keyring::{KeyState, Keyring, RootKey},
        },
        domain::{
            entropy::Entropy,
            ids::{SessionId, TokenId},
            role::Role,
            session::AuthenticationMethod,
        },
    };

    struct Fixed;
    impl Entropy for Fixed {
        fn fill(&self, out: &mut [u8]) {
            out.fill(7);
        }
    }

    const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);

    fn user_type(name: &str) -> UserType {
        name.parse().expect("valid")
    }

    fn claims() -> AccessClaims {
        AccessClaims {
            user_type: user_type("User1"),
            account_id: "usr_a".parse().expect("valid"),
            session_id: SessionId::make(NOW, &Fixed),
            token_id: TokenId::make(NOW, &Fixed),
            issued_at: NOW,
            expires_at: NOW.plus(Duration::from_mins(30)),
            authenticated_at: NOW,
            methods: vec![AuthenticationMethod::Password],
            role: Role::User,
            scope: String::new(),
        }
    }

    fn ring_of(algorithm: PairAlgorithm) -> SharedKeyring {
        let mut keyring = Keyring::default();
        let key = RootKey {
            version: 1,
            state: KeyState::Active,
            material: KeyPair::make_pkcs8(algorithm),
        };
        keyring.insert(KeyUse::Token, key);
        SharedKeyring::new(keyring)
    }

    fn ring() -> SharedKeyring {
        ring_of(PairAlgorithm::EdDsa)
    }

    fn signer(ring: SharedKeyring, method: SigningMethod) -> TokenSigner {
        TokenSigner::new(ring, method, Vec::new(), "https://id.example.com/")
    }

    fn signers() -> [TokenSigner; 4] {
        let of_ring = |algorithm| signer(ring_of(algorithm), SigningMethod::Keyring);
        [
            of_ring(PairAlgorithm::EdDsa),
            signer(ring(), SigningMethod::hs256(&[9; 32])),
            of_ring(PairAlgorithm::Es256),
            of_ring(PairAlgorithm::Rs256),
        ]
    }

    #[test]
    fn frozen_vectors() {
        let frozen = Frozen::read().0;
        let vector = &frozen["access_token"];
        let expected = AccessClaims {
            account_id: text(&frozen["account_id"]).parse().expect("an id"),
            authenticated_at: NOW.minus(Duration::from_mins(1)),
            methods: vec![
                AuthenticationMethod::Password,
                AuthenticationMethod::Otp,
                AuthenticationMethod::Mfa,
            ],
            ..claims()
        };
        for (name, signer) in frozen_signers(&frozen) {
            let vector = if vector[name].is_null() {
                &frozen["access_token_pairs"][name]
            } else {
                &vector[name]
            };
            let token = text(&vector["token"]);
            let verified = signer.verify(&user_type("User1"), token, NOW);
            assert_eq!(verified.as_ref(), Ok(&expected), "{name}");
            let fresh = signer.sign(&expected).expect("key");
            assert_says(fresh.expose(), &vector["header"], &frozen["access_token"]["claims"]);
            let published = serde_json::to_value(signer.published()).expect("JSON");
            // A shared secret is never published; the keyring's pair beside it is.
            let [key] = published.as_array().expect("a list").as_slice() else {
                panic!("one key: {published}");
            };
            if name == "hs256" {
                assert_eq!(key["alg"], "EdDSA");
            } else {
                assert_eq!(*key, frozen["public_keys"][name]["jwk"], "{name}");
            }
        }
    }

    #[test]
    fn what_was_signed_verifies_for_its_user_type_until_it_expires() {
        for signer in signers() {
            let token = signer.sign(&claims()).expect("key");
            assert_eq!(signer.verify(&user_type("User1"), token.expose(), NOW), Ok(claims()));
            assert_eq!(
                signer.verify(&user_type("User2"), token.expose(), NOW),
                Err(TokenError::Invalid)
            );
            let late = NOW.plus(Duration::from_mins(30)).plus(LEEWAY);
            assert_eq!(
                signer.verify(&user_type("User1"), token.expose(), late),
                Err(TokenError::Expired)
            );
            let early = NOW.minus(Duration::from_secs(31));
            assert_eq!(
                signer.verify(&user_type("User1"), token.expose(), early),
                Err(TokenError::Invalid)
            );
        }
    }

    /// A token that was verified before is not verified again, and refused all the same once its key is no key any more.
    #[test]
    fn a_remembered_token_goes_with_its_key() {
        let ring = ring();
        let signer = signer(ring.clone(), SigningMethod::Keyring);
        let verdict = |token: &str, name: &str| signer.verify(&user_type(name), token, NOW);
        let token = signer.sign(&claims()).expect("key");
        let [first, again] = [(); 2].map(|()| verdict(token.expose(), "User1"));
        assert_eq!([&first, &again], [&Ok(claims()), &Ok(claims())]);
        assert_eq!(verdict(token.expose(), "User2"), Err(TokenError::Invalid));
        // What differs in one character is another token, whatever is remembered.
        let altered = token.expose().replace(".eyJ", ".eyK");
        assert_eq!(verdict(&altered, "User1"), Err(TokenError::Invalid));

        let material = ring.current().active(&KeyUse::Token).expect("key").material.clone();
        let ring_of = |state, material| {
            let mut keyring = Keyring::default();
            let version = 1;
            keyring.insert(
                KeyUse::Token,
                RootKey {
                    version,
                    state,
                    material,
                },
            );
            keyring
        };
        ring.replace(ring_of(KeyState::VerifyOnly, material.clone()));
        assert_eq!(verdict(token.expose(), "User1"), Ok(claims()), "overlap");
        ring.replace(ring_of(KeyState::Retired, material));
        assert_eq!(verdict(token.expose(), "User1"), Err(TokenError::UnknownKey), "retired");
        ring.replace(ring_of(KeyState::Active, KeyUse::Token.make_material()));
        assert_eq!(
            verdict(token.expose(), "User1"),
            Err(TokenError::UnknownKey),
            "replaced"
        );
    }

    #[test]
    fn a_token_of_another_key_algorithm_or_type_is_refused() {
        let [eddsa, hs256, es256, rs256] = signers();
        let verdict = |token: &str| eddsa.verify(&user_type("User1"), token, NOW);
        let foreign = hs256.sign(&claims()).expect("key");
        assert_eq!(verdict(foreign.expose()), Err(TokenError::Invalid));
        for elsewhere in [es256, rs256, signer(ring(), SigningMethod::Keyring)] {
            let foreign = elsewhere.sign(&claims()).expect("key");
            assert_eq!(verdict(foreign.expose()), Err(TokenError::UnknownKey));
        }

        let genuine = eddsa.sign(&claims()).expect("key");
        let [header, body, signature]: [&str; 3] = genuine
            .expose()
            .split('.')
            .collect::<Vec<_>>()
            .try_into()
            .expect("three parts");
        for forged_header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS256","typ":"at+jwt"}"#,
            r#"{"alg":"EdDSA","typ":"JWT"}"#,
        ] {
            let forged = format!(
                "{}.{body}.{signature}",
                BASE64URL_NOPAD.encode(forged_header.as_bytes())
            );
            assert_eq!(verdict(&forged), Err(TokenError::Invalid), "{forged_header}");
        }
        assert_eq!(verdict(&format!("{header}.{body}.")), Err(TokenError::Invalid));
        assert_eq!(verdict(&"a".repeat(5000)), Err(TokenError::Invalid));
    }
}
