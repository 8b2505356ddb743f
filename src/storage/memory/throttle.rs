//! Tries in a map behind a lock: exact, since every try of the process goes through it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use crate::{
    domain::clock::Timestamp,
    storage::{
        documents::StoreError,
        limits::LimitKey,
        throttle::{Charged, Pace, Throttle, Tries},
    },
};

/// Past so many secrets, those that are forgotten by now are dropped.
const MANY: usize = 100_000;

struct Counted {
    tries: Tries,
    forgotten_at: Timestamp,
}

/// The adapter.
#[derive(Default)]
pub struct MemoryThrottle(Mutex<HashMap<LimitKey, Counted>>);

impl MemoryThrottle {
    /// Counts tries that were admitted elsewhere.
    pub(super) fn note(&self, keys: &[(LimitKey, Pace)], now: Timestamp) {
        let mut counted = self.counted();
        for (key, pace) in keys {
            let known = counted.get(key).filter(|known| now < known.forgotten_at);
            let count = known.map_or(0, |known| known.tries.count).saturating_add(1);
            let tries = Tries { count, last: now };
            let forgotten_at = now.plus(pace.memory);
            counted.insert(*key, Counted { tries, forgotten_at });
        }
    }

    fn counted(&self) -> MutexGuard<'_, HashMap<LimitKey, Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Throttle for MemoryThrottle {
    async fn charge(&self, keys: &[(LimitKey, Pace)], now: Timestamp) -> Result<Charged, StoreError> {
        let mut counted = self.counted();
        if counted.len() >= MANY {
            counted.retain(|_, counted| now < counted.forgotten_at);
        }
        let mut admitted = Vec::with_capacity(keys.len());
        let mut longest = None;
        for (key, pace) in keys {
            match pace.charge(counted.get(key).map(|counted| counted.tries), now) {
                Ok(tries) => admitted.push((*key, pace, tries)),
                Err(wait) => longest = longest.max(Some(wait)),
            }
        }
        if let Some(retry_after) = longest {
            return Ok(Charged::Refused { retry_after });
        }
        for (key, pace, tries) in admitted {
            let forgotten_at = now.plus(pace.memory);
            counted.insert(key, Counted { tries, forgotten_at });
        }
        Ok(Charged::Admitted)
    }

    async fn succeed(&self, forgotten: &[LimitKey], refunded: &[LimitKey]) -> Result<(), StoreError> {
        let mut counted = self.counted();
        for key in forgotten {
            counted.remove(key);
        }
        for key in refunded {
            if let Some(counted) = counted.get_mut(key) {
                counted.tries.count = counted.tries.count.saturating_sub(1);
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for MemoryThrottle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemoryThrottle")
    }
}
