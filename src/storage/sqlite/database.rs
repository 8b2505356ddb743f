//! One database file and its connections.
//!
//! One connection writes; every write is a `BEGIN IMMEDIATE` transaction, which has the file's only write lock from its
//! first statement on, against other processes too. A few connections read: in WAL mode they see the last commit and
//! never wait for a writer. `synchronous=FULL` makes a commit reach the disk before it is answered.

use std::{
    path::Path,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction,
    pool::PoolOptions,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous},
};
use tokio::time::{Instant, sleep, timeout};

use crate::storage::{
    documents::{Inserted, StoreError, Unique},
    sqlite::{
        errors::{is_busy, translate},
        file::DatabaseFile,
        migrate::migrate,
        watch::{Version, Watch},
    },
};

/// No operation takes longer.
const LIMIT: Duration = Duration::from_secs(5);
/// How long to wait before asking again for a lock that SQLite itself does not wait for.
const PAUSE: Duration = Duration::from_millis(20);
const READERS: u32 = 4;

/// A statement with its values.
pub(super) type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

/// One open database file.
#[derive(Debug)]
pub(super) struct Database {
    name: &'static str,
    file: DatabaseFile,
    steps: &'static [&'static str],
    writer: SqlitePool,
    readers: SqlitePool,
    watch: OnceLock<Watch>,
    /// The last write failed; set until one succeeds again.
    has_failed: AtomicBool,
}

impl Database {
    /// Opens `folder/name`, making and migrating it where that is needed. One that `has_keys` keeps nothing of what was
    /// deleted from it.
    pub(super) async fn open(
        folder: &Path,
        name: &'static str,
        steps: &'static [&'static str],
        has_keys: bool,
    ) -> Result<Self, StoreError> {
        let file = DatabaseFile::prepare(folder, name)
            .map_err(|error| StoreError::Unavailable(format!("{name} cannot be made: {}", error.kind())))?;
        let options = SqliteConnectOptions::new()
            .filename(file.path())
            .create_if_missing(false)
            .busy_timeout(LIMIT)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
            .pragma("fullfsync", "ON")
            // What is deleted is overwritten, and not only forgotten: a data key most of all.
            .pragma("secure_delete", "ON");
        // Pages go from the log into the file at each commit, and the log is cut short at the next, so that it does not
        // keep what was deleted either. Keys change too seldom for that to cost much.
        let options = if has_keys {
            options
                .pragma("wal_autocheckpoint", "1")
                .pragma("journal_size_limit", "0")
        } else {
            options
        };
        let database = Self {
            name,
            steps,
            writer: pool(1).connect_lazy_with(options.clone().journal_mode(SqliteJournalMode::Wal)),
            readers: pool(READERS).connect_lazy_with(options.read_only(true)),
            file,
            watch: OnceLock::new(),
            has_failed: AtomicBool::new(false),
        };
        database.bounded(database.prepare()).await?;
        let _ = database.watch.set(Watch::open(database.file.path()));
        Ok(database)
    }

    /// The first connection switches a new file to WAL mode, which takes a lock that SQLite does not wait for.
    async fn prepare(&self) -> Result<(), StoreError> {
        let deadline = Instant::now() + LIMIT;
        let mut connection = loop {
            match self.writer.acquire().await {
                Err(error) if is_busy(&error) && Instant::now() < deadline => sleep(PAUSE).await,
                outcome => break outcome.map_err(|error| self.failure(&error))?,
            }
        };
        migrate(self.name, &mut connection, self.steps).await
    }

    /// Begins a change. Dropped before its commit, it leaves nothing.
    pub(super) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.writer
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(|error| self.failure(&error))
    }

    /// Makes a change durable.
    pub(super) async fn commit(&self, transaction: Transaction<'static, Sqlite>) -> Result<(), StoreError> {
        transaction.commit().await.map_err(|error| self.failure(&error))?;
        self.has_failed.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// A change of one statement; tells how many rows it touched.
    pub(super) async fn write(&self, query: Query<'_>) -> Result<u64, StoreError> {
        self.bounded(async {
            let mut transaction = self.begin().await?;
            let done = query
                .execute(&mut *transaction)
                .await
                .map_err(|error| self.failure(&error))?;
            self.commit(transaction).await?;
            Ok(done.rows_affected())
        })
        .await
    }

    /// An `INSERT ... ON CONFLICT DO NOTHING` of a record of which only the id is unique.
    pub(super) async fn insert(&self, query: Query<'_>) -> Result<Inserted, StoreError> {
        Ok(match self.write(query).await? {
            0 => Inserted::Taken(Unique::Id),
            _ => Inserted::Stored,
        })
    }

    /// Rows as of the last commit.
    pub(super) async fn read(&self, query: Query<'_>) -> Result<Vec<SqliteRow>, StoreError> {
        self.bounded(async {
            query
                .fetch_all(&self.readers)
                .await
                .map_err(|error| self.failure(&error))
        })
        .await
    }

    /// The state of the file right now, where that can be told.
    pub(super) fn version(&self) -> Option<Version> {
        self.watch.get()?.version()
    }

    /// Ends `work` after the limit, whatever it waits for.
    pub(super) async fn bounded<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        timeout(LIMIT, work)
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable(format!("{} did not answer in time", self.name))))
    }

    /// The error to answer with; remembered, so that the probe looks closer.
    pub(super) fn failure(&self, error: &sqlx::Error) -> StoreError {
        self.has_failed.store(true, Ordering::Relaxed);
        translate(self.name, error)
    }

    /// Whether the file can be read and written to.
    ///
    /// Taking the write lock shows that nobody else sits on it. A disk that is full shows only in a write, so after a
    /// failure the probe makes one, which changes nothing, until it succeeds.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        if !self.file.is_in_place() {
            return Err(StoreError::Unavailable(format!(
                "{} was removed or replaced",
                self.name
            )));
        }
        self.read(sqlx::query("SELECT count(*) FROM sqlite_schema")).await?;
        let has_failed = self.has_failed.load(Ordering::Relaxed);
        self.bounded(async {
            let mut transaction = self.begin().await?;
            if has_failed {
                let same = format!("PRAGMA user_version = {}", self.steps.len());
                sqlx::raw_sql(sqlx::AssertSqlSafe(same))
                    .execute(&mut *transaction)
                    .await
                    .map_err(|error| self.failure(&error))?;
                self.commit(transaction).await
            } else {
                transaction.rollback().await.map_err(|error| self.failure(&error))
            }
        })
        .await
    }

    /// Closes all connections; the last one of the last process folds the write-ahead log into the file.
    pub(super) async fn close(&self) {
        if let Some(watch) = self.watch.get() {
            watch.close();
        }
        self.readers.close().await;
        self.writer.close().await;
    }
}

#[cfg(test)]
impl Database {
    /// From then on nothing is read from the file.
    pub(super) async fn close_readers(&self) {
        self.readers.close().await;
    }
}

/// Connections stay open: a new one might find another file in the place of the first.
fn pool(size: u32) -> PoolOptions<Sqlite> {
    PoolOptions::new()
        .max_connections(size)
        .acquire_timeout(LIMIT)
        .max_lifetime(None)
        .idle_timeout(None)
        // SQLite rolls some failures back by itself (a full disk, say); the driver then still counts an open
        // transaction, and the connection could never begin another.
        .before_acquire(|connection: &mut SqliteConnection, _| {
            Box::pin(async move { Ok(!connection.is_in_transaction()) })
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::sqlite::migrate::KEYS;

    const PUT: &str = "INSERT INTO keyring (id, doc) VALUES (?, zeroblob(100000))";

    async fn open(folder: &Path) -> Database {
        Database::open(folder, "keys.db", KEYS, true).await.expect("opens")
    }

    /// SQLite undoes a change by itself when the disk is full. The connection that met it must not stay unusable.
    #[tokio::test]
    async fn a_full_disk_fails_writes_only_while_it_is_full() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = open(folder.path()).await;
        let mut writer = database.writer.acquire().await.expect("a connection");
        sqlx::raw_sql("PRAGMA max_page_count = 20")
            .execute(&mut *writer)
            .await
            .expect("a limit");
        drop(writer);

        let full = database.write(sqlx::query(PUT).bind("1")).await.expect_err("no room");
        assert!(full.to_string().contains("disk is full"), "{full}");
        assert!(
            database.has_failed.load(Ordering::Relaxed),
            "the probe is to look closer"
        );
        // The limit went with its connection, as the lack of room passes.
        database.write(sqlx::query(PUT).bind("1")).await.expect("room again");
        assert!(!database.has_failed.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn after_a_failure_the_probe_writes_until_it_can() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = open(folder.path()).await;
        database.has_failed.store(true, Ordering::Relaxed);
        database.probe().await.expect("writes");
        assert!(!database.has_failed.load(Ordering::Relaxed));
        database.close().await;
        open(folder.path())
            .await
            .probe()
            .await
            .expect("its version is as it was");
    }

    #[tokio::test]
    async fn ten_that_open_a_new_folder_at_once_all_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let openings = (0..10).map(|_| open(folder.path()));
        for database in futures_util::future::join_all(openings).await {
            let seen = database.read(sqlx::query("SELECT count(*) FROM keyring")).await;
            assert_eq!(seen.expect("migrated").len(), 1);
        }
    }

    #[tokio::test]
    async fn an_abandoned_change_is_undone_and_the_next_one_works() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = open(folder.path()).await;
        let mut transaction = database.begin().await.expect("begins");
        sqlx::query(PUT)
            .bind("1")
            .execute(&mut *transaction)
            .await
            .expect("not yet committed");
        drop(transaction);
        database.write(sqlx::query(PUT).bind("1")).await.expect("still free");
    }
}
