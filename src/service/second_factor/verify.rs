//! The second half of a sign-in.

use std::time::Duration;

use crate::{
    crypto::second_factor_token::FirstHalf,
    domain::{
        audit::{AuditEvent, Outcome},
        challenge::CodeFor,
        device::Device,
        second_factor::Proof,
        user_type::UserType,
    },
    service::{
        core::Core,
        failure::Failure,
        second_factor::prove::{ProveError, prove},
        sessions::{Beginning, Started, start},
    },
    storage::Ref,
};

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Garbled, over, of another user type, or the account moved on: begin anew with the password.
    #[error("the first half of the sign-in is not valid")]
    TokenInvalid,
    /// Wrong, or used before.
    #[error("the code is not valid")]
    Refused,
    /// Too many wrong ones in this hour.
    #[error("too many tries")]
    TooManyTries {
        /// When one more may come.
        retry_after: Duration,
    },
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<ProveError> for VerifyError {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Refused => Self::Refused,
            ProveError::TooManyTries { retry_after } => Self::TooManyTries { retry_after },
            ProveError::Gone => Self::TokenInvalid,
            ProveError::Failure(failure) => failure.into(),
        }
    }
}

/// Ends a sign-in that `half` began.
pub async fn verify(
    core: &Core,
    user_type: &UserType,
    half: FirstHalf,
    proof: &Proof,
    device: &Device,
) -> Result<Started, VerifyError> {
    if half.enrols {
        return Err(VerifyError::TokenInvalid);
    }
    let key = Ref::new(user_type, half.account_id);
    let wanted = CodeFor::SignIn(half.expires_at);
    let security = prove(core, &key, half.epoch, proof, &wanted).await?;
    let beginning = Beginning {
        account: &key,
        security: &security,
        methods: half.first.with_second(proof.factor()),
        device,
        remember: half.remember,
    };
    let started = start(core, beginning).await?.ok_or(VerifyError::TokenInvalid)?;
    core.note(user_type, &key.id, AuditEvent::SignedIn, Outcome::Success)
        .await;
    Ok(started)
}
