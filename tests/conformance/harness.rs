//! Stores to run a case against.

use std::sync::Arc;

use sealgate::storage::{Stores, sqlite};
use tokio::{runtime::Runtime, sync::Barrier, task::JoinSet};

/// One store, opened twice.
#[derive(Clone)]
pub(crate) struct World {
    /// As one process has it.
    pub(crate) stores: Stores,
    /// As another does.
    pub(crate) other: Stores,
}

impl World {
    /// One opening or the other, by turns.
    pub(crate) fn by_turns(&self, n: usize) -> &Stores {
        if n.is_multiple_of(2) { &self.stores } else { &self.other }
    }
}

/// Runs `case` against SQLite.
pub(crate) fn sqlite<F: Future<Output = ()>>(case: impl FnOnce(World) -> F) {
    runtime().block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let one = sqlite::open(folder.path()).await.expect("opens");
        let two = sqlite::open(folder.path()).await.expect("opens again");
        case(World {
            stores: one.stores(),
            other: two.stores(),
        })
        .await;
        one.close().await;
        two.close().await;
    });
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime")
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
