//! Access tokens (RFC 9068): signed with one algorithm per key, verified with the key that `kid` names and no other.
//!
//! Refused, whatever else is right: any algorithm but the key's own, any `typ` but `at+jwt`, a missing claim, another
//! user type's issuer or audience, more than 4 KiB. Headers that point to keys (`jku`, `jwk`, `x5u`, `x5c`) are not
//! read (RFC 8725 section 3.10). Times are judged by the caller's clock, with 30 s leeway.

use std::{collections::HashSet, time::Duration};

use jsonwebtoken::{Header, Validation};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    crypto::{
        keyring::{KeyUse, MissingKey, SharedKeyring},
        signing_keys::{SigningKey, SigningKeys},
        verified_tokens::{Verified, VerifiedTokens},
    },
    domain::{
        account::Role,
        clock::Timestamp,
        ids::{AccountId, SessionId, TokenId},
        session::AuthenticationMethod,
        token::AccessToken,
        user_type::UserType,
    },
};

const TYPE: &str = "at+jwt";
const LEEWAY: Duration = Duration::from_secs(30);
const LONGEST: usize = 4096;
/// `client_id`: there is one client, whoever signs in here.
pub const CLIENT_ID: &str = "sealgate";

/// What an access token says. No personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessClaims {
    /// The population.
    pub user_type: UserType,
    /// `sub`.
    pub account_id: AccountId,
    /// `sid`.
    pub session_id: SessionId,
    /// `jti`.
    pub token_id: TokenId,
    /// `iat`.
    pub issued_at: Timestamp,
    /// `exp`.
    pub expires_at: Timestamp,
    /// `auth_time`: when the person last proved who they are.
    pub authenticated_at: Timestamp,
    /// `amr`.
    pub methods: Vec<AuthenticationMethod>,
    /// `role`.
    pub role: Role,
}

/// The claims as they stand in the token.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: AccountId,
    client_id: String,
    iat: i64,
    exp: i64,
    jti: TokenId,
    sid: SessionId,
    auth_time: i64,
    amr: Vec<AuthenticationMethod>,
    ut: UserType,
    role: Role,
}

/// Why a token is refused. Never told to the client, who learns `invalid_token` only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of ours, or altered, or for somebody else.
    #[error("the access token is not valid")]
    Invalid,
    /// Was one of ours.
    #[error("the access token has expired")]
    Expired,
}

/// Which algorithm signs.
pub enum SigningMethod {
    /// Ed25519, with the key pair of the keyring. The default.
    EdDsa,
    /// HMAC-SHA-256 with a shared secret, for services that verify with it already.
    Hs256(Zeroizing<Vec<u8>>),
}

/// Signs and verifies the access tokens of every user type.
pub struct TokenSigner {
    keys: SigningKeys,
    verified: VerifiedTokens,
    issuer_base: String,
}

impl TokenSigner {
    /// `issuer_base` is the service's public URL; each user type's issuer and audience are that URL and its name.
    #[must_use]
    pub fn new(keyring: SharedKeyring, method: SigningMethod, issuer_base: &str) -> Self {
        Self {
            keys: SigningKeys::new(keyring, method),
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
        let issuer = self.issuer(&claims.user_type);
        let body = Claims {
            aud: issuer.clone(),
            iss: issuer,
            sub: claims.account_id.clone(),
            client_id: CLIENT_ID.to_owned(),
            iat: claims.issued_at.as_secs(),
            exp: claims.expires_at.as_secs(),
            jti: claims.token_id.clone(),
            sid: claims.session_id.clone(),
            auth_time: claims.authenticated_at.as_secs(),
            amr: claims.methods.clone(),
            ut: claims.user_type.clone(),
            role: claims.role,
        };
        self.encode(TYPE, &body).map(AccessToken::new)
    }

    /// Signs with the active key. Each kind of token has its own `typ`, and no verifier takes another's.
    pub(in crate::crypto) fn encode(&self, typ: &str, body: &impl Serialize) -> Result<String, MissingKey> {
        let keys = self.keys.current();
        let missing = || MissingKey(KeyUse::Token.name());
        let key = keys.iter().find(|key| key.is_active).ok_or_else(missing)?;
        let mut header = Header::new(key.algorithm);
        header.typ = Some(typ.to_owned());
        header.kid = Some(key.kid.clone());
        jsonwebtoken::encode(&header, body, &key.encoding).map_err(|_| missing())
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
        let key = keys.iter().find(|key| key.kid == kid).ok_or(TokenError::Invalid)?;

        let issuer = self.issuer(user_type);
        let mut rules = Validation::new(key.algorithm);
        rules.validate_exp = false; // judged by the caller's clock
        rules.required_spec_claims = HashSet::from(["iss", "aud", "sub", "exp"].map(String::from));
        rules.set_audience(&[&issuer]);
        rules.set_issuer(&[&issuer]);
        let claims = jsonwebtoken::decode::<Claims>(text, &key.decoding, &rules)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        let claims = AccessClaims {
            user_type: claims.ut,
            account_id: claims.sub,
            session_id: claims.sid,
            token_id: claims.jti,
            issued_at: seconds(claims.iat),
            expires_at: seconds(claims.exp),
            authenticated_at: seconds(claims.auth_time),
            methods: claims.amr,
            role: claims.role,
        };
        Ok((claims, kid))
    }
}

fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds.saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;

    use super::*;
    use crate::{
        crypto::{
            frozen::{Frozen, assert_says, frozen_signers, text},
            keyring::{KeyState, Keyring, RootKey},
        },
        domain::entropy::Entropy,
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
        }
    }

    fn ring() -> SharedKeyring {
        let mut keyring = Keyring::default();
        let key = RootKey {
            version: 1,
            state: KeyState::Active,
            material: KeyUse::Token.make_material(),
        };
        keyring.insert(KeyUse::Token, key);
        SharedKeyring::new(keyring)
    }

    fn signers() -> [TokenSigner; 2] {
        let secret = Zeroizing::new(vec![9; 32]);
        [SigningMethod::EdDsa, SigningMethod::Hs256(secret)]
            .map(|method| TokenSigner::new(ring(), method, "https://id.example.com/"))
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
        for (name, signer) in frozen_signers(vector) {
            let token = text(&vector[name]["token"]);
            let verified = signer.verify(&user_type("User1"), token, NOW);
            assert_eq!(verified.as_ref(), Ok(&expected), "{name}");
            let fresh = signer.sign(&expected).expect("key");
            assert_says(fresh.expose(), &vector[name]["header"], &vector["claims"]);
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
        let signer = TokenSigner::new(ring.clone(), SigningMethod::EdDsa, "https://id.example.com");
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
        assert_eq!(verdict(token.expose(), "User1"), Err(TokenError::Invalid), "retired");
        ring.replace(ring_of(KeyState::Active, KeyUse::Token.make_material()));
        assert_eq!(verdict(token.expose(), "User1"), Err(TokenError::Invalid), "replaced");
    }

    #[test]
    fn a_token_of_another_key_algorithm_or_type_is_refused() {
        let [eddsa, hs256] = signers();
        let verdict = |token: &str| eddsa.verify(&user_type("User1"), token, NOW);
        let foreign = hs256.sign(&claims()).expect("key");
        assert_eq!(verdict(foreign.expose()), Err(TokenError::Invalid));
        let elsewhere = TokenSigner::new(ring(), SigningMethod::EdDsa, "https://id.example.com");
        assert_eq!(
            verdict(elsewhere.sign(&claims()).expect("key").expose()),
            Err(TokenError::Invalid)
        );

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
