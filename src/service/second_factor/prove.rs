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
        code::TotpSecret,
        ids::AccountId,
        message::MessageKind,
        second_factor::Proof,
        token::TokenDigest,
    },
    service::{
        accounts::{ATTEMPTS, contended, find_verified, hand_over, message, open_keys, sign},
        core::Core,
        failure::Failure,
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

/// Charges a try, compares, and uses up what was right. `epoch` is what the account must still be at. Answers what was
/// verified of the account then.
pub(in crate::service) async fn prove(
    core: &Core,
    key: &Ref<AccountId>,
    epoch: u64,
    proof: &Proof,
) -> Result<Security, ProveError> {
    let (account, _) = at_epoch(core, key, epoch).await?;
    charge(core, key, account).await?;
    let proven = use_up(core, key, epoch, proof).await;
    if matches!(proven, Err(ProveError::Refused)) {
        let event = AuditEvent::SecondFactorRefused;
        core.note(&key.user_type, &key.id, event, Outcome::Refused).await;
    }
    proven
}

/// Before anything is compared: of a thousand who guess at once, ten are compared.
pub(in crate::service) async fn charge(
    core: &Core,
    key: &Ref<AccountId>,
    mut as_read: AccountRecord,
) -> Result<(), ProveError> {
    let now = core.clock.now();
    let charge = |account: &mut AccountRecord| {
        if account.sealed.is_none() {
            return Change::Leave(None);
        }
        let codes = account.codes.get_or_insert_default();
        if codes.charge(now) {
            Change::Store(None)
        } else {
            Change::Leave(Some(codes.free_at().since(now)))
        }
    };
    // Tried on what was read first: who has no try left must not queue for the record.
    let charged = match charge(&mut as_read) {
        Change::Store(_) => change(&*core.stores.accounts, key, charge)
            .await
            .map_err(Failure::from)?,
        Change::Leave(retry_after) => Changed::Left(retry_after),
    };
    match charged {
        Changed::Stored(_) => Ok(()),
        Changed::Left(Some(retry_after)) => {
            let event = AuditEvent::SecondFactorRefused;
            core.note(&key.user_type, &key.id, event, Outcome::Refused).await;
            Err(ProveError::TooManyTries { retry_after })
        }
        Changed::Left(None) | Changed::Missing | Changed::Taken(_) => Err(ProveError::Gone),
    }
}

/// The account, if it is in use and at that epoch.
async fn at_epoch(core: &Core, key: &Ref<AccountId>, epoch: u64) -> Result<(AccountRecord, Security), ProveError> {
    find_verified(core, key)
        .await?
        .filter(|(_, security)| security.epoch == epoch && security.status == AccountStatus::Active)
        .ok_or(ProveError::Gone)
}

async fn use_up(core: &Core, key: &Ref<AccountId>, epoch: u64, proof: &Proof) -> Result<Security, ProveError> {
    for _ in 0..ATTEMPTS {
        let (_, security) = at_epoch(core, key, epoch).await?;
        let secret = secret(core, key, &security).await?.ok_or(ProveError::Gone)?;
        let used = match proof {
            Proof::Totp(code) => {
                let step = accepted_step(&secret, code, core.clock.now()).ok_or(ProveError::Refused)?;
                use_step(core, key, &security, step).await?
            }
            Proof::Recovery(code) => {
                let digest = recovery_digest(&secret, &key.user_type, &key.id, code);
                let left = security.factors.recovery.iter();
                let left: Vec<_> = left.filter(|one| **one != digest).copied().collect();
                if left.len() == security.factors.recovery.len() {
                    return Err(ProveError::Refused);
                }
                use_recovery_code(core, key, &security, left).await?
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
pub(in crate::service) async fn secret(
    core: &Core,
    key: &Ref<AccountId>,
    security: &Security,
) -> Result<Option<TotpSecret>, Failure> {
    let Some(sealed) = &security.factors.totp else {
        return Ok(None);
    };
    let Some(keys) = open_keys(core, key).await? else {
        return Ok(None);
    };
    Ok(Some(core.opened(key, keys.open(sealed)).await?))
}
