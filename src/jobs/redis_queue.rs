//! The queue on Redis, through apalis, for any number of servers and workers.
//!
//! As on SQLite apalis is the transport only. Here a job of a killed worker is free again after four missed heartbeats,
//! 40 seconds: by then the message's lease is over, so that the job that runs again sends it; apalis's own numbers (30 s,
//! ten missed) would be five minutes. Finished jobs leave with the vacuum, and with them what apalis never clears itself:
//! its set of finished ids, and the names of workers that are gone.

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
/// For a job of a worker that fell silent; together longer than a message's lease.
const MISSED_HEARTBEATS: usize = 4;
/// For how long the name of a worker that is gone is kept.
const KEEP_WORKERS: Duration = Duration::from_hours(24);

/// The queue, for pushing and for working.
#[derive(Clone)]
pub struct RedisQueue {
    storage: RedisStorage<Job>,
    pusher: Arc<Mutex<RedisStorage<Job>>>,
    connection: ConnectionManager,
    keep_finished: Duration,
}

impl RedisQueue {
    /// On `connection`, under keys that begin with `name`.
    #[must_use]
    pub fn new(connection: ConnectionManager, name: &str, keep_finished: Duration) -> Self {
        let config = Config::default()
            .queue(name)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED_HEARTBEATS)
            // Without results apalis acknowledges nothing: every job would stay, and come back with the next worker.
            .persist_results(true)
            .emit_events(false);
        let storage = RedisStorage::new(connection.clone()).with_config(config);
        Self {
            pusher: Arc::new(Mutex::new(storage.clone())),
            storage,
            connection,
            keep_finished,
        }
    }
}

impl RedisQueue {
    /// Gives what apalis noted of each live worker an end that comes after its own: the name is another at every start.
    async fn forget_workers(&self) -> redis::RedisResult<()> {
        let mut connection = self.connection.clone();
        let config = self.storage.get_config();
        let (set, queue) = (config.workers_set(), config.queue.to_string());
        let live: Vec<String> = redis::cmd("ZRANGE")
            .arg(&set)
            .arg(0)
            .arg(-1)
            .query_async(&mut connection)
            .await?;
        for worker in live {
            redis::cmd("EXPIRE")
                .arg(format!("{queue}:workers:metadata:{worker}"))
                .arg(KEEP_WORKERS.as_secs())
                .query_async::<()>(&mut connection)
                .await?;
        }
        Ok(())
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
        self.forget_workers().await.map_err(unavailable)?;
        self.storage
            .clone()
            .vacuum_before(self.keep_finished)
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
