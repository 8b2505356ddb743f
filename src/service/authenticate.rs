//! From a bearer token to the account that stands behind it, right now.
//!
//! The session row and the account's epoch are the truth: a token whose session was ended, or whose account moved on,
//! is refused at once, also after a restart.

use crate::{
    crypto::{
        record_mac::{RecordMac, Security},
        token_signer::{AccessClaims, TokenError},
    },
    domain::{
        audit::{AuditEvent, Outcome},
        clock::Timestamp,
        ids::{AccountId, SessionId},
        user_type::UserType,
    },
    service::{core::Core, failure::Failure, sessions::is_backed},
    storage::{Ref, accounts::AccountRecord},
};

/// Who is calling. Exists only after [`authenticate`].
#[derive(Debug)]
pub struct Caller {
    /// The account as read for this call.
    pub account: AccountRecord,
    /// Its verified part.
    pub security: Security,
    /// The session that the token belongs to.
    pub session_id: SessionId,
    /// When the person last proved who they are.
    pub authenticated_at: Timestamp,
}

impl Caller {
    /// The account's name.
    #[must_use]
    pub fn key(&self) -> Ref<AccountId> {
        Ref::new(&self.account.user_type, self.account.id.clone())
    }
}

/// Why the caller is nobody.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// Not a token of ours for this user type, expired, or its session is over: one answer for all.
    #[error("the access token is not valid")]
    InvalidToken,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<TokenError> for AuthenticateError {
    fn from(_: TokenError) -> Self {
        Self::InvalidToken
    }
}

/// Verifies an access token and everything behind it.
pub async fn authenticate(core: &Core, user_type: &UserType, token: &str) -> Result<Caller, AuthenticateError> {
    let claims = read_token(core, user_type, token)?;
    find_caller(core, user_type, claims).await
}

/// The first half: what the token says by itself. Asks no store.
pub fn read_token(core: &Core, user_type: &UserType, token: &str) -> Result<AccessClaims, AuthenticateError> {
    Ok(core.signer.verify(user_type, token, core.clock.now())?)
}

/// The second half: whether session and account still stand behind it.
pub async fn find_caller(core: &Core, user_type: &UserType, claims: AccessClaims) -> Result<Caller, AuthenticateError> {
    let now = core.clock.now();
    let key = Ref::new(user_type, claims.account_id);
    let session_key = Ref::new(user_type, claims.session_id);
    let (session, account) =
        tokio::try_join!(core.stores.sessions.find(&session_key), core.stores.accounts.find(&key),)
            .map_err(Failure::from)?;
    let (Some(session), Some(account)) = (session, account) else {
        return Err(AuthenticateError::InvalidToken);
    };

    let keyring = core.keyring.current();
    let Ok(security) = RecordMac::new(&keyring).verify(user_type, &key.id, account.security()) else {
        core.note(user_type, &key.id, AuditEvent::RecordTampered, Outcome::Refused)
            .await;
        return Err(AuthenticateError::InvalidToken);
    };
    if session.account_id != key.id || !session.is_live(now) || !is_backed(&session, security) {
        return Err(AuthenticateError::InvalidToken);
    }
    Ok(Caller {
        security: security.clone(),
        session_id: session.id,
        authenticated_at: session.authenticated_at,
        account,
    })
}
