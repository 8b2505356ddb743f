//! The embedded store: SQLite, in two files of one folder. `sealgate.db` holds the records, `keys.db` the wrapped keys.
//!
//! How the guarantees of [`Documents`](crate::storage::Documents) are met:
//! - *Durable*: WAL with `synchronous=FULL`; a commit is answered when it is on the disk.
//! - *Atomic*: every change is one `BEGIN IMMEDIATE` transaction, which no other writer of any process can enter.
//! - *Unique*: primary keys and unique indexes, checked in that transaction.
//! - *Current*: a read sees the last commit of whatever process; what is remembered of an earlier one (`cache`) is used
//!   only where there was no commit since.
//! - *Bounded*: every operation ends within five seconds, waiting included.
//!
//! Several processes of one machine may open the folder; not a network file system, on which SQLite's locks do not
//! hold.
//!
//! # To add a record
//! A step of SQL under `migrations/` (`migrate`), and `documents::Row` for it in a file named like its port.

mod accounts;
mod audit;
mod cache;
mod candidates;
mod database;
mod dead_letters;
mod deks;
mod documents;
mod errors;
mod file;
mod heartbeats;
mod key_jobs;
mod keyring;
mod migrate;
mod registrations;
mod requests;
mod sessions;
mod text_counts;
mod watch;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;

use crate::storage::{
    Probe, StoreError, Stores,
    schema::Schemas,
    sqlite::{
        audit::AuditTables, database::Database, documents::Table, heartbeats::HeartbeatTable, keyring::KeyringTable,
        text_counts::TextCountTable,
    },
};

/// File of the records.
pub const RECORDS_FILE: &str = "sealgate.db";
/// File of the wrapped keys.
pub const KEYS_FILE: &str = "keys.db";

/// The open store.
#[derive(Clone, Debug)]
pub struct SqliteStores {
    records: Arc<Database>,
    keys: Arc<Database>,
    schemas: Schemas,
}

/// Opens the store in `folder`, making folder and files where they are missing and bringing their tables up to date.
/// Files of a newer version are refused.
pub async fn open(folder: &Path) -> Result<SqliteStores, StoreError> {
    open_with(folder, Schemas::current()).await
}

/// The same with other versions of the records.
pub async fn open_with(folder: &Path, schemas: Schemas) -> Result<SqliteStores, StoreError> {
    // The records' file is made first: keys without records are what a wrong mount or half a back-up leaves.
    if folder.join(KEYS_FILE).exists() && !folder.join(RECORDS_FILE).exists() {
        return Err(StoreError::Unavailable(format!(
            "{RECORDS_FILE} is missing beside {KEYS_FILE}: restore it from its back-up; to begin anew, move {KEYS_FILE} away too"
        )));
    }
    Ok(SqliteStores {
        records: Arc::new(Database::open(folder, RECORDS_FILE, migrate::RECORDS, false).await?),
        keys: Arc::new(Database::open(folder, KEYS_FILE, migrate::KEYS, true).await?),
        schemas,
    })
}

impl SqliteStores {
    /// The ports.
    #[must_use]
    pub fn stores(&self) -> Stores {
        Stores {
            accounts: Arc::new(Table::remembering(&self.records, &self.schemas)),
            registrations: Arc::new(Table::new(&self.records, &self.schemas)),
            deks: Arc::new(Table::remembering(&self.keys, &self.schemas)),
            keyring: Arc::new(KeyringTable(Arc::clone(&self.keys))),
            key_jobs: Arc::new(Table::new(&self.keys, &self.schemas)),
            sessions: Arc::new(Table::remembering(&self.records, &self.schemas)),
            requests: Arc::new(Table::new(&self.records, &self.schemas)),
            audit: Arc::new(AuditTables(Arc::clone(&self.records))),
            heartbeats: Arc::new(HeartbeatTable(Arc::clone(&self.records))),
            text_counts: Arc::new(TextCountTable(Arc::clone(&self.records))),
            probe: Arc::new(self.clone()),
        }
    }

    /// Ends what is under way and closes the files. Operations after it are [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.records.close().await;
        self.keys.close().await;
    }
}

#[async_trait]
impl Probe for SqliteStores {
    async fn probe(&self) -> Result<(), StoreError> {
        self.records.probe().await?;
        self.keys.probe().await
    }
}
