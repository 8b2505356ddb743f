//! Turns: who lost a race for a record goes on in turn, so that fifty changes of one record cost about a hundred
//! round trips rather than thousands. Among the callers of one process only; correctness never hangs on it, for that
//! is the condition on `rev`.

use std::hash::{BuildHasher as _, Hash, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// Records that share a turn by chance merely wait a little longer.
const LANES: usize = 256;

/// One queue for every lane of records.
#[derive(Debug)]
pub(super) struct Turns {
    lanes: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            lanes: (0..LANES).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Waits for the turn of `record`; it lasts until the guard is dropped.
    pub(super) async fn wait(&self, record: impl Hash) -> MutexGuard<'_, ()> {
        let lane = self.hasher.hash_one(record) % self.lanes.len() as u64;
        self.lanes[usize::try_from(lane).unwrap_or_default()].lock().await
    }
}
