//! The client, the two databases, and how long anything may take.
//!
//! Writes are acknowledged by a majority of the servers, journaled. Reads go to the primary and, where the server knows
//! that, see only what a majority has: nothing that is read or answered is lost with a primary.

use std::{
    fmt,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use bson::{Document, RawDocumentBuf, doc};
use mongodb::{
    Client, Collection, Database,
    options::{ClientOptions, DatabaseOptions, ReadConcern, ReadPreference, SelectionCriteria},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{
    domain::user_type::UserType,
    storage::{
        documents::StoreError,
        mongo::{
            MongoOptions,
            client::{complete, durable},
            collection::RawCollection,
            errors::{is_refusal, translate},
            turns::Turns,
        },
        schema::{Schema, Schemas},
    },
};

/// What making an index may take, once, on a collection that is not empty.
const INDEX_LIMIT: Duration = Duration::from_mins(1);

/// When an operation ends, done or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// The time for making indexes.
    pub(super) fn for_indexes() -> Self {
        Self(Instant::now() + INDEX_LIMIT)
    }

    /// Waits before another try; `attempt` counts those before it. Up to a millisecond, doubling up to 64, at random,
    /// so that those who met once do not meet again.
    pub(super) async fn back_off(self, attempt: u32) -> Result<(), StoreError> {
        let longest = 1_000 << attempt.min(6);
        // The standard library's hash keys are random; good enough to part company.
        let pause = Duration::from_micros(RandomState::new().build_hasher().finish() % longest);
        self.contend(sleep(pause)).await
    }

    /// Waits for others that change the same record.
    pub(super) async fn contend<T>(self, others: impl Future<Output = T>) -> Result<T, StoreError> {
        timeout_at(self.0, others).await.map_err(|_| StoreError::Contended)
    }
}

/// Runs operations of the driver, as many at once as there are connections.
///
/// An operation is a task of its own, so that a caller who goes away does not take it along: the driver's pool hands
/// connections to those who left, one in half a second, while others wait (mongodb 3.9, `cmap/worker.rs`). For the
/// same reason those who have to wait for a connection do so here. What is still under way at its deadline is dropped,
/// and its connection with it, which may be dead.
#[derive(Clone, Debug)]
pub(super) struct Operations {
    permits: Arc<Semaphore>,
    limit: Duration,
}

impl Operations {
    fn new(client_options: &ClientOptions, limit_of_time: Duration) -> Self {
        // To the driver, a limit of nothing is no limit.
        let limit = client_options.max_pool_size.filter(|size| *size > 0);
        let limit = limit.and_then(|size| usize::try_from(size).ok());
        Self {
            permits: Arc::new(Semaphore::new(limit.unwrap_or(Semaphore::MAX_PERMITS))),
            limit: limit_of_time,
        }
    }

    /// When an operation that begins now ends.
    pub(super) fn deadline(&self) -> Deadline {
        Deadline(Instant::now() + self.limit)
    }

    /// Does `step` on `place`. The driver's own error may tell the caller more than ours.
    pub(super) async fn attempt<T: Send + 'static>(
        &self,
        place: &str,
        deadline: Deadline,
        step: impl Future<Output = mongodb::error::Result<T>> + Send + 'static,
    ) -> Result<mongodb::error::Result<T>, StoreError> {
        let late = || StoreError::Unavailable(format!("{place}: no answer in time"));
        let permit = timeout_at(deadline.0, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit.map_err(|_| late())?;
        let task = tokio::spawn(async move {
            let _permit = permit;
            timeout_at(deadline.0, step).await
        });
        match task.await {
            Ok(done) => done.map_err(|_| late()),
            Err(_) => Err(StoreError::Unavailable(format!("{place}: the driver failed"))),
        }
    }

    /// Does `step` on `place`.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        place: &str,
        deadline: Deadline,
        step: impl Future<Output = mongodb::error::Result<T>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.attempt(place, deadline, step)
            .await?
            .map_err(|error| translate(place, &error))
    }
}

/// The open databases.
#[derive(Clone)]
pub(super) struct Connection {
    client: Client,
    records: Database,
    /// The same for lists: reads as the URL prefers.
    lists: Database,
    keys: Database,
    operations: Operations,
    turns: Arc<Turns>,
    user_types: Vec<UserType>,
    schemas: Schemas,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({}, {})", self.records.name(), self.keys.name())
    }
}

impl Connection {
    pub(super) async fn open(options: &MongoOptions) -> Result<Self, StoreError> {
        let place = "MONGO_URL";
        let parsed = timeout(options.operation_timeout, ClientOptions::parse(options.url.expose())).await;
        let parsed =
            parsed.map_err(|_| StoreError::Unavailable(format!("{place}: its name is not resolved in time")))?;
        let client_options = complete(parsed.map_err(|error| translate(place, &error))?, options)?;
        let preferred = client_options.selection_criteria.clone();
        let operations = Operations::new(&client_options, options.operation_timeout);
        let client = Client::with_options(client_options).map_err(|error| translate(place, &error))?;
        let read_concern = read_concern(&client, &operations, &options.database).await?;
        let primary = SelectionCriteria::ReadPreference(ReadPreference::Primary);
        let database = |name: &str, reads: &SelectionCriteria| {
            let options = DatabaseOptions::builder()
                .selection_criteria(reads.clone())
                .read_concern(read_concern.clone())
                .write_concern(durable())
                .build();
            client.database_with_options(name, options)
        };
        Ok(Self {
            records: database(&options.database, &primary),
            lists: database(&options.database, preferred.as_ref().unwrap_or(&primary)),
            keys: database(&options.keys_database, &primary),
            user_types: options.user_types.clone(),
            schemas: options.schemas.clone(),
            operations,
            turns: Arc::new(Turns::new()),
            client,
        })
    }

    /// Configured user types.
    pub(super) fn user_types(&self) -> &[UserType] {
        &self.user_types
    }

    /// The versions of a record.
    pub(super) fn schema(&self, record: &str) -> Schema {
        self.schemas.of(record)
    }

    /// Where those who change the same record queue.
    pub(super) fn turns(&self) -> &Turns {
        &self.turns
    }

    /// A collection of records.
    pub(super) fn records(&self, name: &str) -> RawCollection {
        RawCollection::new(self.records.collection(name), self.operations.clone())
    }

    /// The same for lists, which may lag where the URL prefers a secondary.
    pub(super) fn listed(&self, name: &str) -> RawCollection {
        RawCollection::new(self.lists.collection(name), self.operations.clone())
    }

    /// A collection of wrapped keys.
    pub(super) fn keys(&self, name: &str) -> RawCollection {
        RawCollection::new(self.keys.collection(name), self.operations.clone())
    }

    /// Names of the collections of records that are there.
    pub(super) async fn record_collections(&self) -> Result<Vec<String>, StoreError> {
        let records = self.records.clone();
        let names = async move { records.list_collection_names().await };
        self.operations
            .run(self.records.name(), self.operations.deadline(), names)
            .await
    }

    /// Whether the databases can be read and written to. The delete finds nothing to remove; it is refused where a
    /// write would be, and answered when a majority of the servers would have it.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        for nothing in [self.records("probe"), self.keys("probe")] {
            let deadline = self.operations.deadline();
            nothing.find_one(doc! { "_id": "probe" }, None, deadline).await?;
            nothing.delete_one(doc! { "_id": "probe" }, deadline).await?;
        }
        Ok(())
    }

    /// Whether the server is neither of a replica set nor a router before several.
    pub(super) async fn is_standalone(&self) -> Result<bool, StoreError> {
        let admin = self.client.database("admin");
        let ask = async move {
            match admin.run_command(doc! { "hello": 1 }).await {
                // Its name before MongoDB 5.
                Err(error) if is_refusal(&error) => admin.run_command(doc! { "isMaster": 1 }).await,
                said => said,
            }
        };
        let said = self
            .operations
            .run("MONGO_URL", self.operations.deadline(), ask)
            .await?;
        Ok(!said.contains_key("setName") && !said.get_str("msg").is_ok_and(|msg| msg == "isdbgrid"))
    }

    pub(super) async fn close(&self) {
        // Not waited for longer than an operation may take.
        let _ = timeout(self.operations.limit, self.client.clone().shutdown()).await;
    }
}

/// `majority` where the server knows it.
async fn read_concern(client: &Client, operations: &Operations, database: &str) -> Result<ReadConcern, StoreError> {
    let any: Collection<RawDocumentBuf> = client.database(database).collection("probe");
    let read = async move {
        any.find_one(Document::new())
            .read_concern(ReadConcern::majority())
            .await
    };
    match operations.attempt(database, operations.deadline(), read).await? {
        Ok(_) => Ok(ReadConcern::majority()),
        Err(error) if is_refusal(&error) => Ok(ReadConcern::local()),
        Err(error) => Err(translate(database, &error)),
    }
}
