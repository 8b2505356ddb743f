//! Buckets in a map behind a lock: exact, since every attempt of the process goes through it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;

use crate::{
    domain::clock::Timestamp,
    storage::{
        documents::StoreError,
        limits::{LimitKey, Limits, Quota, Spent, gcra},
    },
};

/// Past so many buckets, those that are full again are dropped.
const MANY: usize = 100_000;

/// The adapter.
#[derive(Debug, Default)]
pub struct MemoryLimits(Mutex<HashMap<LimitKey, Timestamp>>);

#[async_trait]
impl Limits for MemoryLimits {
    async fn spend(&self, key: LimitKey, quota: Quota, now: Timestamp) -> Result<Spent, StoreError> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MANY {
            buckets.retain(|_, arrival| *arrival > now);
        }
        let (spent, next) = gcra(buckets.get(&key).copied(), quota, now);
        buckets.insert(key, next);
        Ok(spent)
    }
}
