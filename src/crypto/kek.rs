//! Key-encryption keys: what wraps every other key, behind one trait, so that they may live in a file, an
//! environment variable or a key-management service.
//!
//! To add a provider: implement [`KekProvider`]; `wrap` names the key it used, `unwrap` uses the one that is named.

use std::fmt;

use aes::Aes256;
use aes_kw::{AesKwp, KeyInit};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::domain::{ids::KekId, octets};

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
}

/// Wraps and unwraps keys; holds the key-encryption keys and nothing else.
#[async_trait]
pub trait KekProvider: Send + Sync + 'static {
    /// The key that wraps from now on.
    fn active(&self) -> &KekId;
    /// Wraps `key` under the active key.
    async fn wrap(&self, key: &[u8]) -> Result<WrappedKey, KekError>;
    /// Unwraps under the key that is named.
    async fn unwrap(&self, wrapped: &WrappedKey) -> Result<Zeroizing<Vec<u8>>, KekError>;
}

/// What AES-KWP makes of the shortest key there is. Anything shorter carries no ciphertext: RFC 5649 wraps one octet or
/// more, and its integrity check value alone, which everybody knows, would pass for an empty key under any KEK.
const SHORTEST_WRAPPED: usize = 16;

/// Key-encryption keys held in this process.
pub struct LocalKeks {
    /// At least one; the last is active.
    keys: Vec<(KekId, Zeroizing<[u8; 32]>)>,
}

impl LocalKeks {
    /// `keys` in order of age; `None` when there is none.
    #[must_use]
    pub fn new(keys: Vec<(KekId, Zeroizing<[u8; 32]>)>) -> Option<Self> {
        (!keys.is_empty()).then_some(Self { keys })
    }
}

#[async_trait]
impl KekProvider for LocalKeks {
    fn active(&self) -> &KekId {
        &self.keys[self.keys.len() - 1].0
    }

    async fn wrap(&self, key: &[u8]) -> Result<WrappedKey, KekError> {
        if key.is_empty() {
            return Err(KekError::Damaged);
        }
        let (kek_id, kek) = &self.keys[self.keys.len() - 1];
        let mut wrapped = vec![0; key.len().next_multiple_of(8) + 8];
        AesKwp::<Aes256>::new(&(**kek).into())
            .wrap_key(key, &mut wrapped)
            .map_err(|_| KekError::Damaged)?;
        Ok(WrappedKey {
            kek_id: kek_id.clone(),
            wrapped,
        })
    }

    async fn unwrap(&self, wrapped: &WrappedKey) -> Result<Zeroizing<Vec<u8>>, KekError> {
        let (_, kek) = self
            .keys
            .iter()
            .find(|(id, _)| *id == wrapped.kek_id)
            .ok_or_else(|| KekError::Unknown(wrapped.kek_id.clone()))?;
        if wrapped.wrapped.len() < SHORTEST_WRAPPED {
            return Err(KekError::Damaged);
        }
        let mut buffer = Zeroizing::new(vec![0; wrapped.wrapped.len()]);
        let key = AesKwp::<Aes256>::new(&(**kek).into())
            .unwrap_key(&wrapped.wrapped, &mut buffer)
            .map_err(|_| KekError::Damaged)?;
        Ok(Zeroizing::new(key.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::frozen::{Frozen, array, bytes, hex, text};

    fn kek(n: u8) -> (KekId, Zeroizing<[u8; 32]>) {
        let id = format!("kek_{}", "0".repeat(25) + &n.to_string())
            .parse()
            .expect("valid id");
        (id, Zeroizing::new([n; 32]))
    }

    #[tokio::test]
    async fn a_key_unwraps_under_the_kek_that_wrapped_it_and_no_other() {
        let old = LocalKeks::new(vec![kek(1)]).expect("one key");
        let wrapped = old.wrap(&[5; 32]).await.expect("wraps");
        assert_eq!(wrapped.wrapped.len(), 40);
        let both = LocalKeks::new(vec![kek(1), kek(2)]).expect("two keys");
        assert_eq!(both.unwrap(&wrapped).await.expect("still known").as_slice(), [5; 32]);
        let new = LocalKeks::new(vec![kek(2)]).expect("one key");
        assert_eq!(new.unwrap(&wrapped).await, Err(KekError::Unknown(kek(1).0)));
        let relabelled = WrappedKey {
            kek_id: kek(2).0,
            ..wrapped
        };
        assert_eq!(new.unwrap(&relabelled).await, Err(KekError::Damaged));
    }

    #[tokio::test]
    async fn frozen_vector() {
        let frozen = Frozen::read().0;
        let vector = &frozen["wrapped_dek"];
        let id: KekId = text(&vector["kek_id"]).parse().expect("an id");
        let keks = LocalKeks::new(vec![(id, Zeroizing::new(array(&vector["kek"])))]).expect("one key");
        let wrapped = keks.wrap(&bytes(&frozen["dek"])).await.expect("wraps");
        assert_eq!(hex(&wrapped.wrapped), vector["wrapped"]);
        assert_eq!(wrapped.kek_id.as_str(), vector["kek_id"]);
        assert_eq!(hex(&keks.unwrap(&wrapped).await.expect("unwraps")), frozen["dek"]);
    }

    #[tokio::test]
    async fn an_empty_key_is_neither_wrapped_nor_unwrapped() {
        let keks = LocalKeks::new(vec![kek(1)]).expect("one key");
        assert_eq!(keks.wrap(&[]).await, Err(KekError::Damaged));
        let forged = WrappedKey {
            kek_id: kek(1).0,
            wrapped: vec![0xA6, 0x59, 0x59, 0xA6, 0, 0, 0, 0],
        };
        assert_eq!(keks.unwrap(&forged).await, Err(KekError::Damaged));
    }

    #[tokio::test]
    async fn keys_of_any_length_come_back() {
        let keks = LocalKeks::new(vec![kek(3)]).expect("one key");
        for len in [1, 7, 8, 9, 32, 83] {
            let key = vec![9; len];
            let wrapped = keks.wrap(&key).await.expect("wraps");
            assert_eq!(keks.unwrap(&wrapped).await.expect("unwraps").as_slice(), key);
        }
    }
}
