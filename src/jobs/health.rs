//! What this worker last saw of its mail provider.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::{jobs::mailer::Delivery, storage::heartbeats::ServiceHealth};

/// Failures in a row from which a provider counts as down.
const DOWN_AFTER: u32 = 5;

/// Counts failures in a row. A refusal of one mail is none: the provider works.
#[derive(Debug, Default)]
pub struct ProviderHealth(AtomicU32);

impl ProviderHealth {
    /// Notes what became of one mail.
    pub fn note(&self, delivery: Delivery) {
        match delivery {
            Delivery::Accepted | Delivery::Never(_) => self.0.store(0, Ordering::Relaxed),
            Delivery::Later(_) => {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
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
