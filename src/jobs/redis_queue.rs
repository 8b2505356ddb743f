//! The queue on Redis, through apalis, for any number of servers and workers.
//!
//! As on SQLite apalis is the transport only. Here a job of a killed worker is free again after two missed heartbeats,
//! 20 seconds; apalis's own numbers (30 s, ten missed) would be five minutes. Finished jobs leave with the vacuum, and
//! with them apalis's set of finished ids, which it never clears itself.

use std::{sync::Arc, time::Duration};

use apalis::prelude::*;
use apalis_core::backend::Vacuum;
use apalis_redis::{Config, RedisStorage};
use async_trait::async_trait;
use redis::aio::ConnectionManager;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::jobs::{
    deliver::Deliverer,
    queue::{CONCURRENCY, Job, JobQueue, QueueError, SHUTDOWN, WorkQueue, deliver, unavailable},
    ticks::Ticks,
};

const HEARTBEAT: Duration = Duration::from_secs(10);
/// For how long finished jobs are kept: long enough to be looked at.
const KEEP_FINISHED: Duration = Duration::from_mins(10);

/// The queue, for pushing and for working.
#[derive(Clone)]
pub struct RedisQueue {
    storage: RedisStorage<Job>,
    pusher: Arc<Mutex<RedisStorage<Job>>>,
    connection: ConnectionManager,
}

impl RedisQueue {
    /// On `connection`, under keys that begin with `name`.
    #[must_use]
    pub fn new(connection: ConnectionManager, name: &str) -> Self {
        let config = Config::default()
            .queue(name)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(2)
            .persist_results(false)
            .emit_events(false);
        let storage = RedisStorage::new(connection.clone()).with_config(config);
        Self {
            pusher: Arc::new(Mutex::new(storage.clone())),
            storage,
            connection,
        }
    }
}

#[async_trait]
impl WorkQueue for RedisQueue {
    async fn work(
        &self,
        name: &str,
        poll: Duration,
        deliverer: Arc<Deliverer>,
        stop: CancellationToken,
    ) -> Result<(), QueueError> {
        let (storage, name) = (self.storage.clone(), name.to_owned());
        let monitor = Monitor::new()
            .shutdown_timeout(SHUTDOWN)
            .should_restart(|_, _| true)
            .register(move |attempt| {
                WorkerBuilder::new(format!("{name}-{attempt}"))
                    .backend(storage.clone().poll_with_strategy(Ticks::every(poll)))
                    .data(Arc::clone(&deliverer))
                    .concurrency(CONCURRENCY)
                    .parallelize(tokio::spawn)
                    .build(deliver)
            });
        let stopped = async move {
            stop.cancelled().await;
            Ok(())
        };
        monitor.run_with_signal(stopped).await.map_err(unavailable)
    }

    async fn vacuum(&self) -> Result<usize, QueueError> {
        let done = self.storage.get_config().done_jobs_set();
        let mut connection = self.connection.clone();
        redis::cmd("DEL")
            .arg(done)
            .query_async::<()>(&mut connection)
            .await
            .map_err(unavailable)?;
        self.storage
            .clone()
            .vacuum_before(KEEP_FINISHED)
            .await
            .map_err(unavailable)
    }
}

#[async_trait]
impl JobQueue for RedisQueue {
    async fn push(&self, job: Job) -> Result<(), QueueError> {
        let task = TaskBuilder::new(job).max_attempts(1).build();
        self.pusher.lock().await.push_task(task).await.map_err(unavailable)
    }
}

impl std::fmt::Debug for RedisQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisQueue")
    }
}
