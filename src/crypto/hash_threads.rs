//! Threads for password hashes, which stand back for all others of the process.
//!
//! A hash holds a core for tens of milliseconds. Where every core hashes, what is quick would wait for its turn as if it were
//! as long; so these threads have a lower priority, and the others are let in at once. Where nobody else wants the core, they
//! have all of it.

use std::sync::Arc;

use tokio::{
    runtime::{Builder, Runtime},
    task::{JoinHandle, spawn_blocking},
};

/// More than the process's own (`nice(2)`): beside its other threads, a core gives these about a tenth.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Made when there is something to hash, ended when there was nothing for ten seconds. Cheap to clone.
#[derive(Clone)]
pub(super) struct HashThreads(Arc<Own>);

/// None where the system gave no runtime; then the process's own blocking threads do it.
struct Own(Option<Runtime>);

impl HashThreads {
    /// At most `most` at a time.
    pub(super) fn new(most: usize) -> Self {
        // Nothing is ever polled there: of a runtime this is the pool of blocking threads alone.
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(most.max(1))
            .thread_name("password-hash")
            .on_thread_start(stand_back)
            .build();
        Self(Arc::new(Own(runtime.ok())))
    }

    /// Does `work` there.
    pub(super) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        match &self.0.0 {
            Some(own) => own.spawn_blocking(work),
            None => spawn_blocking(work),
        }
    }
}

impl Drop for Own {
    /// Does not wait for what runs: where a runtime may be dropped, nobody may wait.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Elsewhere than on Linux the call would be the whole process's.
#[cfg(target_os = "linux")]
fn stand_back() {
    // Where it is refused, hashes are as quick as ever, and the rest is slower beside them.
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "password hashes keep their priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn stand_back() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn they_stand_back_and_nobody_else_does() {
        let niceness = || rustix::process::getpriority_process(None).expect("this thread's");
        let ours = niceness();
        let theirs = HashThreads::new(1).run(niceness).await.expect("it ran");
        assert_eq!((theirs, niceness()), ((ours + NICENESS).min(19), ours));
    }

    #[tokio::test]
    async fn dropped_while_they_work_they_work_on() {
        let threads = HashThreads::new(1);
        let (begin, begun) = std::sync::mpsc::channel::<()>();
        let waiting = threads.run(move || begun.recv().is_ok());
        drop(threads);
        begin.send(()).expect("it waits");
        assert!(waiting.await.expect("it ran"));
    }
}
