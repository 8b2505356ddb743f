//! The ports: what the service needs of a store, and what an adapter MUST guarantee.
//!
//! A record is one document. Every port method touches one document and is one atomic unit; what takes several steps
//! is ordered by the use case so that each may be repeated and a sweep ends what a crash left. That holds on a single
//! file, on one server, and on shards.
//!
//! Records hold [`Sealed`](crate::crypto::Sealed) fields, blind-index slots, digests and ids. An adapter never holds a
//! key: it can lose data but not read it.
//!
//! # To add a port
//! 1. A file here: the record (with `schema`, and `rev` where it is changed), and the trait. Conditional changes are
//!    methods on the record, pure and tested without a store; the trait gets only look-ups that need an index.
//! 2. The same file name under `sqlite/` and `mongo/`.
//! 3. Its cases in `tests/conformance/`, contention included.
//! 4. A field of [`Stores`].

pub mod accounts;
pub mod audit;
pub mod breached;
pub mod dead_letters;
pub mod deks;
pub mod documents;
pub mod email_filter;
pub mod encoding;
pub mod erasures;
pub mod heartbeats;
pub mod idempotency;
pub mod key_jobs;
pub mod keyring;
pub mod known_devices;
pub mod leases;
pub mod legacy;
pub mod limits;
pub mod memory;
pub mod outbox;
pub mod profile;
pub mod registrations;
pub mod requests;
pub mod revocations;
pub mod schema;
pub mod sessions;
pub mod text_counts;
pub mod throttle;

#[cfg(feature = "mongo")]
pub mod mongo;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;

pub use documents::{Change, Changed, Documents, Inserted, Record, Ref, StoreError, Unique, Updated, Verdict, change};

/// The version that new records are made with. Every record carries the one it was written with ([`schema`]).
pub const SCHEMA: u16 = 1;

/// Whether the store can be used right now.
#[async_trait]
pub trait Probe: Send + Sync + 'static {
    /// Succeeds only when a read and a write would: a database that is locked, removed or replaced fails, and one that
    /// is full from the first refused write on until there is room again.
    async fn probe(&self) -> Result<(), StoreError>;
}

/// One adapter of every port, from one store set.
#[derive(Clone)]
pub struct Stores {
    /// Confirmed persons.
    pub accounts: Arc<dyn accounts::Accounts>,
    /// Pending creates.
    pub registrations: Arc<dyn registrations::Registrations>,
    /// Wrapped data keys; in a database of their own.
    pub deks: Arc<dyn deks::Deks>,
    /// Wrapped root keys; in the same database as the data keys.
    pub keyring: Arc<dyn keyring::KeyringStore>,
    /// What new versions of keys make to be done; in the same database as the keys.
    pub key_jobs: Arc<dyn key_jobs::KeyJobs>,
    /// Sign-ins.
    pub sessions: Arc<dyn sessions::Sessions>,
    /// What was asked about any address.
    pub requests: Arc<dyn requests::Requests>,
    /// What happened.
    pub audit: Arc<dyn audit::AuditStore>,
    /// Which workers live.
    pub heartbeats: Arc<dyn heartbeats::Heartbeats>,
    /// How many texts went out.
    pub text_counts: Arc<dyn text_counts::TextCounts>,
    /// Whether it all can be used.
    pub probe: Arc<dyn Probe>,
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stores")
    }
}
