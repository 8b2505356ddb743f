//! Writes the index values that the keyring says: those of every version that may be read with and is not pending, and in
//! a slot that no such version uses, nothing.

use crate::{
    crypto::{
        blind_index::{BlindIndexer, IndexSlots},
        data_key::DataKeys,
        record_mac::Tampered,
    },
    domain::{account::AccountStatus, ids::AccountId},
    service::{
        accounts::{ATTEMPTS, contended, find_verified, sign},
        core::Core,
        failure::Failure,
    },
    storage::{
        Change, Changed, Ref, StoreError, accounts::AccountRecord, change, profile::SealedProfile,
        registrations::RegistrationRecord,
    },
};

/// The slots of an account; whether they were others.
pub(super) async fn account(core: &Core, key: &Ref<AccountId>) -> Result<bool, Failure> {
    for _ in 0..ATTEMPTS {
        if core.stores.accounts.find(key).await?.is_none() {
            return Ok(false);
        }
        let Some((account, security)) = find_verified(core, key).await? else {
            return Err(Tampered.into());
        };
        let (Some(sealed), true) = (&account.sealed, security.status != AccountStatus::Erased) else {
            return Ok(false);
        };
        let Some(keys) = open(core, key).await? else {
            return Ok(false);
        };
        let slots = slots(core, key, sealed, &keys)?;
        if slots == security.slots {
            return Ok(false);
        }
        let signed = sign(core, key, &security, |next| next.slots = slots)?;
        let changed = change(&*core.stores.accounts, key, |account: &mut AccountRecord| {
            if account.replace_security(security.rev_sec, signed.clone()) {
                Change::Store(())
            } else {
                Change::Leave(())
            }
        });
        match changed.await? {
            Changed::Stored(()) => return Ok(true),
            Changed::Left(()) => {}
            Changed::Missing => return Ok(false),
            // Two accounts of one address: no write of ours makes them.
            Changed::Taken(_) => {
                return Err(StoreError::Damaged(format!("another account has a value of {key}")).into());
            }
        }
    }
    Err(contended())
}

/// The slots of a registration; whether they were others.
pub(super) async fn registration(core: &Core, key: &Ref<AccountId>) -> Result<bool, Failure> {
    let Some(registration) = core.stores.registrations.find(key).await? else {
        return Ok(false);
    };
    let Some(keys) = open(core, key).await? else {
        return Ok(false);
    };
    let slots = slots(core, key, &registration.sealed, &keys)?;
    if slots == registration.slots {
        return Ok(false);
    }
    let changed = change(
        &*core.stores.registrations,
        key,
        |registration: &mut RegistrationRecord| {
            registration.slots.clone_from(&slots);
            Change::Store(())
        },
    );
    Ok(changed.await? == Changed::Stored(()))
}

/// `None` where it was erased or discarded meanwhile.
async fn open(core: &Core, key: &Ref<AccountId>) -> Result<Option<DataKeys>, Failure> {
    match core.vault.open(key).await {
        Ok(keys) => Ok(Some(keys)),
        Err(Failure::NoDataKey(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn slots(core: &Core, key: &Ref<AccountId>, sealed: &SealedProfile, keys: &DataKeys) -> Result<IndexSlots, Failure> {
    let person = sealed.open(keys)?;
    let keyring = core.keyring.current();
    let indexer = BlindIndexer::new(&keyring, &key.user_type);
    Ok(indexer.slots(&key.id, &person.email, person.username.as_ref(), person.phone.as_ref())?)
}
