//! Turns an authenticator app on by its first code, and gives out recovery codes: from then on a sign-in takes both.

use std::time::Duration;

use crate::{
    crypto::{
        data_key::DataKeys,
        record_mac::Factors,
        totp::{accepted_step, recovery_digest},
    },
    domain::{
        audit::{AuditEvent, Outcome},
        code::{OtpCode, TotpSecret},
        device::Device,
        ids::AccountId,
        message::MessageKind,
        private::Private,
        second_factor::{RECOVERY_CODES, RecoveryCode, RecoveryKey, SecondFactor},
        token::TokenDigest,
    },
    service::{
        accounts::{ATTEMPTS, contended, find_verified, open_keys},
        core::Core,
        failure::Failure,
        second_factor::{
            NewFactors,
            enrol::{EnrolError, Enroller},
            prove::{ProveError, charge, note_refused},
            replace_factors,
        },
        sessions::{Beginning, Started, start},
    },
    storage::{Ref, accounts::AccountRecord},
};

/// Done.
#[derive(Debug)]
pub struct Confirmed {
    /// Shown this once.
    pub recovery_codes: Vec<Private>,
    /// The session, where a sign-in waited for it.
    pub started: Option<Started>,
}

/// Why it stays off.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmTotpError {
    /// Wrong, or no secret waits for its code.
    #[error("the code is not valid")]
    Refused,
    /// Too many wrong ones in this hour.
    #[error("too many tries")]
    TooManyTries {
        /// When one more may come.
        retry_after: Duration,
    },
    /// As for the secret.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
}

impl From<Failure> for ConfirmTotpError {
    fn from(failure: Failure) -> Self {
        Self::Enrol(failure.into())
    }
}

impl From<ProveError> for ConfirmTotpError {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Refused => Self::Refused,
            ProveError::TooManyTries { retry_after } => Self::TooManyTries { retry_after },
            ProveError::Gone => EnrolError::Gone.into(),
            ProveError::Failure(failure) => failure.into(),
        }
    }
}

/// Turns it on.
pub async fn confirm(
    core: &Core,
    who: &Enroller<'_>,
    code: &OtpCode,
    device: &Device,
) -> Result<Confirmed, ConfirmTotpError> {
    if !who.is_fresh(core).await? {
        return Err(EnrolError::StaleSignIn.into());
    }
    let key = who.key();
    // Before any try: a token that is over must not use up its account's.
    let (account, _) = who.account(core).await?;
    charge(core, &key, account, None).await?;
    for _ in 0..ATTEMPTS {
        let (account, security) = who.account(core).await?;
        let keys = open_keys(core, &key).await?.ok_or(EnrolError::Gone)?;
        let Some((secret, step)) = confirmed(core, &key, &account, &keys, code).await? else {
            note_refused(core, &key).await;
            return Err(ConfirmTotpError::Refused);
        };
        let recovery_key = match &security.factors.recovery_key {
            Some(sealed) => core.opened(&key, keys.open(sealed)).await?,
            None => RecoveryKey::from(&secret),
        };
        let (recovery_codes, recovery) = make_recovery_codes(core, &key, &recovery_key);
        let new = NewFactors {
            factors: Factors {
                totp: Some(keys.seal(&secret)),
                recovery,
                ..security.factors.clone()
            },
            kept_session: who.kept_session(),
            notice: if security.factors.texts {
                MessageKind::SecondFactorChanged
            } else {
                MessageKind::SecondFactorOn
            },
            event: AuditEvent::SecondFactorEnrolled,
            factor: SecondFactor::Totp,
        };
        let pending = account.sealed.as_ref().and_then(|sealed| sealed.totp_pending.clone());
        let is_stored = replace_factors(core, &key, &security, new, |account| {
            let codes = account.codes.get_or_insert_default();
            (codes.last_step, codes.enrol_until) = (Some(step), None);
            codes.give_back();
            // Of the same secret still.
            let sealed = account.sealed.as_mut().filter(|sealed| sealed.totp_pending == pending);
            sealed.map(|sealed| sealed.totp_pending = None).is_some()
        })
        .await?;
        if is_stored {
            let started = begin(core, who, SecondFactor::Totp, device).await?;
            return Ok(Confirmed {
                recovery_codes,
                started,
            });
        }
    }
    Err(contended().into())
}

/// The secret that waits and the step of its code, if that is what this is.
async fn confirmed(
    core: &Core,
    key: &Ref<AccountId>,
    account: &AccountRecord,
    keys: &DataKeys,
    code: &OtpCode,
) -> Result<Option<(TotpSecret, u64)>, Failure> {
    let now = core.clock.now();
    let until = account.codes.as_ref().and_then(|codes| codes.enrol_until);
    let pending = account.sealed.as_ref().and_then(|sealed| sealed.totp_pending.as_ref());
    let (Some(pending), true) = (pending, until.is_some_and(|until| now < until)) else {
        return Ok(None);
    };
    let secret = core.opened(key, keys.open(pending)).await?;
    Ok(accepted_step(&secret, code, now).map(|step| (secret, step)))
}

/// New codes and what is kept of them.
pub(super) fn make_recovery_codes(
    core: &Core,
    key: &Ref<AccountId>,
    recovery_key: &RecoveryKey,
) -> (Vec<Private>, Vec<TokenDigest>) {
    let make = |_| {
        let code = RecoveryCode::make(&*core.entropy);
        let digest = recovery_digest(recovery_key, &key.user_type, &key.id, &code);
        (code.expose(), digest)
    };
    (0..RECOVERY_CODES).map(make).unzip()
}

/// The session of a sign-in that waited.
pub(super) async fn begin(
    core: &Core,
    who: &Enroller<'_>,
    factor: SecondFactor,
    device: &Device,
) -> Result<Option<Started>, EnrolError> {
    let Enroller::SigningIn(_, half) = who else {
        return Ok(None);
    };
    let key = who.key();
    let (_, security) = find_verified(core, &key).await?.ok_or(EnrolError::Gone)?;
    let beginning = Beginning {
        account: &key,
        security: &security,
        methods: half.first.with_second(factor),
        device,
        remember: half.remember,
    };
    let started = start(core, beginning).await?.ok_or(EnrolError::Gone)?;
    core.note(&key.user_type, &key.id, AuditEvent::SignedIn, Outcome::Success)
        .await;
    Ok(Some(started))
}
