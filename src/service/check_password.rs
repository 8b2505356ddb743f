//! Whether somebody who is signed in knows the account's password: to change it, to prove anew who they are, to delete the
//! account.

use std::{sync::Arc, time::Duration};

use crate::{
    crypto::password_hasher::Check,
    domain::{
        audit::{AuditEvent, Outcome},
        password::Password,
    },
    service::{
        authenticate::Caller,
        core::Core,
        failure::Failure,
        throttle::{self, ThrottleError, Trier},
    },
};

/// Why it is not shown.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// It is another.
    #[error("the password is not right")]
    Wrong,
    /// Too many wrong ones in this session lately.
    #[error("too many tries")]
    TooManyTries {
        /// When one more may come.
        retry_after: Duration,
    },
    /// The account is gone.
    #[error("the account is gone")]
    Gone,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<ThrottleError> for PasswordError {
    fn from(error: ThrottleError) -> Self {
        match error {
            ThrottleError::TooManyTries { retry_after } => Self::TooManyTries { retry_after },
            ThrottleError::Failure(failure) => failure.into(),
        }
    }
}

/// Compares `password` with the caller's; a wrong one is noted as a refused `event`.
pub async fn check_password(
    core: &Core,
    caller: &Caller,
    password: Password,
    event: AuditEvent,
) -> Result<(), PasswordError> {
    let key = caller.key();
    let stored = caller.security.password_hash.clone().ok_or(PasswordError::Gone)?;
    let charged = throttle::charge(core, &key.user_type, &Trier::Session(caller)).await?;
    let check = core.hasher.verify(Arc::new(password), stored).await;
    match check.map_err(Failure::from)? {
        Check::Match { .. } => {
            charged.succeeded(core).await;
            Ok(())
        }
        Check::Mismatch => {
            core.note(&key.user_type, &key.id, event, Outcome::Refused).await;
            Err(PasswordError::Wrong)
        }
    }
}
