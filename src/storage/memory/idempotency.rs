//! Remembered requests in a map behind a lock.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;

use crate::{
    domain::clock::Timestamp,
    storage::{
        documents::StoreError,
        idempotency::{Begun, Idempotency, IdempotencyKey, Remembered},
    },
};

/// Past so many requests, those whose time is over are dropped.
const MANY: usize = 10_000;

/// The adapter.
#[derive(Debug, Default)]
pub struct MemoryIdempotency(Mutex<HashMap<IdempotencyKey, Remembered>>);

#[async_trait]
impl Idempotency for MemoryIdempotency {
    async fn begin(&self, key: IdempotencyKey, request: &Remembered, now: Timestamp) -> Result<Begun, StoreError> {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() >= MANY {
            requests.retain(|_, remembered| remembered.expires_at > now);
        }
        if let Some(remembered) = requests.get(&key).filter(|remembered| remembered.expires_at > now) {
            return Ok(Begun::Seen(remembered.clone()));
        }
        requests.insert(key, request.clone());
        Ok(Begun::First)
    }

    async fn finish(&self, key: IdempotencyKey, answer: &str) -> Result<(), StoreError> {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remembered) = requests.get_mut(&key) {
            remembered.answer = Some(answer.to_owned());
        }
        Ok(())
    }

    async fn forget(&self, key: IdempotencyKey) -> Result<(), StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        Ok(())
    }
}
