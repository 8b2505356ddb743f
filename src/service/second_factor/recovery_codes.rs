//! Other recovery codes: those before are worth nothing any more.

use crate::{
    crypto::record_mac::Factors,
    domain::{audit::AuditEvent, message::MessageKind, private::Private, second_factor::SecondFactor},
    service::{
        accounts::{ATTEMPTS, contended, find_verified},
        authenticate::Caller,
        core::Core,
        failure::Failure,
        fresh::is_fresh,
        second_factor::{NewFactors, confirm::make_recovery_codes, prove::recovery_key, replace_factors},
        sessions::is_session_backed,
    },
};

/// Why the factors stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum ChangeFactorsError {
    /// The sign-in is too old to change what proves who one is.
    #[error("the sign-in is too old")]
    StaleSignIn,
    /// There is no such second factor.
    #[error("there is no such second factor")]
    NotEnabled,
    /// The user type wants one.
    #[error("accounts of this user type need a second factor")]
    Mandatory,
    /// The account is gone, or the session over.
    #[error("the account is gone")]
    Gone,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Makes them. Every other session ends, as it does with every change of the second factor.
pub async fn replace_recovery_codes(core: &Core, caller: &Caller) -> Result<Vec<Private>, ChangeFactorsError> {
    if !is_fresh(core, caller).await? {
        return Err(ChangeFactorsError::StaleSignIn);
    }
    let key = caller.key();
    for _ in 0..ATTEMPTS {
        let (_, security) = find_verified(core, &key).await?.ok_or(ChangeFactorsError::Gone)?;
        if !is_session_backed(caller, &security) {
            return Err(ChangeFactorsError::Gone);
        }
        let Some(recovery_key) = recovery_key(core, &key, &security).await? else {
            return Err(ChangeFactorsError::NotEnabled);
        };
        let (codes, recovery) = make_recovery_codes(core, &key, &recovery_key);
        let new = NewFactors {
            factors: Factors {
                recovery,
                ..security.factors.clone()
            },
            kept_session: Some(caller.session_id.clone()),
            notice: MessageKind::RecoveryCodesReplaced,
            event: AuditEvent::RecoveryCodesReplaced,
            factor: SecondFactor::RecoveryCode,
        };
        if replace_factors(core, &key, &security, new, |_| true).await? {
            return Ok(codes);
        }
    }
    Err(contended().into())
}
