//! Proves anew who one is, for what needs a fresh sign-in (RFC 9470): the session goes on, with another `auth_time`.

use std::time::Duration;

use crate::{
    domain::{
        audit::{AuditEvent, Outcome},
        challenge::CodeFor,
        clock::Timestamp,
        password::Password,
        second_factor::Proof,
        token::AccessToken,
    },
    service::{
        authenticate::Caller,
        check_password::{PasswordError, check_password},
        core::Core,
        failure::Failure,
        second_factor::prove::{ProveError, prove},
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

/// Why it is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ReauthenticateError {
    /// The password.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The account has a second factor, and nothing of it was shown.
    #[error("a second factor is due")]
    SecondFactorDue,
    /// The second factor.
    #[error(transparent)]
    SecondFactor(#[from] ProveError),
}

impl From<Failure> for ReauthenticateError {
    fn from(failure: Failure) -> Self {
        Self::Password(failure.into())
    }
}

/// Compares the password, and what is shown of the second factor where the account has one, and notes the proof in the
/// session. Otherwise whoever took over a session and knows the password could turn the second factor off.
pub async fn reauthenticate(
    core: &Core,
    caller: &Caller,
    password: Password,
    proof: Option<&Proof>,
) -> Result<Proven, ReauthenticateError> {
    let has_second_factor = caller.security.factors.is_on();
    if has_second_factor && proof.is_none() {
        return Err(ReauthenticateError::SecondFactorDue);
    }
    check_password(core, caller, password, AuditEvent::Reauthenticated).await?;
    if let Some(proof) = proof.filter(|_| has_second_factor) {
        let wanted = CodeFor::Session(caller.session_id.clone());
        prove(core, &caller.key(), caller.security.epoch, proof, &wanted).await?;
    }
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
