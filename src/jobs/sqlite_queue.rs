//! The queue on SQLite, through apalis, in a file of its own.
//!
//! apalis is the transport only: one attempt per job, polling set ([`Ticks`]), worker names unique per
//! process, migrations run on our own pool (its `setup` turns `synchronous` off), finished jobs vacuumed.

use std::{fs, os::unix::fs::OpenOptionsExt as _, path::Path, sync::Arc, time::Duration};

use apalis::prelude::*;
use apalis_core::backend::Vacuum;
use apalis_sqlite::{Config, SqliteStorage};
use async_trait::async_trait;
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::jobs::{
    deliver::Deliverer,
    queue::{CONCURRENCY, Job, JobQueue, QueueError, SHUTDOWN, WorkQueue, deliver, unavailable},
    ticks::Ticks,
};

const QUEUE: &str = "sealgate:messages";
/// A killed worker's job is free again after this and one missed heartbeat.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// For how long finished jobs are kept.
const KEEP_FINISHED: Duration = Duration::from_hours(1);

/// The queue's file, for pushing and for working.
#[derive(Clone)]
pub struct SqliteQueue {
    storage: SqliteStorage<Job>,
    pusher: Arc<Mutex<SqliteStorage<Job>>>,
}

impl SqliteQueue {
    /// Opens, or makes, `jobs.db` in `folder`.
    pub async fn open(folder: &Path) -> Result<Self, QueueError> {
        let file = folder.join("jobs.db");
        // Made here, for nobody else to read; what SQLite puts beside it takes its mode over.
        fs::OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&file)
            .map_err(unavailable)?;
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePool::connect_with(options).await.map_err(unavailable)?;
        SqliteStorage::migrations().run(&pool).await.map_err(unavailable)?;
        let config = Config::default().queue(QUEUE);
        let config = config.heartbeat_interval(HEARTBEAT).missed_heartbeats(2);
        let storage = SqliteStorage::new(&pool).with_config(config);
        Ok(Self {
            pusher: Arc::new(Mutex::new(storage.clone())),
            storage,
        })
    }
}

#[async_trait]
impl WorkQueue for SqliteQueue {
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
        self.storage
            .clone()
            .vacuum_before(KEEP_FINISHED)
            .await
            .map_err(unavailable)
    }
}

#[async_trait]
impl JobQueue for SqliteQueue {
    async fn push(&self, job: Job) -> Result<(), QueueError> {
        let task = TaskBuilder::new(job).max_attempts(1).build();
        self.pusher.lock().await.push_task(task).await.map_err(unavailable)
    }
}

impl std::fmt::Debug for SqliteQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SqliteQueue")
    }
}
