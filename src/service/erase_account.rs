//! Erases an account: for its owner, for an operator or administrator, and again for the erasure journal after a restore.
//! One code path for all.
//!
//! The moment of deletion is one write that makes the account a tombstone. Then the erasure is written into the journal
//! outside of both databases; then the data key goes, and with it everything that any copy of the database holds of the
//! person; then the answer, with a signed receipt. What is left (sessions, the tombstone) the worker removes. Every step may
//! be repeated, and the worker takes those that a crash left.
//!
//! A journal that can't be written refuses the erasure before anything is done. Where it fails after the tombstone stands,
//! the data key stays, nobody is told that it is done, and the worker goes on once the journal can be written.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    crypto::{
        blind_index::IndexSlots,
        erasure_mac::ErasureFacts,
        receipt::Receipt,
        record_mac::{Factors, Security},
    },
    domain::{
        account::AccountStatus,
        audit::{AuditEvent, Details, Outcome},
        clock::Timestamp,
        ids::{AccountId, MessageId},
        message::MessageKind,
        password::Password,
        role::Role,
    },
    service::{
        accounts::{ATTEMPTS, contended, find_verified, hand_over, message, sign},
        authenticate::Caller,
        check_password::{PasswordError, check_password},
        core::Core,
        failure::Failure,
        fresh::is_fresh,
        revoke,
    },
    storage::{
        Change, Changed, Ref, accounts::AccountRecord, change, deks::DekRecord, erasures::ErasureLine,
        revocations::Standing,
    },
};

const BATCH: u32 = 200;

/// Why the account stays.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// Neither a password nor a fresh sign-in.
    #[error("the sign-in is too old")]
    StaleSignIn,
    /// The password is wrong.
    #[error("the password is not right")]
    WrongPassword,
    /// Too many wrong ones lately.
    #[error("too many tries")]
    TooManyTries {
        /// When one more may come.
        retry_after: Duration,
    },
    /// Somebody else deleted it a moment ago.
    #[error("there is no such account, or it is erased already")]
    Gone,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Who wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Whose account it is.
    Owner,
    /// Whoever has the settings and keys.
    Operator,
    /// Another account, which may: what names it.
    Administrator(String),
    /// The erasure journal: it was done before, and a restore brought it back.
    Journal,
}

impl Actor {
    /// For the audit.
    pub(in crate::service) fn details(&self) -> Details {
        match self {
            Self::Owner => Details::default(),
            Self::Operator => Details::of_actor("operator"),
            Self::Administrator(name) => Details::of_actor(name),
            Self::Journal => Details::of_actor("journal"),
        }
    }

    /// An account that was changed behind the service's back is nobody's to sign in to, and still somebody's data.
    fn erases_tampered(&self) -> bool {
        !matches!(self, Self::Owner)
    }
}

/// Erases the caller's account, which [`prove_owner`] allowed; answers the receipt.
pub async fn erase_account(core: &Core, caller: &Caller) -> Result<String, EraseError> {
    erase_for(core, &Actor::Owner, &caller.key()).await
}

/// Erases an account for `actor`, who may; answers the receipt. One that was erased half is erased whole.
pub async fn erase_for(core: &Core, actor: &Actor, key: &Ref<AccountId>) -> Result<String, EraseError> {
    if let Some(erasures) = &core.erasures {
        erasures.probe().await.map_err(Failure::from)?;
    }
    let known = core.stores.deks.find(key).await.map_err(Failure::from)?;
    let (erased_at, message_id) = match entomb(core, actor, key).await? {
        Entombed::Now(at, message_id) => (at, Some(message_id)),
        Entombed::Before(at) if known.is_some() && *actor != Actor::Owner => (at, None),
        Entombed::Before(_) | Entombed::Missing => return Err(EraseError::Gone),
    };
    // The worker may have been quicker; what is destroyed is told all the same.
    let keys = core.stores.deks.find(key).await.map_err(Failure::from)?.or(known);
    let receipt = destroy(core, key, erased_at, keys.as_ref()).await?;
    if let Some(message_id) = message_id {
        hand_over(core, key, message_id);
    }
    Ok(receipt)
}

/// What became of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::service) enum Entombed {
    /// A tombstone by this call: when that was, and the message that has the worker remove what is left.
    Now(Timestamp, MessageId),
    /// One since then.
    Before(Timestamp),
    /// There is none.
    Missing,
}

/// Makes the account a tombstone and tells every server.
pub(in crate::service) async fn entomb(core: &Core, actor: &Actor, key: &Ref<AccountId>) -> Result<Entombed, Failure> {
    for _ in 0..ATTEMPTS {
        let Some((account, security)) = find(core, actor, key).await? else {
            return Ok(Entombed::Missing);
        };
        let Some(security) = security else {
            return Ok(Entombed::Before(account.updated_at));
        };
        let epoch = security.epoch.saturating_add(1);
        let tombstone = sign(core, key, &security, |next| {
            next.status = AccountStatus::Erased;
            next.role = Role::User;
            next.is_email_verified = false;
            next.is_phone_verified = false;
            next.password_hash = None;
            next.factors = Factors::default();
            next.epoch = epoch;
            next.kept_session = None;
            next.slots = IndexSlots::unused(&key.id);
        })?;
        let (message_id, _) = message(core, MessageKind::Erase);
        let now = core.clock.now();
        let erased = change(&*core.stores.accounts, key, |account: &mut AccountRecord| {
            if account.erase(security.rev_sec, tombstone.clone(), &message_id, now) {
                Change::Store(())
            } else {
                Change::Leave(())
            }
        });
        match erased.await? {
            Changed::Stored(()) => {
                let standing = Standing {
                    epoch,
                    kept_session: None,
                    is_active: false,
                };
                revoke::account_moved_on(core, key, &standing).await;
                let (event, done) = (AuditEvent::AccountErased, Outcome::Success);
                core.note_with(&key.user_type, Some(&key.id), event, done, actor.details())
                    .await;
                return Ok(Entombed::Now(now, message_id));
            }
            Changed::Left(()) => {}
            Changed::Missing | Changed::Taken(_) => return Ok(Entombed::Missing),
        }
    }
    Err(contended())
}

/// The account, and what its tombstone follows on; without that where it is one. What was changed behind the service's back
/// is believed by those alone who erase it whatever it says.
async fn find(
    core: &Core,
    actor: &Actor,
    key: &Ref<AccountId>,
) -> Result<Option<(AccountRecord, Option<Security>)>, Failure> {
    if let Some((account, security)) = find_verified(core, key).await? {
        let is_erased = security.status == AccountStatus::Erased;
        return Ok(Some((account, (!is_erased).then_some(security))));
    }
    if !actor.erases_tampered() {
        return Ok(None);
    }
    let claimed = core.stores.accounts.find(key).await?.map(|account| {
        let security = account.security().claimed().clone();
        (account, Some(security))
    });
    Ok(claimed)
}

/// Writes a tombstone's erasure down and destroys its data keys, unless that was done. For the worker.
pub async fn complete(core: &Core, key: &Ref<AccountId>, erased_at: Timestamp) -> Result<(), Failure> {
    // The journal comes before the key: a key that is gone is in the journal.
    if let Some(keys) = core.stores.deks.find(key).await? {
        destroy(core, key, erased_at, Some(&keys)).await?;
    }
    Ok(())
}

/// Signs the receipt, writes it into the journal, and only then destroys the data keys.
async fn destroy(
    core: &Core,
    key: &Ref<AccountId>,
    erased_at: Timestamp,
    keys: Option<&DekRecord>,
) -> Result<String, Failure> {
    let keys = keys.map(|record| &record.deks);
    let wrapped_by: BTreeSet<_> = keys
        .iter()
        .flat_map(|keys| keys.values().map(|key| &key.kek_id))
        .collect();
    let receipt = core.signer.sign_receipt(&Receipt {
        user_type: key.user_type.clone(),
        account_id: key.id.clone(),
        erased_at,
        keys: keys.iter().flat_map(|keys| keys.keys().cloned()).collect(),
        wrapped_by: wrapped_by.into_iter().cloned().collect(),
    })?;
    if let Some(erasures) = &core.erasures {
        let facts = ErasureFacts {
            user_type: &key.user_type,
            account_id: &key.id,
            erased_at,
        };
        let line = ErasureLine {
            mac: facts.sign(&core.keyring.current())?,
            user_type: key.user_type.clone(),
            account_id: key.id.clone(),
            erased_at,
            receipt: receipt.clone(),
        };
        erasures.append(&line).await?;
    }
    core.vault.destroy(key).await?;
    Ok(receipt)
}

/// Removes what else there is under the id: sessions, the registration, the record. Every step may be repeated; the record
/// goes last, so that a crash leaves the job.
pub async fn remove_rest(core: &Core, key: &Ref<AccountId>) -> Result<(), Failure> {
    loop {
        let sessions = core.stores.sessions.ids_of_account(key, BATCH).await?;
        if sessions.is_empty() {
            break;
        }
        for id in sessions {
            core.stores.sessions.delete(&Ref::new(&key.user_type, id)).await?;
        }
    }
    // Its link was used: without the tombstone the next click, or the sweep, would make the account again.
    core.stores.registrations.delete(key).await?;
    core.stores.accounts.delete(key).await?;
    Ok(())
}

/// Whether the caller may erase the account: by its password, or by a fresh sign-in.
pub async fn prove_owner(core: &Core, caller: &Caller, password: Option<Password>) -> Result<(), EraseError> {
    let Some(password) = password else {
        return if is_fresh(core, caller).await? {
            Ok(())
        } else {
            Err(EraseError::StaleSignIn)
        };
    };
    Ok(check_password(core, caller, password, AuditEvent::AccountErased).await?)
}

impl From<PasswordError> for EraseError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Wrong => Self::WrongPassword,
            PasswordError::TooManyTries { retry_after } => Self::TooManyTries { retry_after },
            PasswordError::Gone => Self::Gone,
            PasswordError::Failure(failure) => failure.into(),
        }
    }
}
