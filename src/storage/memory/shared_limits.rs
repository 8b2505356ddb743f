//! Limits that all servers share, and what a server does alone while the shared store is away.

use std::sync::{Arc, atomic::AtomicU32};

use async_trait::async_trait;

use crate::{
    domain::clock::Timestamp,
    storage::{
        documents::StoreError,
        limits::{LimitKey, Limits, Quota, Spent},
        memory::{MemoryLimits, fallback::Fallback},
    },
};

/// The adapter.
pub struct SharedLimits {
    shared: Arc<dyn Limits>,
    own: MemoryLimits,
    fallback: Fallback,
}

impl SharedLimits {
    /// Over `shared`; `servers` is how many were seen last.
    #[must_use]
    pub fn new(shared: Arc<dyn Limits>, servers: Arc<AtomicU32>) -> Self {
        Self {
            shared,
            own: MemoryLimits::default(),
            fallback: Fallback::new(servers),
        }
    }
}

#[async_trait]
impl Limits for SharedLimits {
    async fn spend(&self, key: LimitKey, quota: Quota, now: Timestamp) -> Result<Spent, StoreError> {
        if let Some(spent) = self.fallback.ask(now, self.shared.spend(key, quota, now)).await {
            return Ok(spent);
        }
        let share = Quota {
            burst: self.fallback.share(quota.burst),
            ..quota
        };
        self.own.spend(key, share, now).await
    }
}

impl std::fmt::Debug for SharedLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedLimits")
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::Ordering, time::Duration};

    use super::*;
    use crate::storage::memory::fallback::PAUSE;

    const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);
    const SIX_A_MINUTE: Quota = Quota {
        burst: 6,
        period: Duration::from_mins(1),
    };

    #[derive(Default)]
    struct Away(AtomicU32);
    #[async_trait]
    impl Limits for Away {
        async fn spend(&self, _: LimitKey, _: Quota, _: Timestamp) -> Result<Spent, StoreError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Err(StoreError::Unavailable("away".into()))
        }
    }

    #[tokio::test]
    async fn while_the_shared_store_is_away_a_server_takes_its_share_and_asks_once_a_second() {
        let away = Arc::new(Away::default());
        for (servers, share) in [(0, 6), (1, 6), (2, 3), (100, 1)] {
            let limits = SharedLimits::new(Arc::clone(&away) as Arc<_>, Arc::new(AtomicU32::new(servers)));
            away.0.store(0, Ordering::Relaxed);
            let mut allowed = 0;
            for _ in 0..10 {
                let spent = limits
                    .spend(LimitKey([7; 32]), SIX_A_MINUTE, NOW)
                    .await
                    .expect("counted");
                allowed += u32::from(matches!(spent, Spent::Allowed { .. }));
            }
            assert_eq!(
                (allowed, away.0.load(Ordering::Relaxed)),
                (share, 1),
                "{servers} servers"
            );
            let _ = limits.spend(LimitKey([7; 32]), SIX_A_MINUTE, NOW.plus(PAUSE)).await;
            assert_eq!(away.0.load(Ordering::Relaxed), 2, "asked again");
        }
    }
}
