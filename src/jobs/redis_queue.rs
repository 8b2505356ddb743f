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
use redis::{RedisResult, aio::ConnectionManager};
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

/// Between the end of a worker, whose connection was lost or refused, and the next.
const PAUSE: Duration = Duration::from_secs(1);

type Connect = Arc<dyn Fn() -> RedisResult<ConnectionManager> + Send + Sync>;

/// The queue, for pushing and for working.
#[derive(Clone)]
pub struct RedisQueue {
    connect: Connect,
    config: Config,
    /// Made at the first push, and again after a push that failed.
    pusher: Arc<Mutex<Option<RedisStorage<Job>>>>,
    keep_finished: Duration,
}

impl RedisQueue {
    /// On connections that `connect` makes, under keys that begin with `name`.
    #[must_use]
    pub fn new(
        connect: impl Fn() -> RedisResult<ConnectionManager> + Send + Sync + 'static,
        name: &str,
        keep_finished: Duration,
    ) -> Self {
        let config = Config::default()
            .queue(name)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED_HEARTBEATS)
            // Without results apalis acknowledges nothing: every job would stay, and come back with the next worker.
            .persist_results(true)
            .emit_events(false);
        Self {
            connect: Arc::new(connect),
            config,
            pusher: Arc::default(),
            keep_finished,
        }
    }

    fn storage(&self) -> RedisResult<RedisStorage<Job>> {
        Ok(RedisStorage::new((self.connect)()?).with_config(self.config.clone()))
    }

    /// Gives what apalis noted of each live worker an end that comes after its own: the name is another at every start.
    async fn forget_workers(&self, connection: &mut ConnectionManager) -> RedisResult<()> {
        let (set, queue) = (self.config.workers_set(), self.config.queue.to_string());
        let live: Vec<String> = redis::cmd("ZRANGE")
            .arg(&set)
            .arg(0)
            .arg(-1)
            .query_async(connection)
            .await?;
        for worker in live {
            redis::cmd("EXPIRE")
                .arg(format!("{queue}:workers:metadata:{worker}"))
                .arg(KEEP_WORKERS.as_secs())
                .query_async::<()>(connection)
                .await?;
        }
        Ok(())
    }

    async fn push_once(&self, job: &Job) -> Result<(), QueueError> {
        let mut pusher = self.pusher.lock().await;
        let mut storage = match pusher.take() {
            Some(storage) => storage,
            None => self.storage().map_err(unavailable)?,
        };
        let task = TaskBuilder::new(job.clone()).max_attempts(1).build();
        storage.push_task(task).await.map_err(unavailable)?;
        // Only what worked is used again.
        *pusher = Some(storage);
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
        for attempt in 0_u64.. {
            let storage = self.storage().map_err(unavailable)?;
            let (name, deliverer) = (format!("{name}-{attempt}"), Arc::clone(&deliverer));
            let monitor = Monitor::new()
                .shutdown_timeout(SHUTDOWN)
                // Here, and not by apalis, which begins again at once, a thousand times a second.
                .should_restart(|_, _| false)
                .register(move |_| {
                    WorkerBuilder::new(name.as_str())
                        .backend(storage.clone().poll_with_strategy(Ticks::every(poll)))
                        .data(Arc::clone(&deliverer))
                        .concurrency(CONCURRENCY)
                        .parallelize(tokio::spawn)
                        .build(deliver)
                });
            let stopped = stop.clone();
            let stopped = async move {
                stopped.cancelled().await;
                Ok(())
            };
            let ended = monitor.run_with_signal(stopped).await;
            if stop.is_cancelled() {
                return ended.map_err(unavailable);
            }
            let reason = ended.map_err(unavailable).err();
            tracing::warn!(?reason, "the worker lost the queue and begins again");
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
        Ok(())
    }

    async fn vacuum(&self) -> Result<usize, QueueError> {
        let mut connection = (self.connect)().map_err(unavailable)?;
        redis::cmd("DEL")
            .arg(self.config.done_jobs_set())
            .query_async::<()>(&mut connection)
            .await
            .map_err(unavailable)?;
        self.forget_workers(&mut connection).await.map_err(unavailable)?;
        let mut storage = self.storage().map_err(unavailable)?;
        storage.vacuum_before(self.keep_finished).await.map_err(unavailable)
    }
}

#[async_trait]
impl JobQueue for RedisQueue {
    async fn push(&self, job: Job) -> Result<(), QueueError> {
        match self.push_once(&job).await {
            // Once more, on another connection: that one broke is found out by the first to use it.
            Err(_) => self.push_once(&job).await,
            pushed => pushed,
        }
    }
}

impl std::fmt::Debug for RedisQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisQueue")
    }
}
