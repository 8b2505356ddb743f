//! A collection, whatever its documents are: the few operations that the ports are made of, each of them bounded.

use bson::{Document, RawDocumentBuf};
use futures_util::TryStreamExt as _;
use mongodb::{
    Collection, IndexModel,
    action::{Action as _, Find, FindOne},
};

use crate::storage::{
    documents::{Inserted, StoreError, Unique},
    mongo::{
        connection::{Deadline, Operations},
        errors::{is_duplicate, is_missing, translate},
    },
};

/// What a conditional replacement did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replaced {
    /// The document, or with `upsert` a new one, is stored.
    Stored,
    /// None fulfils the condition.
    NoMatch,
    /// A unique value belongs to another document.
    Duplicate,
}

/// What to list, and how.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    pub(super) filter: Document,
    pub(super) sort: Document,
    pub(super) limit: Option<u32>,
    pub(super) projection: Option<Document>,
}

/// One collection. Documents pass as they are: encoding and decoding is not the driver's.
#[derive(Clone, Debug)]
pub(super) struct RawCollection {
    collection: Collection<RawDocumentBuf>,
    operations: Operations,
}

impl RawCollection {
    pub(super) fn new(collection: Collection<RawDocumentBuf>, operations: Operations) -> Self {
        Self { collection, operations }
    }

    /// When an operation that begins now ends.
    pub(super) fn deadline(&self) -> Deadline {
        self.operations.deadline()
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.collection.name()
    }

    pub(super) async fn find_one(
        &self,
        filter: Document,
        projection: Option<Document>,
        deadline: Deadline,
    ) -> Result<Option<RawDocumentBuf>, StoreError> {
        let collection = self.collection.clone();
        self.run(deadline, async move {
            collection
                .find_one(filter)
                .optional(projection, FindOne::projection)
                .await
        })
        .await
    }

    pub(super) async fn list(&self, listing: Listing) -> Result<Vec<RawDocumentBuf>, StoreError> {
        // To the server, a limit of nothing is no limit.
        if listing.limit == Some(0) {
            return Ok(Vec::new());
        }
        let collection = self.collection.clone();
        self.run(self.deadline(), async move {
            let find = collection.find(listing.filter).sort(listing.sort);
            let find = find.optional(listing.limit, |find, limit| find.limit(limit.into()));
            let find = find.optional(listing.projection, Find::projection);
            find.await?.try_collect().await
        })
        .await
    }

    /// `false` when a unique value belongs to another document.
    pub(super) async fn insert_one(&self, document: RawDocumentBuf, deadline: Deadline) -> Result<bool, StoreError> {
        let collection = self.collection.clone();
        let inserted = async move { collection.insert_one(document).await };
        match self.attempt(deadline, inserted).await? {
            Ok(_) => Ok(true),
            Err(error) if is_duplicate(&error) => Ok(false),
            Err(error) => Err(translate(self.collection.name(), &error)),
        }
    }

    /// Inserts a document of which only the id is unique.
    pub(super) async fn insert(&self, document: RawDocumentBuf) -> Result<Inserted, StoreError> {
        let is_stored = self.insert_one(document, self.deadline()).await?;
        Ok(if is_stored {
            Inserted::Stored
        } else {
            Inserted::Taken(Unique::Id)
        })
    }

    pub(super) async fn replace_one(
        &self,
        filter: Document,
        document: RawDocumentBuf,
        is_upsert: bool,
        deadline: Deadline,
    ) -> Result<Replaced, StoreError> {
        let collection = self.collection.clone();
        let replaced = async move { collection.replace_one(filter, document).upsert(is_upsert).await };
        match self.attempt(deadline, replaced).await? {
            Ok(replaced) if replaced.matched_count > 0 || replaced.upserted_id.is_some() => Ok(Replaced::Stored),
            Ok(_) => Ok(Replaced::NoMatch),
            Err(error) if is_duplicate(&error) => Ok(Replaced::Duplicate),
            Err(error) => Err(translate(self.collection.name(), &error)),
        }
    }

    /// Whether there was one to remove.
    pub(super) async fn delete_one(&self, filter: Document, deadline: Deadline) -> Result<bool, StoreError> {
        let collection = self.collection.clone();
        let deleted = async move { collection.delete_one(filter).await };
        Ok(self.run(deadline, deleted).await?.deleted_count > 0)
    }

    pub(super) async fn delete_many(&self, filter: Document) -> Result<(), StoreError> {
        let collection = self.collection.clone();
        let deleted = async move { collection.delete_many(filter).await };
        self.run(self.deadline(), deleted).await.map(drop)
    }

    /// The indexes that are there; none where the collection is not.
    pub(super) async fn indexes(&self) -> Result<Vec<IndexModel>, StoreError> {
        let collection = self.collection.clone();
        let listed = async move { collection.list_indexes().await?.try_collect().await };
        match self.attempt(self.deadline(), listed).await? {
            Ok(found) => Ok(found),
            Err(error) if is_missing(&error) => Ok(Vec::new()),
            Err(error) => Err(translate(self.name(), &error)),
        }
    }

    /// Makes indexes.
    pub(super) async fn make_indexes(&self, models: Vec<IndexModel>) -> Result<(), StoreError> {
        let collection = self.collection.clone();
        let made = async move { collection.create_indexes(models).await };
        self.run(Deadline::for_indexes(), made).await.map(drop)
    }

    async fn attempt<T: Send + 'static>(
        &self,
        deadline: Deadline,
        step: impl Future<Output = mongodb::error::Result<T>> + Send + 'static,
    ) -> Result<mongodb::error::Result<T>, StoreError> {
        self.operations.attempt(self.collection.name(), deadline, step).await
    }

    async fn run<T: Send + 'static>(
        &self,
        deadline: Deadline,
        step: impl Future<Output = mongodb::error::Result<T>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.operations.run(self.collection.name(), deadline, step).await
    }
}
