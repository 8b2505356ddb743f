//! Runs cases, and what they do at once or wait for.

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::{Setup, StoreSet, TestApp};

/// How long anything that the service does by itself may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `case` for `user_type` against a service on a store of its own.
pub(crate) fn run(stores: impl FnOnce() -> StoreSet, user_type: &str, case: impl AsyncFnOnce(&TestApp, &str)) {
    run_bare(stores, async |stores| {
        let app = Setup::new(stores).spawn().await;
        let outcome = AssertUnwindSafe(case(&app, user_type)).catch_unwind().await;
        app.shut_down().await;
        outcome.unwrap_or_else(|failure| resume_unwind(failure));
    });
}

/// Runs `case`, which starts its services by itself, on a store of its own.
pub(crate) fn run_bare(stores: impl FnOnce() -> StoreSet, case: impl AsyncFnOnce(&StoreSet)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let stores = stores();
        let outcome = AssertUnwindSafe(case(&stores)).catch_unwind().await;
        stores.remove().await;
        outcome.unwrap_or_else(|failure| resume_unwind(failure));
    });
}

/// `piece` of each number below `count`, in a row.
pub(crate) fn repeated(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect::<Vec<_>>().concat()
}

/// Asks `look` until it answers something, which is what `what` names.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {PATIENCE:?} in vain for this: {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
