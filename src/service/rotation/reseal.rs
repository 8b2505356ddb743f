//! Gives an owner a new data key, seals everything anew, and removes the old one when nothing can name it any more.
//!
//! The new key is stored first: from then on whoever opens the owner's keys seals under it. What another process sealed
//! under the old one before, and stored after this has passed, the next pass seals anew; that pass begins five minutes
//! later, and no request or message is that long under way. Only then the old key goes.

use crate::{
    crypto::{
        data_key::{DataKeys, Dek},
        record_mac::{Security, SignedSecurity},
        sealed::CannotOpen,
    },
    domain::ids::AccountId,
    service::{
        accounts::{ATTEMPTS, contended, find_verified, sign},
        core::Core,
        failure::Failure,
    },
    storage::{
        Change, Changed, Documents, Record, Ref, StoreError, accounts::AccountRecord, change, deks::DekRecord,
        registrations::RegistrationRecord, sessions::SessionRecord,
    },
};

/// Sessions of one account that are sealed anew: more than an account can have.
const SESSIONS: u32 = 10_000;

/// Gives the owner a data key of `generation` unless it has one, and seals everything under its newest; whether there was
/// anything to do.
pub(super) async fn reseal(core: &Core, key: &Ref<AccountId>, generation: u16) -> Result<bool, Failure> {
    let Some(record) = core.stores.deks.find(key).await? else {
        return Ok(false);
    };
    let is_older = record.generation < generation;
    if is_older {
        add_key(core, key, &record, generation).await?;
    }
    Ok(renew_owner(core, key).await? || is_older)
}

/// Removes all data keys of the owner but the newest, once nothing names them; whether there was one.
pub(super) async fn clear(core: &Core, key: &Ref<AccountId>) -> Result<bool, Failure> {
    let Some(record) = core.stores.deks.find(key).await? else {
        return Ok(false);
    };
    if record.deks.len() < 2 {
        return Ok(false);
    }
    let newest = record.newest().ok_or_else(|| damaged(key))?;
    renew_owner(core, key).await?;
    let cleared = change(&*core.stores.deks, key, |stored: &mut DekRecord| {
        if stored.keep_only(newest) {
            Change::Store(true)
        } else {
            Change::Leave(false)
        }
    });
    Ok(cleared.await?.into_value().unwrap_or_default())
}

async fn add_key(core: &Core, key: &Ref<AccountId>, record: &DekRecord, generation: u16) -> Result<(), Failure> {
    // A key that nothing belongs to (a crash came between it and its registration) needs no other.
    let is_orphan =
        core.stores.accounts.find(key).await?.is_none() && core.stores.registrations.find(key).await?.is_none();
    let number = record.newest().and_then(|newest| newest.checked_add(1));
    let number = number.ok_or_else(|| damaged(key))?;
    let wrapped = core.keys.keks().wrap(Dek::make().expose()).await?;
    let added = change(&*core.stores.deks, key, |stored: &mut DekRecord| {
        // Another worker was quicker.
        if stored.generation >= generation || stored.newest() != record.newest() {
            return Change::Leave(());
        }
        if is_orphan {
            stored.generation = generation;
        } else {
            stored.add(number, wrapped.clone(), generation);
        }
        Change::Store(())
    });
    added.await?;
    Ok(())
}

fn damaged(key: &Ref<AccountId>) -> Failure {
    StoreError::Damaged(format!("data keys of {key}")).into()
}

/// Seals everything of one owner under its newest key; whether anything was not.
async fn renew_owner(core: &Core, key: &Ref<AccountId>) -> Result<bool, Failure> {
    let keys = match core.vault.open(key).await {
        Ok(keys) => keys,
        // Erased meanwhile.
        Err(Failure::NoDataKey(_)) => return Ok(false),
        Err(failure) => return Err(failure),
    };
    let mut is_renewed = renew(
        &*core.stores.registrations,
        key,
        |registration: &mut RegistrationRecord| {
            Ok(registration.sealed.renew(&keys)? | registration.outbox.renew(&keys)?)
        },
    )
    .await?;
    is_renewed |= renew_account(core, key, &keys).await?;
    for session in core.stores.sessions.ids_of_account(key, SESSIONS).await? {
        let session = Ref::new(&key.user_type, session);
        is_renewed |= renew(&*core.stores.sessions, &session, |session: &mut SessionRecord| {
            session.renew(&keys)
        })
        .await?;
    }
    Ok(is_renewed)
}

/// Applies `renew` to a record; whether it changed it. A record that is not there needs nothing.
async fn renew<R: Record>(
    port: &(impl Documents<R> + ?Sized),
    key: &Ref<R::Id>,
    renew: impl Fn(&mut R) -> Result<bool, CannotOpen> + Send + Sync,
) -> Result<bool, Failure> {
    let Some(mut found) = port.find(key).await? else {
        return Ok(false);
    };
    // Looked at first: a change takes the store's write lock.
    if !renew(&mut found)? {
        return Ok(false);
    }
    let changed = change(port, key, |record: &mut R| match renew(record) {
        Ok(true) => Change::Store(Ok(true)),
        other => Change::Leave(other),
    });
    Ok(changed.await?.into_value().unwrap_or(Ok(false))?)
}

async fn renew_account(core: &Core, key: &Ref<AccountId>, keys: &DataKeys) -> Result<bool, Failure> {
    for _ in 0..ATTEMPTS {
        if core.stores.accounts.find(key).await?.is_none() {
            return Ok(false);
        }
        let Some((mut found, security)) = find_verified(core, key).await? else {
            return Err(crate::crypto::record_mac::Tampered.into());
        };
        let signed = renewed_factors(core, key, &security, keys)?;
        if !renew_sealed(&mut found, keys)? && signed.is_none() {
            return Ok(false);
        }
        let changed = change(&*core.stores.accounts, key, |account: &mut AccountRecord| {
            let is_replaced = match &signed {
                Some(signed) => account.replace_security(security.rev_sec, signed.clone()),
                None => true,
            };
            match renew_sealed(account, keys) {
                Ok(_) if is_replaced => Change::Store(Ok(true)),
                Ok(_) => Change::Leave(Ok(false)),
                Err(error) => Change::Leave(Err(error)),
            }
        });
        match changed.await? {
            Changed::Stored(_) => return Ok(true),
            Changed::Left(Err(error)) => return Err(error.into()),
            Changed::Left(Ok(_)) => {}
            Changed::Missing | Changed::Taken(_) => return Ok(false),
        }
    }
    Err(contended())
}

/// What lies outside of the MAC.
fn renew_sealed(account: &mut AccountRecord, keys: &DataKeys) -> Result<bool, CannotOpen> {
    let is_person_renewed = match &mut account.sealed {
        Some(sealed) => sealed.renew(keys)?,
        None => false,
    };
    Ok(account.outbox.renew(keys)? || is_person_renewed)
}

/// The authenticator's secret, and what recovery codes are keyed with, lie under it.
fn renewed_factors(
    core: &Core,
    key: &Ref<AccountId>,
    security: &Security,
    keys: &DataKeys,
) -> Result<Option<SignedSecurity>, Failure> {
    let mut factors = security.factors.clone();
    if !factors.renew(keys)? {
        return Ok(None);
    }
    Ok(Some(sign(core, key, security, |next| next.factors = factors)?))
}
