//! Turns codes by text on by one of them, and gives out recovery codes: from then on a sign-in takes more than the password.

use crate::{
    crypto::record_mac::Factors,
    domain::{
        audit::AuditEvent,
        code::OtpCode,
        device::Device,
        message::MessageKind,
        second_factor::{RecoveryKey, SecondFactor},
    },
    service::{
        accounts::{ATTEMPTS, contended, open_keys},
        core::Core,
        failure::Failure,
        second_factor::{
            NewFactors,
            confirm::{ConfirmTotpError, Confirmed, begin, make_recovery_codes},
            enrol::{EnrolError, Enroller},
            prove::{ProveError, charge, note_refused},
            replace_factors,
            text::{NoTextFactor, may_turn_on},
        },
        text_codes::note_came_back,
    },
};

/// Why it stays off.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmTextError {
    /// It can't be turned on.
    #[error(transparent)]
    NoFactor(#[from] NoTextFactor),
    /// As for an authenticator app.
    #[error(transparent)]
    Confirm(#[from] ConfirmTotpError),
}

impl From<Failure> for ConfirmTextError {
    fn from(failure: Failure) -> Self {
        Self::Confirm(failure.into())
    }
}

impl From<EnrolError> for ConfirmTextError {
    fn from(error: EnrolError) -> Self {
        Self::Confirm(error.into())
    }
}

impl From<ProveError> for ConfirmTextError {
    fn from(error: ProveError) -> Self {
        Self::Confirm(error.into())
    }
}

/// Turns it on. Recovery codes before these are worth nothing any more, also those of an authenticator app: they are keyed
/// with what belongs to neither factor, so that either may be turned off beside the other.
pub async fn confirm_text(
    core: &Core,
    who: &Enroller<'_>,
    code: &OtpCode,
    device: &Device,
) -> Result<Confirmed, ConfirmTextError> {
    if !who.is_fresh(core).await? {
        return Err(EnrolError::StaleSignIn.into());
    }
    let key = who.key();
    let (account, security) = who.account(core).await?;
    may_turn_on(core, &key.user_type, &security)?;
    let sent = charge(core, &key, account, Some(&who.wanted())).await?;
    let Some(sent) = sent.filter(|sent| sent.is_met_by(core, &key, code)) else {
        note_refused(core, &key).await;
        return Err(ConfirmTotpError::Refused.into());
    };
    for _ in 0..ATTEMPTS {
        let (account, security) = who.account(core).await?;
        may_turn_on(core, &key.user_type, &security)?;
        if !sent.is_pending(&account) {
            return Err(ConfirmTotpError::Refused.into());
        }
        let keys = open_keys(core, &key).await?.ok_or(EnrolError::Gone)?;
        let recovery_key = RecoveryKey::make(&*core.entropy);
        let (recovery_codes, recovery) = make_recovery_codes(core, &key, &recovery_key);
        let new = NewFactors {
            factors: Factors {
                totp: security.factors.totp.clone(),
                texts: true,
                recovery,
                recovery_key: Some(keys.seal(&recovery_key)),
            },
            kept_session: who.kept_session(),
            notice: if security.factors.is_on() {
                MessageKind::SecondFactorChanged
            } else {
                MessageKind::SecondFactorOn
            },
            event: AuditEvent::SecondFactorEnrolled,
            factor: SecondFactor::Text,
        };
        if replace_factors(core, &key, &security, new, |account| sent.use_up(account)).await? {
            note_came_back(core, &key, &account, sent.made_at).await;
            let started = begin(core, who, SecondFactor::Text, device).await?;
            return Ok(Confirmed {
                recovery_codes,
                started,
            });
        }
    }
    Err(contended().into())
}
