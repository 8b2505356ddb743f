//! Fails or stops the operations of one process's store, by their number.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sealgate::storage::StoreError;
use tokio::sync::{oneshot, watch};

/// Whether the write that fails is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// It is not.
    Before,
    /// It is, but the answer is lost.
    After,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The store answers again at once.
    Recovers,
    /// Nothing works any more: the process is dead, as far as the store can tell.
    StaysDown,
}

/// One failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Which write, counted from 1.
    pub(crate) at: usize,
    pub(crate) when: When,
    pub(crate) then: Then,
}

/// One operation that waits to be let go.
#[derive(Debug)]
struct Gate {
    at: usize,
    arrived: watch::Sender<bool>,
    go: oneshot::Receiver<()>,
}

#[derive(Debug, Default)]
struct State {
    cut: Option<Cut>,
    has_fired: bool,
    is_down: bool,
    writes: Vec<String>,
    operations: usize,
    gate: Option<Gate>,
}

/// The faults of one process.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<State>);

/// Holds an operation.
#[derive(Debug)]
pub(crate) struct Held {
    arrived: watch::Receiver<bool>,
    go: oneshot::Sender<()>,
}

impl Held {
    /// Waits until the operation has come; `false` when the work ended without it.
    pub(crate) async fn arrived(&mut self) -> bool {
        self.arrived.wait_for(|arrived| *arrived).await.is_ok()
    }

    /// Lets it go.
    pub(crate) fn release(self) {
        let _ = self.go.send(());
    }
}

impl Faults {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on counts anew, and fails at `cut`.
    pub(crate) fn arm(&self, cut: Cut) {
        *self.state() = State {
            cut: Some(cut),
            ..State::default()
        };
    }

    /// From now on counts anew, and stops before operation number `at`, reads included.
    pub(crate) fn hold(&self, at: usize) -> Held {
        let (sender, arrived) = watch::channel(false);
        let (go, gone) = oneshot::channel();
        *self.state() = State {
            gate: Some(Gate {
                at,
                arrived: sender,
                go: gone,
            }),
            ..State::default()
        };
        Held { arrived, go }
    }

    /// Ends every fault. The writes since they were armed, and whether the failure came.
    pub(crate) fn heal(&self) -> (Vec<String>, bool) {
        let state = std::mem::take(&mut *self.state());
        (state.writes, state.has_fired)
    }

    /// The writes, and how many operations there were, since the last look; none fails from here.
    pub(crate) fn counted(&self) -> (Vec<String>, usize) {
        let state = std::mem::take(&mut *self.state());
        (state.writes, state.operations)
    }

    /// Does `work`, a read.
    pub(crate) async fn read<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.pass().await;
        if self.state().is_down {
            return Err(down());
        }
        work.await
    }

    /// Does `work`, a write.
    pub(crate) async fn write<T>(
        &self,
        what: String,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.pass().await;
        match self.next_write(what)? {
            None => work.await,
            Some(When::Before) => Err(down()),
            Some(When::After) => {
                let done = work.await;
                self.fall();
                done.and_then(|_| Err(down()))
            }
        }
    }

    /// Stops where a gate stands.
    async fn pass(&self) {
        let gate = {
            let mut state = self.state();
            state.operations += 1;
            let operations = state.operations;
            state.gate.take_if(|gate| gate.at == operations)
        };
        if let Some(gate) = gate {
            gate.arrived.send_replace(true);
            let _ = gate.go.await;
        }
    }

    fn next_write(&self, what: String) -> Result<Option<When>, StoreError> {
        let mut state = self.state();
        if state.is_down {
            return Err(down());
        }
        state.writes.push(what);
        let number = state.writes.len();
        let Some(cut) = state.cut.filter(|cut| cut.at == number) else {
            return Ok(None);
        };
        state.has_fired = true;
        state.is_down = cut.when == When::Before && cut.then == Then::StaysDown;
        Ok(Some(cut.when))
    }

    /// After the write whose answer is lost.
    fn fall(&self) {
        let mut state = self.state();
        state.is_down = state.cut.is_some_and(|cut| cut.then == Then::StaysDown);
    }
}

fn down() -> StoreError {
    StoreError::Unavailable("cut off by the test".to_owned())
}
