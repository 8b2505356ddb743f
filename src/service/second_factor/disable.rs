//! Turns one of the second factors off: without the last of them a sign-in takes the password alone again.

use std::mem;

use crate::{
    crypto::record_mac::Factors,
    domain::{
        audit::AuditEvent,
        challenge::Purpose,
        message::MessageKind,
        second_factor::{SecondFactor, SecondFactorPolicy},
    },
    service::{
        accounts::{ATTEMPTS, contended, find_verified},
        authenticate::Caller,
        core::Core,
        fresh::is_fresh,
        second_factor::{NewFactors, recovery_codes::ChangeFactorsError, replace_factors},
        sessions::is_session_backed,
    },
    storage::accounts::AccountRecord,
};

/// Turns `factor` off, unless it is the last and the user type wants one. Recovery codes go with the last.
pub async fn disable(core: &Core, caller: &Caller, factor: SecondFactor) -> Result<(), ChangeFactorsError> {
    if !is_fresh(core, caller).await? {
        return Err(ChangeFactorsError::StaleSignIn);
    }
    let key = caller.key();
    for _ in 0..ATTEMPTS {
        let (_, security) = find_verified(core, &key).await?.ok_or(ChangeFactorsError::Gone)?;
        if !is_session_backed(caller, &security) {
            return Err(ChangeFactorsError::Gone);
        }
        let mut left = security.factors.clone();
        let was_on = match factor {
            SecondFactor::Totp => left.totp.take().is_some(),
            SecondFactor::Text => mem::take(&mut left.texts),
            SecondFactor::RecoveryCode => false,
        };
        if !was_on {
            return Err(ChangeFactorsError::NotEnabled);
        }
        let is_last = !left.is_on();
        if is_last && core.settings(&key.user_type).second_factor == SecondFactorPolicy::Required {
            return Err(ChangeFactorsError::Mandatory);
        }
        let new = NewFactors {
            factors: if is_last { Factors::default() } else { left },
            kept_session: Some(caller.session_id.clone()),
            notice: if is_last {
                MessageKind::SecondFactorOff
            } else {
                MessageKind::SecondFactorChanged
            },
            event: AuditEvent::SecondFactorRemoved,
            factor,
        };
        let is_stored = replace_factors(core, &key, &security, new, |account| {
            forget(account, factor);
            true
        });
        if is_stored.await? {
            return Ok(());
        }
    }
    Err(contended().into())
}

/// What waits for a code of it. What was tried counts on: off and on again is no way to more tries.
fn forget(account: &mut AccountRecord, factor: SecondFactor) {
    if factor == SecondFactor::Text {
        account.void(Purpose::SecondFactor);
        return;
    }
    if let Some(codes) = &mut account.codes {
        (codes.last_step, codes.enrol_until) = (None, None);
    }
    if let Some(sealed) = &mut account.sealed {
        sealed.totp_pending = None;
    }
}
