//! What this worker last saw of a provider.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::storage::heartbeats::ServiceHealth;

/// Failures in a row from which a provider counts as down.
const DOWN_AFTER: u32 = 5;

/// Counts failures in a row. A refusal of one mail is none: the provider works.
#[derive(Debug, Default)]
pub struct ProviderHealth(AtomicU32);

impl ProviderHealth {
    /// Notes how the provider did with one message: whether it took it, or refused just this one.
    pub fn note(&self, works: bool) {
        if works {
            self.0.store(0, Ordering::Relaxed);
        } else {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> ServiceHealth {
        match self.0.load(Ordering::Relaxed) {
            0 => ServiceHealth::Healthy,
            failures if failures < DOWN_AFTER => ServiceHealth::Degraded,
            _ => ServiceHealth::Down,
        }
    }
}
