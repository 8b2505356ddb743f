//! Erases again whom the journal names: after a restore, whatever the restored databases hold of them.
//!
//! A line counts if its MAC is of this service, or its receipt of a token key that is trusted: a line that somebody planted
//! erases nobody. Each is done whole before the next, every step may be repeated, and what is done already is found so: the
//! whole may be stopped anywhere and begun again.

use crate::{
    crypto::{erasure_mac::ErasureFacts, receipt::ReceiptKeys},
    domain::{
        account::AccountStatus,
        audit::{AuditEvent, Outcome},
        clock::Timestamp,
        ids::AccountId,
    },
    service::{
        accounts::hand_over,
        core::Core,
        erase_account::{Actor, Entombed, entomb, remove_rest},
        failure::Failure,
    },
    storage::{Documents, Record, Ref, StoreError, erasures::ErasureLine},
};

/// Why a line erases nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// Cut off by a crash, or altered.
    Unreadable,
    /// Neither its MAC nor its receipt is of this service.
    Unsigned,
    /// Its population is not configured.
    UnknownUserType,
}

/// What became of the account of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was there, and is erased.
    Erased,
    /// Its account was not, but a registration, a data key or sessions were, and are removed.
    Removed,
    /// Nothing of it is there.
    Gone,
    /// Another was made under the same imported id since, and stays.
    MadeLater,
}

/// What a line says, if it is of this service.
pub fn read_line(core: &Core, keys: &ReceiptKeys, text: &str) -> Result<ErasureLine, Unproven> {
    let line = ErasureLine::parse(text).ok_or(Unproven::Unreadable)?;
    let facts = ErasureFacts {
        user_type: &line.user_type,
        account_id: &line.account_id,
        erased_at: line.erased_at,
    };
    let is_signed = facts.is_signed_by(&core.keyring.current(), &line.mac) || has_receipt(keys, &line);
    if !is_signed {
        return Err(Unproven::Unsigned);
    }
    if !core.user_types.contains_key(&line.user_type) {
        return Err(Unproven::UnknownUserType);
    }
    Ok(line)
}

/// A restored keyring may lack the MAC key of later lines: their receipts count beside it.
fn has_receipt(keys: &ReceiptKeys, line: &ErasureLine) -> bool {
    keys.verify(&line.receipt).is_ok_and(|proven| {
        let receipt = proven.receipt;
        receipt.user_type == line.user_type
            && receipt.account_id == line.account_id
            && receipt.erased_at.as_secs() == line.erased_at.as_secs()
    })
}

/// Erases whom the line names, or only tells what that would do.
pub async fn apply(core: &Core, line: &ErasureLine, is_dry: bool) -> Result<Fate, Failure> {
    let key = Ref::new(&line.user_type, line.account_id.clone());
    let stores = &core.stores;
    let mut is_tombstone = false;
    let account = made_at(&*stores.accounts, &key, |account| {
        is_tombstone = account.sealed.is_none() && account.security().claimed().status == AccountStatus::Erased;
        account.created_at
    })
    .await?;
    let registration = made_at(&*stores.registrations, &key, |registration| registration.created_at).await?;
    // An id of ours is used once, whatever the clocks say; an imported one may come again.
    let is_imported = line.account_id.made_at().is_none();
    let is_later = |found: Found| is_imported && matches!(found, Found::At(at) if at > line.erased_at);
    if is_later(account) || is_later(registration) {
        return Ok(Fate::MadeLater);
    }
    let has_key = stores.deks.find(&key).await?.is_some();
    if account == Found::Nothing {
        let has_sessions = !stores.sessions.ids_of_account(&key, 1).await?.is_empty();
        if registration == Found::Nothing && !has_key && !has_sessions {
            return Ok(Fate::Gone);
        }
        if !is_dry {
            // The registration first: without its key its link would make an account that nobody can open.
            stores.registrations.delete(&key).await?;
            core.vault.destroy(&key).await?;
            remove_rest(core, &key).await?;
            note(core, &key).await;
        }
        return Ok(Fate::Removed);
    }
    if is_dry {
        return Ok(if is_tombstone && !has_key {
            Fate::Gone
        } else {
            Fate::Erased
        });
    }
    stores.registrations.delete(&key).await?;
    if account == Found::Damaged {
        core.vault.destroy(&key).await?;
        remove_rest(core, &key).await?;
        note(core, &key).await;
        return Ok(Fate::Erased);
    }
    // The worker removes the rest. The line that is applied is in a journal.
    let entombed = entomb(core, &Actor::Journal, &key).await?;
    let had_key = core.vault.destroy(&key).await?;
    Ok(match entombed {
        Entombed::Now(_, message_id) => {
            hand_over(core, &key, message_id);
            Fate::Erased
        }
        Entombed::Before(_) | Entombed::Missing if had_key => Fate::Erased,
        Entombed::Before(_) | Entombed::Missing => Fate::Gone,
    })
}

/// What lies under an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// Made then.
    At(Timestamp),
    /// Something that can't be read.
    Damaged,
}

async fn made_at<R: Record<Id = AccountId>>(
    port: &(impl Documents<R> + ?Sized),
    key: &Ref<AccountId>,
    at: impl FnOnce(&R) -> Timestamp,
) -> Result<Found, Failure> {
    match port.find(key).await {
        Ok(found) => Ok(found.map_or(Found::Nothing, |record| Found::At(at(&record)))),
        Err(StoreError::Damaged(_)) => Ok(Found::Damaged),
        Err(error) => Err(error.into()),
    }
}

async fn note(core: &Core, key: &Ref<AccountId>) {
    let details = Actor::Journal.details();
    core.note_with(
        &key.user_type,
        Some(&key.id),
        AuditEvent::AccountErased,
        Outcome::Success,
        details,
    )
    .await;
}
