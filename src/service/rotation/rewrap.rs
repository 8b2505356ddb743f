//! Wraps keys by another key-encryption key. What they seal is not touched.

use std::collections::BTreeMap;

use crate::{
    crypto::keyring::KeyUse,
    domain::ids::AccountId,
    service::{core::Core, failure::Failure},
    storage::{Change, Ref, change, deks::DekRecord, keyring::KeyringRecord},
};

/// Wraps the data keys of one owner by the active key; whether another had wrapped one.
pub(super) async fn data_keys(core: &Core, key: &Ref<AccountId>) -> Result<bool, Failure> {
    let keks = core.keys.keks();
    let active = keks.active();
    loop {
        let Some(record) = core.stores.deks.find(key).await? else {
            return Ok(false);
        };
        if record.deks.values().all(|wrapped| wrapped.kek_id == active) {
            return Ok(false);
        }
        let mut anew = BTreeMap::new();
        for (number, wrapped) in &record.deks {
            let wrapped = if wrapped.kek_id == active {
                wrapped.clone()
            } else {
                keks.wrap(&keks.unwrap(wrapped).await?).await?
            };
            anew.insert(number.clone(), wrapped);
        }
        let changed = change(&*core.stores.deks, key, |stored: &mut DekRecord| {
            // Another key was added or removed meanwhile: once more.
            if stored.deks != record.deks {
                return Change::Leave(false);
            }
            stored.deks.clone_from(&anew);
            Change::Store(true)
        });
        match changed.await?.into_value() {
            Some(false) => {}
            Some(true) => return Ok(true),
            None => return Ok(false),
        }
    }
}

/// Wraps every root key by the active key; how many another had wrapped. None is left when this answers zero.
pub(super) async fn root_keys(core: &Core, active: &KeyringRecord) -> Result<u64, Failure> {
    let keks = core.keys.keks();
    let mut others = 0;
    for record in core.stores.keyring.list().await? {
        // Of a key-encryption key the record shows that the provider has it: wrapped by itself.
        if record.key_use == KeyUse::Kek.name() || record.wrapped.kek_id == active.wrapped.kek_id {
            continue;
        }
        others += 1;
        let anew = KeyringRecord {
            wrapped: keks.wrap(&keks.unwrap(&record.wrapped).await?).await?,
            ..record.clone()
        };
        // Lost where the version has moved on meanwhile: the next round sees it.
        core.stores.keyring.replace(&record, &anew).await?;
    }
    Ok(others)
}

/// Records that name `kek`: data keys and root keys.
pub(super) async fn count_naming(core: &Core, kek: &KeyringRecord) -> Result<u64, Failure> {
    const PAGE: u32 = 500;
    let id = &kek.wrapped.kek_id;
    let root_keys = core.stores.keyring.list().await?;
    let names = |record: &&KeyringRecord| record.key_use != KeyUse::Kek.name() && record.wrapped.kek_id == *id;
    let mut naming = u64::try_from(root_keys.iter().filter(names).count()).unwrap_or(u64::MAX);
    for user_type in core.user_types.keys() {
        let mut after: Option<AccountId> = None;
        loop {
            let page = core.stores.deks.versions(user_type, after.as_ref(), PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (owner, _) in page {
                let record = core.stores.deks.find(&Ref::new(user_type, owner)).await?;
                let named = |record: DekRecord| record.deks.values().any(|wrapped| wrapped.kek_id == *id);
                naming += u64::from(record.is_some_and(named));
            }
        }
    }
    Ok(naming)
}
