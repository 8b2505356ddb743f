//! Proves anew who one is, for what needs a fresh sign-in (RFC 9470): the session goes on, with another `auth_time`.

use std::time::Duration;

use crate::{
    domain::{
        audit::{AuditEvent, Outcome},
        clock::Timestamp,
        password::Password,
        token::AccessToken,
    },
    service::{
        authenticate::Caller,
        check_password::{PasswordError, check_password},
        core::Core,
        failure::Failure,
        sessions::access_token,
    },
    storage::{Change, Ref, change, sessions::SessionRecord},
};

/// What a proof is worth.
#[derive(Debug)]
pub struct Proven {
    /// An access token that says when.
    pub access: AccessToken,
    /// How long it lasts.
    pub expires_in: Duration,
    /// When.
    pub authenticated_at: Timestamp,
}

/// Compares the password and notes the proof in the session.
pub async fn reauthenticate(core: &Core, caller: &Caller, password: Password) -> Result<Proven, PasswordError> {
    check_password(core, caller, password, AuditEvent::Reauthenticated).await?;
    let key = Ref::new(&caller.account.user_type, caller.session_id.clone());
    let now = core.clock.now();
    let proven = change(&*core.stores.sessions, &key, |session: &mut SessionRecord| {
        if !session.is_live(now) {
            return Change::Leave(None);
        }
        session.authenticated_at = session.authenticated_at.max(now);
        Change::Store(Some(session.clone()))
    })
    .await
    .map_err(Failure::from)?;
    let session = proven.into_value().flatten().ok_or(PasswordError::Gone)?;
    let (access, expires_in) = access_token(core, &session, &caller.security, now)?;
    let account = &caller.account.id;
    core.note(&key.user_type, account, AuditEvent::Reauthenticated, Outcome::Success)
        .await;
    Ok(Proven {
        access,
        expires_in,
        authenticated_at: session.authenticated_at,
    })
}
