//! The client, the two databases, and how long anything may take.
//!
//! Writes are acknowledged by a majority of the servers, journaled. Reads go to the primary and, where the server knows
//! that, see only what a majority has: nothing that is read or answered is lost with a primary.

use std::{
    fmt,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    time::Duration,
};

use bson::{Bson, Document, RawDocumentBuf, doc};
use mongodb::{
    Client, Collection, Database, IndexModel,
    options::{
        Acknowledgment, ClientOptions, DatabaseOptions, IndexOptions, ReadConcern, ReadPreference, SelectionCriteria,
        WriteConcern,
    },
};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::{
    domain::user_type::UserType,
    storage::{
        documents::StoreError,
        mongo::{
            MongoOptions,
            errors::{is_refusal, translate},
        },
    },
};

/// No operation takes longer.
const LIMIT: Duration = Duration::from_secs(5);
/// Nor does making an index, once, on a collection that is not empty.
const INDEX_LIMIT: Duration = Duration::from_mins(1);
/// Connections to one server, unless the URL says otherwise.
const CONNECTIONS: u32 = 50;

/// Documents as they are: encoding and decoding is not the driver's.
pub(super) type Documents = Collection<RawDocumentBuf>;

/// An index that an adapter keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Index {
    pub(super) name: &'static str,
    pub(super) fields: &'static [&'static str],
    pub(super) is_unique: bool,
}

impl Index {
    pub(super) const fn plain(name: &'static str, fields: &'static [&'static str]) -> Self {
        Self {
            name,
            fields,
            is_unique: false,
        }
    }

    pub(super) const fn unique(name: &'static str, fields: &'static [&'static str]) -> Self {
        Self {
            name,
            fields,
            is_unique: true,
        }
    }

    fn model(self) -> IndexModel {
        let keys: Document = self
            .fields
            .iter()
            .map(|field| ((*field).to_owned(), Bson::Int32(1)))
            .collect();
        let options = IndexOptions::builder()
            .name(self.name.to_owned())
            // Left out rather than false: a server compares the options of an index that is there.
            .unique(self.is_unique.then_some(true))
            .build();
        IndexModel::builder().keys(keys).options(options).build()
    }
}

/// When an operation ends, done or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// The whole time that an operation has.
    pub(super) fn start() -> Self {
        Self(Instant::now() + LIMIT)
    }

    /// Waits before another try; `attempt` counts those before it. Up to a millisecond, doubling up to 64, at random,
    /// so that those who met once do not meet again.
    pub(super) async fn back_off(self, attempt: u32) -> Result<(), StoreError> {
        let longest = 1_000 << attempt.min(6);
        // The standard library's hash keys are random; good enough to part company.
        let pause = Duration::from_micros(RandomState::new().build_hasher().finish() % longest);
        timeout_at(self.0, sleep(pause))
            .await
            .map_err(|_| StoreError::Contended)
    }

    /// Does a step of an operation on `place`; the driver's own error may tell the caller more than ours.
    pub(super) async fn attempt<T>(
        self,
        place: &str,
        step: impl IntoFuture<Output = mongodb::error::Result<T>>,
    ) -> Result<mongodb::error::Result<T>, StoreError> {
        timeout_at(self.0, step.into_future())
            .await
            .map_err(|_| StoreError::Unavailable(format!("{place}: no answer in time")))
    }

    /// Does a step of an operation on `place`.
    pub(super) async fn run<T>(
        self,
        place: &str,
        step: impl IntoFuture<Output = mongodb::error::Result<T>>,
    ) -> Result<T, StoreError> {
        self.attempt(place, step)
            .await?
            .map_err(|error| translate(place, &error))
    }
}

/// The open databases.
#[derive(Clone)]
pub(super) struct Connection {
    client: Client,
    pub(super) records: Database,
    pub(super) keys: Database,
    user_types: Vec<UserType>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({}, {})", self.records.name(), self.keys.name())
    }
}

impl Connection {
    pub(super) async fn open(options: &MongoOptions) -> Result<Self, StoreError> {
        let deadline = Deadline::start();
        let mut client_options = deadline.run("MONGO_URL", ClientOptions::parse(&options.url)).await?;
        client_options.app_name.get_or_insert_with(|| "sealgate".to_owned());
        client_options.server_selection_timeout = Some(options.server_selection_timeout);
        client_options.connect_timeout = Some(options.connect_timeout);
        client_options.max_pool_size.get_or_insert(CONNECTIONS);
        let client = Client::with_options(client_options).map_err(|error| translate("MONGO_URL", &error))?;
        let read_concern = read_concern(&client, options, deadline).await?;
        let database = |name: &str| {
            let options = DatabaseOptions::builder()
                .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
                .read_concern(read_concern.clone())
                .write_concern(
                    WriteConcern::builder()
                        .w(Acknowledgment::Majority)
                        .journal(true)
                        .build(),
                )
                .build();
            client.database_with_options(name, options)
        };
        Ok(Self {
            records: database(&options.database),
            keys: database(&options.keys_database),
            user_types: options.user_types.clone(),
            client,
        })
    }

    /// Configured user types.
    pub(super) fn user_types(&self) -> &[UserType] {
        &self.user_types
    }

    /// Whether the databases can be read and written to. The delete finds nothing to remove; it is refused where a
    /// write would be, and answered when a majority of the servers would have it.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        for database in [&self.records, &self.keys] {
            let deadline = Deadline::start();
            deadline
                .run(database.name(), database.run_command(doc! { "ping": 1 }))
                .await?;
            let nothing = doc! { "_id": "probe" };
            let probed: Documents = database.collection("probe");
            deadline.run(database.name(), probed.find_one(nothing.clone())).await?;
            deadline.run(database.name(), probed.delete_one(nothing)).await?;
        }
        Ok(())
    }

    pub(super) async fn close(&self) {
        // Not waited for longer than an operation may take.
        let _ = timeout(LIMIT, self.client.clone().shutdown()).await;
    }
}

/// `majority` where the server knows it.
async fn read_concern(client: &Client, options: &MongoOptions, deadline: Deadline) -> Result<ReadConcern, StoreError> {
    let any: Documents = client.database(&options.database).collection("probe");
    let read = any.find_one(doc! {}).read_concern(ReadConcern::majority());
    match deadline.attempt(&options.database, read).await? {
        Ok(_) => Ok(ReadConcern::majority()),
        Err(error) if is_refusal(&error) => Ok(ReadConcern::local()),
        Err(error) => Err(translate(&options.database, &error)),
    }
}

/// Makes the indexes that are not there.
pub(super) async fn ensure_indexes(documents: &Documents, indexes: &[Index]) -> Result<(), StoreError> {
    if indexes.is_empty() {
        return Ok(());
    }
    let made = documents.create_indexes(indexes.iter().map(|index| index.model()));
    let deadline = Deadline(Instant::now() + INDEX_LIMIT);
    deadline.run(documents.name(), made).await.map(drop)
}
