//! What an access token says (RFC 9068 section 2.2), and how it says it.

use serde::{Deserialize, Serialize};

use crate::domain::{
    clock::Timestamp,
    ids::{AccountId, SessionId, TokenId},
    role::Role,
    session::AuthenticationMethod,
    user_type::UserType,
};

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
    /// `scope`: what the role may do; empty where that is nothing.
    pub scope: String,
}

/// The claims as they stand in the token.
#[derive(Serialize, Deserialize)]
pub(in crate::crypto) struct Claims {
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
    #[serde(default, skip_serializing_if = "String::is_empty")]
    scope: String,
    /// Ours have none. Times are judged at each use, and what is remembered of a token has no place for it.
    #[serde(default, skip_serializing)]
    nbf: Option<serde::de::IgnoredAny>,
}

impl Claims {
    /// Of a token that `issuer` issues.
    pub(in crate::crypto) fn new(issuer: String, claims: &AccessClaims) -> Self {
        Self {
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
            role: claims.role.clone(),
            scope: claims.scope.clone(),
            nbf: None,
        }
    }

    /// `None` where they hold what ours never do.
    pub(in crate::crypto) fn into_access(self) -> Option<AccessClaims> {
        self.nbf.is_none().then(|| AccessClaims {
            user_type: self.ut,
            account_id: self.sub,
            session_id: self.sid,
            token_id: self.jti,
            issued_at: seconds(self.iat),
            expires_at: seconds(self.exp),
            authenticated_at: seconds(self.auth_time),
            methods: self.amr,
            role: self.role,
            scope: self.scope,
        })
    }
}

fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds.saturating_mul(1000))
}
