//! The queue's port, and what goes through it.

use std::{sync::Arc, time::Duration};

use apalis::prelude::{BoxDynError, Data};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{jobs::deliver::Deliverer, storage::outbox::MessageRef};

/// Deliveries of one worker at a time.
pub(in crate::jobs) const CONCURRENCY: usize = 8;
/// How long a worker that is told to stop waits for what is under way.
pub(in crate::jobs) const SHUTDOWN: Duration = Duration::from_secs(15);

/// One job: ids only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Version of this shape.
    pub v: u8,
    /// What to deliver.
    #[serde(flatten)]
    pub message: MessageRef,
}

impl Job {
    /// The job that delivers `message`.
    #[must_use]
    pub fn deliver(message: MessageRef) -> Self {
        Self { v: 1, message }
    }
}

/// The queue did not take a job. Nothing is lost: the relay comes again.
#[derive(Debug, thiserror::Error)]
#[error("the job queue is unavailable: {0}")]
pub struct QueueError(pub String);

/// Takes jobs. May lose them: the outbox is the truth.
#[async_trait]
pub trait JobQueue: Send + Sync + 'static {
    /// Adds a job.
    async fn push(&self, job: Job) -> Result<(), QueueError>;
}

/// A queue that can also be worked on.
#[async_trait]
pub trait WorkQueue: JobQueue {
    /// Runs jobs under the worker's unique `name`, asking for more every `poll`, until `stop`; waits for those under way.
    async fn work(
        &self,
        name: &str,
        poll: Duration,
        deliverer: Arc<Deliverer>,
        stop: CancellationToken,
    ) -> Result<(), QueueError>;
    /// Removes finished jobs; answers how many.
    async fn vacuum(&self) -> Result<usize, QueueError>;
}

pub(in crate::jobs) fn unavailable(error: impl std::fmt::Display) -> QueueError {
    QueueError(error.to_string())
}

/// The job always succeeds for apalis: what became of the message stands in the outbox.
pub(in crate::jobs) async fn deliver(job: Job, deliverer: Data<Arc<Deliverer>>) -> Result<(), BoxDynError> {
    deliverer.run(&job).await;
    Ok(())
}
