//! Compares what somebody shows of a second factor, and uses it up.

use std::time::Duration;

use crate::{
    crypto::{
        record_mac::Security,
        totp::{accepted_step, recovery_digest},
    },
    domain::{
        account::AccountStatus,
        audit::{AuditEvent, Outcome},
        challenge::CodeFor,
        code::TotpSecret,
        ids::AccountId,
        message::MessageKind,
        second_factor::{Proof, RecoveryKey},
        token::TokenDigest,
    },
    service::{
        accounts::{ATTEMPTS, contended, find_verified, hand_over, message, open_keys, sign},
        core::Core,
        failure::Failure,
        second_factor::text::SentText,
        text_codes::note_came_back,
    },
    storage::{Change, Changed, Ref, accounts::AccountRecord, change},
};

/// Why it is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// Wrong, or used before: one answer for both.
    #[error("the code is not valid")]
    Refused,
    /// Too many wrong ones in this hour.
    #[error("too many tries")]
    TooManyTries {
        /// When one more may come.
        retry_after: Duration,
    },
    /// The account is gone, moved on, or has no second factor.
    #[error("there is nothing to prove")]
    Gone,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Charges a try, compares, and uses up what was right. `epoch` is what the account must still be at, `wanted` what a code by
/// text must have been asked for. Answers what was verified of the account then.
pub(in crate::service) async fn prove(
    core: &Core,
    key: &Ref<AccountId>,
    epoch: u64,
    proof: &Proof,
    wanted: &CodeFor,
) -> Result<Security, ProveError> {
    let (account, _) = at_epoch(core, key, epoch).await?;
    let wanted = matches!(proof, Proof::Text(_)).then_some(wanted);
    let sent = charge(core, key, account, wanted).await?;
    let proven = use_up(core, key, epoch, proof, sent.as_ref()).await;
    if matches!(proven, Err(ProveError::Refused)) {
        note_refused(core, key).await;
    }
    proven
}

/// Notes that what was shown was wrong, used before, or one too many.
pub(super) async fn note_refused(core: &Core, key: &Ref<AccountId>) {
    let event = AuditEvent::SecondFactorRefused;
    core.note(&key.user_type, &key.id, event, Outcome::Refused).await;
}

/// Before anything is compared: of a thousand who guess at once, ten are compared. Answers the code by text that was asked
/// for `wanted`, if one may still be tried: five of the ten are compared with it.
pub(super) async fn charge(
    core: &Core,
    key: &Ref<AccountId>,
    mut as_read: AccountRecord,
    wanted: Option<&CodeFor>,
) -> Result<Option<SentText>, ProveError> {
    let now = core.clock.now();
    let charge = |account: &mut AccountRecord| {
        if account.sealed.is_none() {
            return Change::Leave(Err(None));
        }
        let codes = account.codes.get_or_insert_default();
        if !codes.charge(now) {
            return Change::Leave(Err(Some(codes.free_at().since(now))));
        }
        Change::Store(Ok(wanted.and_then(|wanted| SentText::charge(account, wanted, now))))
    };
    // Tried on what was read first: who has no try left must not queue for the record.
    let charged = match charge(&mut as_read) {
        Change::Store(_) => change(&*core.stores.accounts, key, charge)
            .await
            .map_err(Failure::from)?,
        Change::Leave(refused) => Changed::Left(refused),
    };
    match charged.into_value() {
        Some(Ok(sent)) => Ok(sent),
        Some(Err(Some(retry_after))) => {
            note_refused(core, key).await;
            Err(ProveError::TooManyTries { retry_after })
        }
        Some(Err(None)) | None => Err(ProveError::Gone),
    }
}

/// The account, if it is in use and at that epoch.
async fn at_epoch(core: &Core, key: &Ref<AccountId>, epoch: u64) -> Result<(AccountRecord, Security), ProveError> {
    find_verified(core, key)
        .await?
        .filter(|(_, security)| security.epoch == epoch && security.status == AccountStatus::Active)
        .ok_or(ProveError::Gone)
}

async fn use_up(
    core: &Core,
    key: &Ref<AccountId>,
    epoch: u64,
    proof: &Proof,
    sent: Option<&SentText>,
) -> Result<Security, ProveError> {
    for _ in 0..ATTEMPTS {
        let (account, security) = at_epoch(core, key, epoch).await?;
        if !security.factors.is_on() {
            return Err(ProveError::Gone);
        }
        let used = match proof {
            Proof::Totp(code) => {
                let secret = secret(core, key, &security).await?.ok_or(ProveError::Refused)?;
                let step = accepted_step(&secret, code, core.clock.now()).ok_or(ProveError::Refused)?;
                use_step(core, key, &security, step).await?
            }
            Proof::Recovery(code) => {
                let recovery_key = recovery_key(core, key, &security).await?.ok_or(ProveError::Gone)?;
                let digest = recovery_digest(&recovery_key, &key.user_type, &key.id, code);
                let left = security.factors.recovery.iter();
                let left: Vec<_> = left.filter(|one| **one != digest).copied().collect();
                if left.len() == security.factors.recovery.len() {
                    return Err(ProveError::Refused);
                }
                use_recovery_code(core, key, &security, left).await?
            }
            Proof::Text(code) => {
                let sent = sent.filter(|sent| security.factors.texts && sent.is_met_by(core, key, code));
                let sent = sent.ok_or(ProveError::Refused)?;
                let used = use_text(core, key, &security, sent).await?;
                if used == Some(true) {
                    note_came_back(core, key, &account, sent.made_at).await;
                }
                used
            }
        };
        match used {
            Some(true) => return Ok(security),
            Some(false) => return Err(ProveError::Refused),
            None => {}
        }
    }
    Err(ProveError::Failure(contended()))
}

/// Whether nobody used it before; `None` where somebody changed the factors meanwhile.
async fn use_text(
    core: &Core,
    key: &Ref<AccountId>,
    security: &Security,
    sent: &SentText,
) -> Result<Option<bool>, ProveError> {
    let used = change(&*core.stores.accounts, key, |account: &mut AccountRecord| {
        if account.security().rev_sec() != security.rev_sec {
            return Change::Leave(None);
        }
        if !sent.use_up(account) {
            return Change::Leave(Some(false));
        }
        Change::Store(Some(true))
    });
    Ok(used.await.map_err(Failure::from)?.into_value().flatten())
}

/// Whether the step was new; `None` where somebody changed the factors meanwhile, so that they are compared again.
async fn use_step(
    core: &Core,
    key: &Ref<AccountId>,
    security: &Security,
    step: u64,
) -> Result<Option<bool>, ProveError> {
    let used = change(&*core.stores.accounts, key, |account: &mut AccountRecord| {
        if account.security().rev_sec() != security.rev_sec {
            return Change::Leave(None);
        }
        let codes = account.codes.get_or_insert_default();
        if !codes.accept(step) {
            return Change::Leave(Some(false));
        }
        codes.give_back();
        Change::Store(Some(true))
    });
    Ok(used.await.map_err(Failure::from)?.into_value().flatten())
}

async fn use_recovery_code(
    core: &Core,
    key: &Ref<AccountId>,
    security: &Security,
    left: Vec<TokenDigest>,
) -> Result<Option<bool>, ProveError> {
    let signed = sign(core, key, security, |next| next.factors.recovery = left)?;
    let (message_id, entry) = message(core, MessageKind::RecoveryCodeUsed);
    let used = change(&*core.stores.accounts, key, |account: &mut AccountRecord| {
        if !account.replace_security(security.rev_sec, signed.clone()) {
            return Change::Leave(());
        }
        account.codes.get_or_insert_default().give_back();
        account.outbox.push(&message_id, entry.clone());
        Change::Store(())
    });
    match used.await.map_err(Failure::from)? {
        Changed::Stored(()) => {
            hand_over(core, key, message_id);
            let event = AuditEvent::RecoveryCodeUsed;
            core.note(&key.user_type, &key.id, event, Outcome::Success).await;
            Ok(Some(true))
        }
        Changed::Left(()) => Ok(None),
        Changed::Missing | Changed::Taken(_) => Err(ProveError::Gone),
    }
}

/// The secret of the account's authenticator app.
async fn secret(core: &Core, key: &Ref<AccountId>, security: &Security) -> Result<Option<TotpSecret>, Failure> {
    let Some(sealed) = &security.factors.totp else {
        return Ok(None);
    };
    let Some(keys) = open_keys(core, key).await? else {
        return Ok(None);
    };
    Ok(Some(core.opened(key, keys.open(sealed)).await?))
}

/// What the account's recovery codes are keyed with.
pub(super) async fn recovery_key(
    core: &Core,
    key: &Ref<AccountId>,
    security: &Security,
) -> Result<Option<RecoveryKey>, Failure> {
    let Some(sealed) = &security.factors.recovery_key else {
        return Ok(secret(core, key, security).await?.as_ref().map(RecoveryKey::from));
    };
    let Some(keys) = open_keys(core, key).await? else {
        return Ok(None);
    };
    Ok(Some(core.opened(key, keys.open(sealed)).await?))
}
