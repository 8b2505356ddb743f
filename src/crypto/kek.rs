//! Key-encryption keys: what wraps every other key, behind one trait, so that they may live in a file, an environment
//! variable or a key-management service.
//!
//! To add a provider: implement [`KekProvider`]. `wrap` and `unwrap` use the key that is named and no other; what a key is
//! called never changes; and none is ever made but by `make`. What can't be done for now is [`KekError::Unavailable`],
//! which a client is told as 503: never an answer that looks like another key's, never an empty one.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    crypto::system_entropy,
    domain::{ids::KekId, octets},
};

/// A key wrapped by a key-encryption key. Safe to store.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrappedKey {
    /// What wrapped it.
    pub kek_id: KekId,
    /// AES-256-KWP (RFC 5649): 40 bytes for a 32-byte key; or the provider's own form.
    #[serde(with = "octets")]
    pub wrapped: Vec<u8>,
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedKey({})", self.kek_id)
    }
}

/// Why a key can't be wrapped or unwrapped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KekError {
    /// The provider has no such key. Never answered by making one.
    #[error("the key provider has no key `{0}`; put the key file or secret that holds it back")]
    Unknown(KekId),
    /// The bytes are not what that key wrapped.
    #[error("a wrapped key is damaged, or was wrapped by another key under the same id")]
    Damaged,
    /// The provider does not answer.
    #[error("the key provider does not answer")]
    Unavailable,
    /// The provider answers, and can't be used until somebody mends it. Says how; holds no key.
    #[error("the key provider can't be used: {0}")]
    Unusable(String),
    /// Keys of this provider are made by its operator. Says how.
    #[error("a key can't be made from here: {0}")]
    CannotMake(String),
}

/// Holds key-encryption keys and nothing else, and wraps and unwraps with them.
#[async_trait]
pub trait KekProvider: Send + Sync + 'static {
    /// Every key that it has now and that may wrap, oldest first, at least one; a file is read again, a service asked.
    async fn known(&self) -> Result<Vec<KekId>, KekError>;
    /// Makes another, which is the last of [`known`](Self::known) from then on. Nothing wraps under it until it is told to
    /// ([`Keks::activate`]). [`KekError::CannotMake`] where the operator has to, with what he has to do.
    async fn make(&self) -> Result<KekId, KekError>;
    /// Removes a key for good; one that is gone already is no failure. The caller knows that nothing names it.
    async fn destroy(&self, id: &KekId) -> Result<(), KekError>;
    /// Wraps `key` under the key that is named.
    async fn wrap(&self, under: &KekId, key: &[u8]) -> Result<WrappedKey, KekError>;
    /// Unwraps under the key that `wrapped` names.
    async fn unwrap(&self, wrapped: &WrappedKey) -> Result<Zeroizing<Vec<u8>>, KekError>;
    /// Whether a key of that name is one of this provider's, where that can be said without asking anybody.
    fn is_own(&self, _id: &KekId) -> Option<bool> {
        None
    }
}

/// The provider, and which of its keys wraps from now on.
pub struct Keks {
    provider: Arc<dyn KekProvider>,
    active: RwLock<KekId>,
}

impl Keks {
    /// Wraps under `active`.
    #[must_use]
    pub fn new(provider: Arc<dyn KekProvider>, active: KekId) -> Self {
        Self {
            provider,
            active: RwLock::new(active),
        }
    }

    /// Wraps under the newest key that the provider has.
    pub async fn newest(provider: Arc<dyn KekProvider>) -> Result<Self, KekError> {
        let newest = provider.known().await?.pop();
        let newest = newest.ok_or_else(|| KekError::Unusable("it has no key".to_owned()))?;
        Ok(Self::new(provider, newest))
    }

    /// The key that wraps.
    #[must_use]
    pub fn active(&self) -> KekId {
        self.active.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on `id` wraps.
    pub fn activate(&self, id: KekId) {
        *self.active.write().unwrap_or_else(PoisonError::into_inner) = id;
    }

    /// Who has the keys.
    #[must_use]
    pub fn provider(&self) -> &dyn KekProvider {
        &*self.provider
    }

    /// Wraps `key` under the active key.
    pub async fn wrap(&self, key: &[u8]) -> Result<WrappedKey, KekError> {
        self.provider.wrap(&self.active(), key).await
    }

    /// Wraps a key of nobody's and unwraps it.
    pub async fn probe(&self) -> Result<(), KekError> {
        let probe = system_entropy::make_key();
        let wrapped = self.wrap(probe.as_slice()).await?;
        if *self.unwrap(&wrapped).await? == probe.as_slice() {
            Ok(())
        } else {
            Err(KekError::Damaged)
        }
    }

    /// Unwraps under the key that `wrapped` names.
    pub async fn unwrap(&self, wrapped: &WrappedKey) -> Result<Zeroizing<Vec<u8>>, KekError> {
        self.provider.unwrap(wrapped).await
    }
}

impl fmt::Debug for Keks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keks({})", self.active())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::local_keks::LocalKeks;

    fn kek(n: u8) -> (KekId, Zeroizing<[u8; 32]>) {
        let id = format!("kek_{}", "0".repeat(25) + &n.to_string());
        (id.parse().expect("valid id"), Zeroizing::new([n; 32]))
    }

    #[tokio::test]
    async fn a_newer_key_wraps_once_it_is_told_to_and_the_older_unwraps_on() {
        let both = LocalKeks::new(vec![kek(1), kek(2)]).expect("two keys");
        let keks = Keks::new(Arc::new(both), kek(1).0);
        let before = keks.wrap(&[5; 32]).await.expect("wraps");
        keks.activate(kek(2).0);
        let after = keks.wrap(&[6; 32]).await.expect("wraps");
        assert_eq!([&before.kek_id, &after.kek_id], [&kek(1).0, &kek(2).0]);
        assert_eq!(keks.unwrap(&before).await.expect("unwraps").as_slice(), [5; 32]);
        assert_eq!(keks.unwrap(&after).await.expect("unwraps").as_slice(), [6; 32]);
    }

    #[tokio::test]
    async fn the_newest_is_the_last() {
        let both = LocalKeks::new(vec![kek(1), kek(2)]).expect("two keys");
        let keks = Keks::newest(Arc::new(both)).await.expect("a key");
        assert_eq!(keks.active(), kek(2).0);
        assert_eq!(keks.provider().known().await, Ok(vec![kek(1).0, kek(2).0]));
    }
}
