//! What a token says, for other services.

use poem_openapi::Object;

use crate::{crypto::token_signer::AccessClaims, domain::session::AuthenticationMethod};

/// The claims of an access token that is good right now (RFC 9068 section 2.2).
#[derive(Debug, Object)]
pub struct TokenClaims {
    /// Who issued it: the service's URL and the user type.
    pub iss: String,
    /// Whom it is for; the same as `iss`.
    pub aud: String,
    /// The account's id.
    pub sub: String,
    /// The client that it was issued to.
    pub client_id: String,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it expires, in seconds since 1970.
    pub exp: i64,
    /// The token's id.
    pub jti: String,
    /// The session's id.
    pub sid: String,
    /// When the person last proved who they are, in seconds since 1970.
    pub auth_time: i64,
    /// How (RFC 8176).
    pub amr: Vec<String>,
    /// The user type.
    pub ut: String,
    /// What the account may do: `user`, `admin`, `super_admin`, or a role that the settings define.
    pub role: String,
    /// The role's permissions, a space between each two; empty where it has none.
    pub scope: String,
}

impl TokenClaims {
    /// Of `claims`, issued by `issuer`.
    #[must_use]
    pub fn new(issuer: String, client_id: &str, claims: &AccessClaims) -> Self {
        Self {
            aud: issuer.clone(),
            iss: issuer,
            sub: claims.account_id.to_string(),
            client_id: client_id.to_owned(),
            iat: claims.issued_at.as_secs(),
            exp: claims.expires_at.as_secs(),
            jti: claims.token_id.to_string(),
            sid: claims.session_id.to_string(),
            auth_time: claims.authenticated_at.as_secs(),
            amr: claims
                .methods
                .iter()
                .copied()
                .map(AuthenticationMethod::as_str)
                .map(str::to_owned)
                .collect(),
            ut: claims.user_type.to_string(),
            role: claims.role.as_str().to_owned(),
            scope: claims.scope.clone(),
        }
    }
}
