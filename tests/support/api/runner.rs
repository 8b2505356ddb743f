//! Runs cases, and what they do at once or wait for.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::{sync::Barrier, task::JoinSet, time::Instant};

use super::{Setup, StoreSet, TestApp};

/// How long anything that the service does by itself may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `case` for `user_type` against a service on a store of its own.
pub(crate) fn run(stores: impl FnOnce() -> StoreSet, user_type: &str, case: impl AsyncFnOnce(&TestApp, &str)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let stores = stores();
        let app = Setup::new(&stores).spawn().await;
        let outcome = AssertUnwindSafe(case(&app, user_type)).catch_unwind().await;
        let shut_down = AssertUnwindSafe(app.shut_down()).catch_unwind().await;
        stores.remove().await;
        for outcome in [outcome, shut_down] {
            if let Err(failure) = outcome {
                std::panic::resume_unwind(failure);
            }
        }
    });
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

/// Does `work` `count` times at once; the answers in order of their numbers.
pub(crate) async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: usize,
    work: impl Fn(usize) -> F,
) -> Vec<T> {
    let start = Arc::new(Barrier::new(count));
    let mut tasks = JoinSet::new();
    for n in 0..count {
        let (start, work) = (Arc::clone(&start), work(n));
        tasks.spawn(async move {
            start.wait().await;
            (n, work.await)
        });
    }
    let mut answers = tasks.join_all().await;
    answers.sort_by_key(|(n, _)| *n);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
