//! The queue's port, and what goes through it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::storage::outbox::MessageRef;

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
