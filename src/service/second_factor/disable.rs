//! Turns the authenticator app off: a sign-in takes the password alone again.

use crate::{
    crypto::record_mac::Factors,
    domain::{audit::AuditEvent, message::MessageKind, second_factor::SecondFactorPolicy},
    service::{
        accounts::{ATTEMPTS, contended, find_verified},
        authenticate::Caller,
        core::Core,
        fresh::is_fresh,
        second_factor::{NewFactors, recovery_codes::ChangeFactorsError, replace_factors},
        sessions::is_session_backed,
    },
};

/// Turns it off, unless the user type wants one.
pub async fn disable(core: &Core, caller: &Caller) -> Result<(), ChangeFactorsError> {
    if !is_fresh(core, caller).await? {
        return Err(ChangeFactorsError::StaleSignIn);
    }
    let key = caller.key();
    if core.settings(&key.user_type).second_factor == SecondFactorPolicy::Required {
        return Err(ChangeFactorsError::Mandatory);
    }
    for _ in 0..ATTEMPTS {
        let (_, security) = find_verified(core, &key).await?.ok_or(ChangeFactorsError::Gone)?;
        if !is_session_backed(caller, &security) {
            return Err(ChangeFactorsError::Gone);
        }
        if security.factors.totp.is_none() {
            return Err(ChangeFactorsError::NotEnabled);
        }
        let new = NewFactors {
            factors: Factors::default(),
            kept_session: Some(caller.session_id.clone()),
            notice: MessageKind::SecondFactorOff,
            event: AuditEvent::SecondFactorRemoved,
        };
        let is_stored = replace_factors(core, &key, &security, new, |account| {
            // What was tried counts on: off and on again is no way to more tries.
            if let Some(codes) = &mut account.codes {
                (codes.last_step, codes.enrol_until) = (None, None);
            }
            if let Some(sealed) = &mut account.sealed {
                sealed.totp_pending = None;
            }
            true
        });
        if is_stored.await? {
            return Ok(());
        }
    }
    Err(contended().into())
}
