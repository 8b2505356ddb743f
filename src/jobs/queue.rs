//! The queue's port, and what goes through it.

use std::{sync::Arc, time::Duration};

use apalis::prelude::{BoxDynError, Data};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{domain::trace_context::TraceParent, jobs::deliver::Deliverer, storage::outbox::MessageRef};

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
    /// The span whose work it is part of. A worker of a version that knows none leaves it alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub traceparent: Option<TraceParent>,
}

impl Job {
    /// The job that delivers `message`.
    #[must_use]
    pub fn deliver(message: MessageRef, traceparent: Option<TraceParent>) -> Self {
        Self {
            v: 1,
            message,
            traceparent,
        }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As a server of the version before pushed it, and as a worker of that version reads what is pushed today.
    #[test]
    fn a_job_with_and_without_a_trace_is_read_both_ways() {
        #[derive(Deserialize)]
        struct Before {
            v: u8,
            #[serde(flatten)]
            message: MessageRef,
        }

        let before = json!({
            "v": 1,
            "message_id": "msg_00000000000000000000000001",
            "account_id": "usr_1",
            "user_type": "User1",
        });
        let plain: Job = serde_json::from_value(before.clone()).expect("a job");
        assert_eq!(plain.traceparent, None);
        assert_eq!(serde_json::to_value(&plain).expect("text"), before);
        let traced = Job::deliver(plain.message.clone(), TraceParent::new(7, 8, true));
        let text = serde_json::to_string(&traced).expect("text");
        assert!(text.contains("-0000000000000008-01"), "{text}");
        assert_eq!(serde_json::from_str::<Job>(&text).expect("a job"), traced);
        let read: Before = serde_json::from_str(&text).expect("a job");
        assert_eq!((read.v, read.message), (1, plain.message));
    }
}
