//! The production store: MongoDB, in two databases. One holds the records, the other the wrapped keys.
//!
//! How the guarantees of [`Documents`](crate::storage::Documents) are met:
//! - *Durable*: every write waits for the journals of a majority of the servers. A URL that asks for less is refused.
//! - *Atomic*: a change replaces one document on condition that its `rev` is the one that was read, and begins again
//!   when it is not.
//! - *Unique*: `_id` and plain unique indexes. Accounts have a collection for each user type, so that an index over a
//!   slot alone makes it unique in its user type; so have data keys, whose ids may come from an import.
//! - *Current*: reads go to the primary, whatever read preference the URL names; it serves lists of the audit alone,
//!   which may lag.
//! - *Bounded*: every operation ends within [`MongoOptions::operation_timeout`], all its tries included.
//!
//! Needs no transactions, pipeline updates, partial, sparse or multikey indexes, and no TTL. A standalone server, a
//! replica set and shards will do; accounts of one user type stay on one shard.
//!
//! # To add a record
//! `documents::Stored` for it in a file named like its port. Indexes are made at start where they are missing; a
//! change of one needs a new name.

mod accounts;
mod audit;
mod candidates;
mod client;
mod collection;
mod connection;
mod dead_letters;
mod deks;
mod documents;
mod errors;
mod heartbeats;
mod indexes;
mod key_jobs;
mod keyring;
mod legacy;
mod registrations;
mod requests;
mod sessions;
mod text_counts;
mod turns;

pub use self::{indexes::IndexFinding, legacy::open_legacy};

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    domain::{private::Private, user_type::UserType},
    storage::{
        Probe, StoreError, Stores,
        accounts::AccountRecord,
        deks::DekRecord,
        key_jobs::KeyJobRecord,
        mongo::{
            audit::AuditCollections,
            collection::RawCollection,
            connection::Connection,
            documents::{Collections, Stored},
            heartbeats::HeartbeatCollection,
            indexes::Index,
            keyring::KeyringCollection,
            text_counts::TextCountCollection,
        },
        registrations::RegistrationRecord,
        requests::RequestRecord,
        schema::Schemas,
        sessions::SessionRecord,
    },
};

/// Where the store is.
#[derive(Debug)]
pub struct MongoOptions {
    /// `mongodb://` or `mongodb+srv://`, with credentials where they are needed.
    pub url: Private,
    /// Database of the records.
    pub database: String,
    /// Database of the wrapped keys.
    pub keys_database: String,
    /// All user types: their collections are indexed at start, and others are refused.
    pub user_types: Vec<UserType>,
    /// How long to look for a primary.
    pub server_selection_timeout: Duration,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long one operation may take, all its tries and waits included.
    pub operation_timeout: Duration,
    /// The versions of the records.
    pub schemas: Schemas,
    /// Connections to one server; none is what the URL says, or 50.
    pub max_pool: Option<u32>,
    /// Connections that are kept open; none likewise, or 0.
    pub min_pool: Option<u32>,
}

impl MongoOptions {
    /// The databases `sealgate` and `sealgate_keys` of the server that `url` names.
    #[must_use]
    pub fn new(url: Private, user_types: Vec<UserType>) -> Self {
        Self {
            url,
            database: "sealgate".to_owned(),
            keys_database: "sealgate_keys".to_owned(),
            user_types,
            server_selection_timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(2),
            operation_timeout: Duration::from_secs(5),
            schemas: Schemas::current(),
            max_pool: None,
            min_pool: None,
        }
    }
}

/// The open store.
#[derive(Clone, Debug)]
pub struct MongoStores {
    connection: Arc<Connection>,
}

/// Opens the store, making the indexes that are missing.
pub async fn open(options: &MongoOptions) -> Result<MongoStores, StoreError> {
    let stores = connect(options).await?;
    for (collection, needed) in stores.indexed() {
        indexes::ensure(&collection, needed).await?;
    }
    Ok(stores)
}

/// What is wrong with the indexes that are there. Changes nothing.
pub async fn examine_indexes(options: &MongoOptions) -> Result<Vec<IndexFinding>, StoreError> {
    let stores = connect(options).await?;
    let mut findings = Vec::new();
    for (collection, needed) in stores.indexed() {
        findings.extend(indexes::compare(&collection, needed).await?);
    }
    stores.close().await;
    Ok(findings)
}

async fn connect(options: &MongoOptions) -> Result<MongoStores, StoreError> {
    Ok(MongoStores {
        connection: Arc::new(Connection::open(options).await?),
    })
}

impl MongoStores {
    /// The ports.
    #[must_use]
    pub fn stores(&self) -> Stores {
        Stores {
            accounts: Arc::new(self.collections::<AccountRecord>()),
            registrations: Arc::new(self.collections::<RegistrationRecord>()),
            deks: Arc::new(self.collections::<DekRecord>()),
            keyring: Arc::new(KeyringCollection(Arc::clone(&self.connection))),
            key_jobs: Arc::new(self.collections::<KeyJobRecord>()),
            sessions: Arc::new(self.collections::<SessionRecord>()),
            requests: Arc::new(self.collections::<RequestRecord>()),
            audit: Arc::new(self.audit()),
            heartbeats: Arc::new(self.heartbeats()),
            text_counts: Arc::new(self.text_counts()),
            probe: Arc::new(self.clone()),
        }
    }

    /// Closes all connections. Operations after it are [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.connection.close().await;
    }

    /// What is wrong with the server, with its mend, though everything works.
    pub async fn misconfiguration(&self) -> Result<Option<String>, StoreError> {
        Ok(self.connection.is_standalone().await?.then(|| {
            "MongoDB is a standalone server: what it has acknowledged is lost with its disk, and nobody takes over; make it \
             a replica set of three"
                .to_owned()
        }))
    }

    /// Every collection that has indexes of its own.
    fn indexed(&self) -> Vec<(RawCollection, &'static [Index])> {
        fn each<R: Stored>(stores: &MongoStores) -> impl Iterator<Item = (RawCollection, &'static [Index])> {
            let collections = stores.collections::<R>().all().into_iter();
            collections.map(|collection| (collection, R::INDEXES))
        }
        each::<AccountRecord>(self)
            .chain(each::<RegistrationRecord>(self))
            .chain(each::<SessionRecord>(self))
            .chain(each::<RequestRecord>(self))
            .chain([
                self.audit().indexed(),
                self.heartbeats().indexed(),
                self.text_counts().indexed(),
            ])
            .collect()
    }

    fn collections<R: Stored>(&self) -> Collections<R> {
        Collections::new(&self.connection)
    }

    fn audit(&self) -> AuditCollections {
        AuditCollections(Arc::clone(&self.connection))
    }

    fn heartbeats(&self) -> HeartbeatCollection {
        HeartbeatCollection(Arc::clone(&self.connection))
    }

    fn text_counts(&self) -> TextCountCollection {
        TextCountCollection(Arc::clone(&self.connection))
    }
}

#[async_trait]
impl Probe for MongoStores {
    async fn probe(&self) -> Result<(), StoreError> {
        self.connection.probe().await
    }
}
