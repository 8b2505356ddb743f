//! What a server does alone while the store that all share is away: it takes its share of what may be done, so that all
//! together let about as much through as before.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use crate::{domain::clock::Timestamp, storage::documents::StoreError};

/// After a failure the shared store is left alone for so long: a store that hangs must not slow every request.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// Whether the shared store is asked, and what one server's share is.
pub(super) struct Fallback {
    servers: Arc<AtomicU32>,
    paused_until: AtomicI64,
}

impl Fallback {
    /// `servers` is how many were seen last.
    pub(super) fn new(servers: Arc<AtomicU32>) -> Self {
        Self {
            servers,
            paused_until: AtomicI64::new(i64::MIN),
        }
    }

    /// What the shared store answers; `None` where it is left alone, or fails.
    pub(super) async fn ask<T>(&self, now: Timestamp, asked: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        if now.as_millis() < self.paused_until.load(Ordering::Relaxed) {
            return None;
        }
        match asked.await {
            Ok(answer) => Some(answer),
            Err(error) => {
                tracing::warn!(%error, "attempts are counted by this server alone for a moment");
                self.paused_until.store(now.plus(PAUSE).as_millis(), Ordering::Relaxed);
                None
            }
        }
    }

    /// This server's share of `whole`, one at least.
    pub(super) fn share(&self, whole: u32) -> u32 {
        (whole / self.servers.load(Ordering::Relaxed).max(1)).max(1)
    }
}
