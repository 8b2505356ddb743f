//! Data keys: made, wrapped, stored, and fetched for those who may open what they seal.

use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    crypto::{
        data_key::{DataKeys, Dek, NoDataKey},
        dek_cache::DekCache,
        kek::{KekError, Keks},
        keyring::{KeyUse, Keyring, SharedKeyring},
    },
    domain::ids::{AccountId, MessageId},
    service::failure::Failure,
    storage::{
        Inserted, Ref, StoreError,
        deks::{DekRecord, Deks},
    },
};

/// Joins the key provider and the key database.
#[derive(Clone)]
pub struct Vault {
    keks: Arc<Keks>,
    deks: Arc<dyn Deks>,
    keyring: SharedKeyring,
    cache: Option<Arc<DekCache>>,
}

impl Vault {
    /// Over this provider and this port.
    #[must_use]
    pub fn new(keks: Arc<Keks>, deks: Arc<dyn Deks>, keyring: SharedKeyring) -> Self {
        Self {
            keks,
            deks,
            keyring,
            cache: None,
        }
    }

    /// Remembers what was unwrapped, where unwrapping asks a service.
    #[must_use]
    pub fn remembering(self, cache: Option<Arc<DekCache>>) -> Self {
        Self { cache, ..self }
    }

    /// What is remembered, to be swept.
    #[must_use]
    pub fn cache(&self) -> Option<&Arc<DekCache>> {
        self.cache.as_ref()
    }

    /// Whether the key provider wraps and unwraps.
    pub async fn probe(&self) -> Result<(), KekError> {
        self.keks.probe().await
    }

    /// Makes the first data key of a new registration or account and stores it, before anything is sealed with it.
    pub async fn make(&self, owner: &Ref<AccountId>) -> Result<DataKeys, Failure> {
        let dek = Dek::make();
        let wrapped = self.keks.wrap(dek.expose()).await?;
        let generation = self.keyring.current().active(&KeyUse::Dek).map_or(1, |key| key.version);
        match self.deks.insert(&DekRecord::first(owner, wrapped, generation)).await? {
            Inserted::Stored => Ok(DataKeys::new(&owner.user_type, owner.id.as_str(), [(1, dek)])?),
            Inserted::Taken(_) => Err(StoreError::Damaged(format!("{owner} has a data key before it exists")).into()),
        }
    }

    /// The data keys of a record that exists.
    pub async fn open(&self, owner: &Ref<AccountId>) -> Result<DataKeys, Failure> {
        // Whatever is remembered, whether there still is a key is asked.
        let record = self.deks.find(owner).await?.ok_or(NoDataKey)?;
        let remembered = (&owner.user_type, &owner.id);
        if let Some(keys) = self
            .cache
            .as_ref()
            .and_then(|cache| cache.get(remembered, &record.deks, Instant::now()))
        {
            return Ok(DataKeys::new(&owner.user_type, owner.id.as_str(), keys)?);
        }
        // Their time begins before they are asked for.
        let asked = Instant::now();
        let mut keys = Vec::with_capacity(record.deks.len());
        for (number, wrapped) in &record.deks {
            let bytes = self.keks.unwrap(wrapped).await?;
            let number = number
                .parse()
                .map_err(|_| StoreError::Damaged(format!("data keys of {owner}")))?;
            keys.push((number, Dek::from_bytes(&bytes).ok_or(KekError::Damaged)?));
        }
        if let Some(cache) = &self.cache {
            cache.keep(remembered, &record.deks, &keys, asked);
        }
        Ok(DataKeys::new(&owner.user_type, owner.id.as_str(), keys)?)
    }

    /// Removes the data keys of a record that is gone: what they sealed opens no more, wherever a copy lies.
    pub async fn destroy(&self, owner: &Ref<AccountId>) -> Result<bool, Failure> {
        let deleted = self.deks.delete(owner).await?;
        if let Some(cache) = &self.cache {
            cache.forget((&owner.user_type, &owner.id));
        }
        Ok(deleted)
    }
}

/// The keys under which the address of one request is sealed: shared by all requests, bound to this one.
pub fn request_keys(keyring: &Keyring, request: &Ref<MessageId>) -> Result<DataKeys, Failure> {
    let active = keyring.active(&KeyUse::Request)?.version;
    let keys = keyring
        .all_readable(&KeyUse::Request)
        .filter_map(|key| Some((key.version, Dek::from_bytes(&key.material)?)));
    Ok(DataKeys::new(&request.user_type, request.id.as_str(), keys)?.sealing_under(active)?)
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::{
        crypto::{
            field::RequestAddress,
            keyring::{KeyState, RootKey},
        },
        domain::email::Email,
    };

    #[test]
    fn a_pending_request_key_opens_and_does_not_seal() {
        let ring = |states: [KeyState; 2]| {
            let mut keyring = Keyring::default();
            for (version, state) in (1..).zip(states) {
                let material = Zeroizing::new(vec![u8::try_from(version).expect("small"); 32]);
                keyring.insert(
                    KeyUse::Request,
                    RootKey {
                        version,
                        state,
                        material,
                    },
                );
            }
            keyring
        };
        let user_type = "User1".parse().expect("valid");
        let id = format!("msg_{}", "0".repeat(26)).parse().expect("valid");
        let request = Ref::new(&user_type, id);
        let early = request_keys(&ring([KeyState::Active, KeyState::Pending]), &request).expect("keys");
        let late = request_keys(&ring([KeyState::VerifyOnly, KeyState::Active]), &request).expect("keys");
        let address = Email::parse("ada@example.com").expect("valid");
        let sealed_early = early.seal::<RequestAddress>(&address);
        let sealed_late = late.seal::<RequestAddress>(&address);
        assert_eq!(
            [sealed_early.key_number(), sealed_late.key_number()],
            [Some(1), Some(2)]
        );
        assert!(early.open(&sealed_late).is_ok() && late.open(&sealed_early).is_ok());
    }
}
