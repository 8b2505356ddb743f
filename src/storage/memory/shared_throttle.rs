//! Tries that all servers count together, and what a server does alone while the shared store is away.

use std::sync::{Arc, atomic::AtomicU32};

use async_trait::async_trait;

use crate::{
    domain::clock::Timestamp,
    storage::{
        documents::StoreError,
        limits::LimitKey,
        memory::{MemoryThrottle, fallback::Fallback},
        throttle::{Charged, Pace, Throttle},
    },
};

/// The adapter.
pub struct SharedThrottle {
    shared: Arc<dyn Throttle>,
    own: MemoryThrottle,
    fallback: Fallback,
}

impl SharedThrottle {
    /// Over `shared`; `servers` is how many were seen last.
    #[must_use]
    pub fn new(shared: Arc<dyn Throttle>, servers: Arc<AtomicU32>) -> Self {
        Self {
            shared,
            own: MemoryThrottle::default(),
            fallback: Fallback::new(servers),
        }
    }
}

#[async_trait]
impl Throttle for SharedThrottle {
    async fn charge(&self, keys: &[(LimitKey, Pace)], now: Timestamp) -> Result<Charged, StoreError> {
        if let Some(charged) = self.fallback.ask(now, self.shared.charge(keys, now)).await {
            if charged == Charged::Admitted {
                // So that a shared store that goes away, or is slow for once, grants nobody a fresh start.
                self.own.note(keys, now);
            }
            return Ok(charged);
        }
        let share = |(key, pace): &(LimitKey, Pace)| {
            let free = self.fallback.share(pace.free);
            (*key, Pace { free, ..*pace })
        };
        let keys: Vec<_> = keys.iter().map(share).collect();
        self.own.charge(&keys, now).await
    }

    /// Both are told: a try may have been counted by either.
    async fn succeed(&self, forgotten: &[LimitKey], refunded: &[LimitKey]) -> Result<(), StoreError> {
        self.own.succeed(forgotten, refunded).await?;
        self.shared.succeed(forgotten, refunded).await
    }
}

impl std::fmt::Debug for SharedThrottle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedThrottle")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);
    const PACE: Pace = Pace {
        free: 6,
        first_pause: Duration::from_secs(1),
        longest_pause: Duration::from_mins(1),
        memory: Duration::from_hours(1),
    };

    struct Away;
    #[async_trait]
    impl Throttle for Away {
        async fn charge(&self, _: &[(LimitKey, Pace)], _: Timestamp) -> Result<Charged, StoreError> {
            Err(StoreError::Unavailable("away".into()))
        }
        async fn succeed(&self, _: &[LimitKey], _: &[LimitKey]) -> Result<(), StoreError> {
            Err(StoreError::Unavailable("away".into()))
        }
    }

    /// Answers so many tries and goes away.
    struct Going(std::sync::atomic::AtomicI32);
    #[async_trait]
    impl Throttle for Going {
        async fn charge(&self, _: &[(LimitKey, Pace)], _: Timestamp) -> Result<Charged, StoreError> {
            match self.0.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) {
                1.. => Ok(Charged::Admitted),
                _ => Err(StoreError::Unavailable("away".into())),
            }
        }
        async fn succeed(&self, _: &[LimitKey], _: &[LimitKey]) -> Result<(), StoreError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_the_shared_store_admitted_counts_when_it_is_away() {
        let throttle = SharedThrottle::new(Arc::new(Going(4.into())), Arc::new(AtomicU32::new(1)));
        let mut admitted = 0;
        for _ in 0..10 {
            let charged = throttle.charge(&[(LimitKey([7; 32]), PACE)], NOW).await;
            admitted += u32::from(charged.expect("counted") == Charged::Admitted);
        }
        assert_eq!(admitted, PACE.free);
    }

    #[tokio::test]
    async fn while_the_shared_store_is_away_a_server_admits_its_share() {
        for (servers, share) in [(0, 6), (2, 3), (100, 1)] {
            let throttle = SharedThrottle::new(Arc::new(Away), Arc::new(AtomicU32::new(servers)));
            let mut admitted = 0;
            for _ in 0..10 {
                let charged = throttle.charge(&[(LimitKey([7; 32]), PACE)], NOW).await;
                admitted += u32::from(charged.expect("counted") == Charged::Admitted);
            }
            assert_eq!(admitted, share, "{servers} servers");
        }
    }
}
