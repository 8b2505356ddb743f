//! Waits for a condition, with a deadline.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often a condition is asked for again.
const STEP: Duration = Duration::from_millis(25);

/// Asks `condition` again and again until it gives something; panics with `what` at the deadline.
pub(crate) async fn eventually<T>(what: &str, patience: Duration, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(began.elapsed() < patience, "not within {patience:?}: {what}");
        sleep(STEP).await;
    }
}

/// The same where there is nothing to be had but that it holds.
pub(crate) async fn until(what: &str, patience: Duration, mut condition: impl AsyncFnMut() -> bool) {
    eventually(what, patience, async || condition().await.then_some(())).await;
}
