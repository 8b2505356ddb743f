//! Signs a record anew that somebody changed behind the service's back, for the operator who did it on purpose.
//!
//! What the record says is shown first; exactly that is signed, and nothing if it changed meanwhile. Sessions go on as the
//! record's epoch says.

use crate::{
    crypto::{
        blind_index::BlindIndexer,
        record_mac::{RecordMac, Security},
    },
    domain::{
        account::AccountStatus,
        audit::{AuditEvent, Details, Outcome},
        ids::AccountId,
        role::Role,
    },
    service::{
        accounts::sign,
        core::Core,
        failure::Failure,
        revoke::{self, standing},
    },
    storage::{Change, Changed, Ref, accounts::AccountRecord, change},
};

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum ResignError {
    /// No such account.
    #[error("there is no such account")]
    Missing,
    /// Its MAC verifies.
    #[error("the record carries its MAC: there is nothing to vouch for")]
    Genuine,
    /// It says that the account is erased.
    #[error("the record says that the account is erased; erase it with `sealgate accounts erase`")]
    Erased,
    /// Somebody changed it since it was shown.
    #[error("the record changed since it was shown: look again")]
    Changed,
    /// Not the operator's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// What an operator vouches for: what the record says, as far as it decides who may do what. No content.
#[expect(clippy::struct_excessive_bools, reason = "a list of facts, for an operator's eyes")]
#[derive(Debug)]
pub struct Claims {
    /// Whether the account may be used.
    pub status: AccountStatus,
    /// What it may do.
    pub role: Role,
    /// The address was confirmed.
    pub is_email_verified: bool,
    /// The number was confirmed.
    pub is_phone_verified: bool,
    /// It has a password.
    pub has_password: bool,
    /// It has a second factor.
    pub has_totp: bool,
    /// Whether codes by text are a second factor.
    pub has_texts: bool,
    /// Recovery codes that are left.
    pub recovery_codes: usize,
    /// Sessions of an older epoch are over.
    pub epoch: u64,
    /// Counts the changes of this part.
    pub rev_sec: u64,
    /// Whether it is found by something else than the address, username and number that are sealed in it; nothing where
    /// those don't open.
    pub are_slots_changed: Option<bool>,
    shown: Security,
}

/// What re-signing the account would vouch for.
pub async fn examine(core: &Core, key: &Ref<AccountId>) -> Result<Claims, ResignError> {
    let account = core.stores.accounts.find(key).await.map_err(Failure::from)?;
    let account = account.ok_or(ResignError::Missing)?;
    let keyring = core.keyring.current();
    let verified = RecordMac::new(&keyring).verify(&key.user_type, &key.id, account.security());
    if verified.is_ok() {
        return Err(ResignError::Genuine);
    }
    let shown = account.security().claimed().clone();
    if shown.status == AccountStatus::Erased {
        return Err(ResignError::Erased);
    }
    Ok(Claims {
        status: shown.status,
        role: shown.role.clone(),
        is_email_verified: shown.is_email_verified,
        is_phone_verified: shown.is_phone_verified,
        has_password: shown.password_hash.is_some(),
        has_totp: shown.factors.totp.is_some(),
        has_texts: shown.factors.texts,
        recovery_codes: shown.factors.recovery.len(),
        epoch: shown.epoch,
        rev_sec: shown.rev_sec,
        are_slots_changed: are_slots_changed(core, key, &account).await?,
        shown,
    })
}

async fn are_slots_changed(
    core: &Core,
    key: &Ref<AccountId>,
    account: &AccountRecord,
) -> Result<Option<bool>, Failure> {
    let Ok(keys) = core.vault.open(key).await else {
        return Ok(None);
    };
    let Some(Ok(person)) = account.sealed.as_ref().map(|sealed| sealed.open(&keys)) else {
        return Ok(None);
    };
    let keyring = core.keyring.current();
    let indexer = BlindIndexer::new(&keyring, &key.user_type);
    let slots = indexer.slots(&key.id, &person.email, person.username.as_ref(), person.phone.as_ref())?;
    Ok(Some(slots != account.security().claimed().slots))
}

/// Signs what was shown.
pub async fn resign(core: &Core, key: &Ref<AccountId>, claims: &Claims) -> Result<(), ResignError> {
    let signed = sign(core, key, &claims.shown, |_| {})?;
    let shown = &claims.shown;
    let changed = change(&*core.stores.accounts, key, |account: &mut AccountRecord| {
        let is_shown = account.security().claimed() == shown;
        if is_shown && account.replace_security(shown.rev_sec, signed.clone()) {
            Change::Store(())
        } else {
            Change::Leave(())
        }
    });
    match changed.await.map_err(Failure::from)? {
        Changed::Stored(()) => {}
        Changed::Missing => return Err(ResignError::Missing),
        Changed::Left(()) | Changed::Taken(_) => return Err(ResignError::Changed),
    }
    revoke::account_moved_on(core, key, &standing(shown)).await;
    let details = Details::of_standing(shown.status, &shown.role);
    let (event, done) = (AuditEvent::RecordResigned, Outcome::Success);
    core.note_with(&key.user_type, Some(&key.id), event, done, details)
        .await;
    Ok(())
}
