//! [`Documents`](Port) for every record, over its collection.
//!
//! *Atomic*: a change reads, decides, and replaces the document on condition that its `rev` is still what was read;
//! otherwise it begins again. *Unique*: `_id` and plain unique indexes. *Durable* and *current*: see
//! [`connection`](crate::storage::mongo::connection).

use std::{marker::PhantomData, str::FromStr, sync::Arc};

use async_trait::async_trait;
use bson::{Document, RawDocumentBuf, doc};
use futures_util::TryStreamExt as _;
use mongodb::Database;

use crate::{
    domain::{ids::Id, user_type::UserType},
    storage::{
        documents::{Documents as Port, Inserted, Record, Ref, StoreError, Unique, Updated, Verdict},
        encoding::{decode, encode},
        mongo::{
            connection::{Connection, Deadline, Documents, Index},
            errors::{is_duplicate, translate},
        },
    },
};

/// How a record stands in its collection.
pub(super) trait Stored: Record<Id: FromStr> {
    /// Whether each user type has a collection of its own. Needed where ids may come from an import, and be the same
    /// in two of them; where they are ours, one collection holds all.
    const IS_PER_USER_TYPE: bool;
    /// Beside the one on `_id`.
    const INDEXES: &'static [Index];
    /// Fields that are unique within the user type and their values, in the order in which a loser is told of them.
    fn unique_values(&self) -> Vec<(&'static str, Unique, &[u8])>;
}

/// The collection, or collections, of one record.
#[derive(Debug)]
pub(super) struct Collections<R> {
    pub(super) connection: Arc<Connection>,
    database: Database,
    record: PhantomData<fn() -> R>,
}

/// The name of the collection of `name` that holds records of `user_type` alone.
pub(super) fn collection_name(name: &str, user_type: &UserType) -> String {
    format!("{name}_{user_type}")
}

impl<R: Stored> Collections<R> {
    pub(super) fn new(connection: &Arc<Connection>, database: &Database) -> Self {
        Self {
            connection: Arc::clone(connection),
            database: database.clone(),
            record: PhantomData,
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Documents> {
        if !R::IS_PER_USER_TYPE {
            return vec![self.database.collection(R::NAME)];
        }
        let user_types = self.connection.user_types().iter();
        user_types
            .map(|user_type| self.database.collection(&collection_name(R::NAME, user_type)))
            .collect()
    }

    /// The one that holds records of `user_type`. A user type that was not configured when the store was opened has
    /// no indexes, and so nothing there would be unique.
    pub(super) fn of(&self, user_type: &UserType) -> Result<Documents, StoreError> {
        if !R::IS_PER_USER_TYPE {
            return Ok(self.database.collection(R::NAME));
        }
        if !self.connection.user_types().contains(user_type) {
            return Err(StoreError::Unavailable(format!(
                "the user type {user_type} is not configured"
            )));
        }
        Ok(self.database.collection(&collection_name(R::NAME, user_type)))
    }

    /// Ids of at most `limit` records of `user_type` that `filter` finds, in the order of `sort`.
    pub(super) async fn ids(
        &self,
        user_type: &UserType,
        filter: Document,
        sort: Document,
        limit: u32,
    ) -> Result<Vec<R::Id>, StoreError> {
        let documents = self.of(user_type)?;
        let found = list(
            &documents,
            of_type(user_type, filter),
            sort,
            Some(limit),
            Some(doc! { "_id": 1 }),
        )
        .await?;
        found
            .iter()
            .map(|document| {
                let id = document.get_str("_id").ok().and_then(|id| id.parse().ok());
                id.ok_or_else(|| StoreError::Damaged(format!("{} has an invalid id", R::NAME)))
            })
            .collect()
    }

    /// The records themselves.
    pub(super) async fn records(
        &self,
        user_type: &UserType,
        filter: Document,
        sort: Document,
        limit: Option<u32>,
    ) -> Result<Vec<R>, StoreError> {
        let found = list(&self.of(user_type)?, of_type(user_type, filter), sort, limit, None).await?;
        found.iter().map(|document| read(R::NAME, document)).collect()
    }

    /// Which value another record has; `None` when by now nobody does. The index that refused is named in the server's
    /// message alone, so it is asked for.
    async fn taken(
        &self,
        documents: &Documents,
        record: &R,
        is_new: bool,
        deadline: Deadline,
    ) -> Result<Option<Unique>, StoreError> {
        let key = record.key();
        let has = async |filter: Document| {
            let found = documents.find_one(filter).projection(doc! { "_id": 1 });
            deadline.run(documents.name(), found).await.map(|found| found.is_some())
        };
        if is_new && has(doc! { "_id": key.id.as_str() }).await? {
            return Ok(Some(Unique::Id));
        }
        for (field, unique, value) in record.unique_values() {
            let others = doc! { "_id": { "$ne": key.id.as_str() }, field: binary(value) };
            if has(of_type(&key.user_type, others)).await? {
                return Ok(Some(unique));
            }
        }
        Ok(None)
    }
}

/// Documents that `filter` finds, in the order of `sort`.
pub(super) async fn list(
    documents: &Documents,
    filter: Document,
    sort: Document,
    limit: Option<u32>,
    projection: Option<Document>,
) -> Result<Vec<RawDocumentBuf>, StoreError> {
    // To the server, a limit of nothing is no limit.
    if limit == Some(0) {
        return Ok(Vec::new());
    }
    let mut find = documents.find(filter).sort(sort);
    if let Some(limit) = limit {
        find = find.limit(limit.into());
    }
    if let Some(projection) = projection {
        find = find.projection(projection);
    }
    let found = async { find.await?.try_collect().await };
    Deadline::start().run(documents.name(), found).await
}

/// Inserts a document of which only the id is unique.
pub(super) async fn insert_once(
    documents: &Documents,
    document: Vec<u8>,
    deadline: Deadline,
) -> Result<bool, StoreError> {
    let document = raw(documents.name(), document)?;
    match deadline
        .attempt(documents.name(), documents.insert_one(document))
        .await?
    {
        Ok(_) => Ok(true),
        Err(error) if is_duplicate(&error) => Ok(false),
        Err(error) => Err(translate(documents.name(), &error)),
    }
}

/// The record of a stored document.
pub(super) fn read<T: serde::de::DeserializeOwned>(name: &str, document: &RawDocumentBuf) -> Result<T, StoreError> {
    let id = document.get_str("_id").unwrap_or("without an id");
    decode(format_args!("{name} {id}"), document.as_bytes())
}

/// Encoded bytes as the driver takes them.
pub(super) fn raw(name: &str, document: Vec<u8>) -> Result<RawDocumentBuf, StoreError> {
    RawDocumentBuf::from_bytes(document).map_err(|_| StoreError::Damaged(format!("{name}: not a document")))
}

pub(super) fn binary(bytes: &[u8]) -> bson::Binary {
    bson::Binary {
        subtype: bson::spec::BinarySubtype::Generic,
        bytes: bytes.to_vec(),
    }
}

fn of_type(user_type: &UserType, mut filter: Document) -> Document {
    filter.insert("user_type", user_type.as_str());
    filter
}

fn by_key<I: Id>(key: &Ref<I>) -> Document {
    doc! { "_id": key.id.as_str(), "user_type": key.user_type.as_str() }
}

#[async_trait]
impl<R: Stored> Port<R> for Collections<R> {
    async fn insert(&self, record: &R) -> Result<Inserted, StoreError> {
        let key = record.key();
        let documents = self.of(&key.user_type)?;
        let document = encode(format_args!("{} {key}", R::NAME), record)?;
        let deadline = Deadline::start();
        let mut attempt = 0;
        loop {
            if insert_once(&documents, document.clone(), deadline).await? {
                return Ok(Inserted::Stored);
            }
            if let Some(unique) = self.taken(&documents, record, true, deadline).await? {
                return Ok(Inserted::Taken(unique));
            }
            // The other record is gone again, or not yet held by a majority.
            deadline.back_off(attempt).await?;
            attempt += 1;
        }
    }

    async fn find(&self, key: &Ref<R::Id>) -> Result<Option<R>, StoreError> {
        let documents = self.of(&key.user_type)?;
        let found = Deadline::start()
            .run(documents.name(), documents.find_one(by_key(key)))
            .await?;
        found.map(|document| read(R::NAME, &document)).transpose()
    }

    async fn update(
        &self,
        key: &Ref<R::Id>,
        decide: &mut (dyn for<'r> FnMut(&'r mut R) -> Verdict + Send),
    ) -> Result<Updated, StoreError> {
        let documents = self.of(&key.user_type)?;
        let deadline = Deadline::start();
        let mut attempt = 0;
        loop {
            let found = deadline.run(documents.name(), documents.find_one(by_key(key))).await?;
            let Some(document) = found else {
                return Ok(Updated::Missing);
            };
            let mut record: R = read(R::NAME, &document)?;
            let rev = record.rev();
            if decide(&mut record) == Verdict::Leave {
                return Ok(Updated::Left);
            }
            record.set_rev(rev + 1);
            let changed = raw(R::NAME, encode(format_args!("{} {key}", R::NAME), &record)?)?;
            let mut unchanged = by_key(key);
            unchanged.insert("rev", i64::try_from(rev).unwrap_or(i64::MAX));
            let replaced = documents.replace_one(unchanged, changed);
            match deadline.attempt(documents.name(), replaced).await? {
                Ok(replaced) if replaced.matched_count > 0 => return Ok(Updated::Stored),
                Ok(_) => {}
                Err(error) if is_duplicate(&error) => {
                    if let Some(unique) = self.taken(&documents, &record, false, deadline).await? {
                        return Ok(Updated::Taken(unique));
                    }
                }
                Err(error) => return Err(translate(documents.name(), &error)),
            }
            deadline.back_off(attempt).await?;
            attempt += 1;
        }
    }

    async fn delete(&self, key: &Ref<R::Id>) -> Result<bool, StoreError> {
        let documents = self.of(&key.user_type)?;
        let deleted = documents.delete_one(by_key(key));
        let deleted = Deadline::start().run(documents.name(), deleted).await?;
        Ok(deleted.deleted_count > 0)
    }
}
