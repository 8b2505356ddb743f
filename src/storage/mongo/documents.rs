//! [`Documents`] for every record, over its collection.
//!
//! *Atomic*: a change reads, decides, and replaces the document on condition that its `rev` is still what was read;
//! otherwise it begins again. *Unique*: `_id` and plain unique indexes. *Durable* and *current*: see
//! [`connection`](crate::storage::mongo::connection).

use std::{marker::PhantomData, str::FromStr, sync::Arc};

use async_trait::async_trait;
use bson::{Binary, Document, RawDocumentBuf, doc, spec::BinarySubtype};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    domain::{ids::Id, user_type::UserType},
    storage::{
        documents::{Documents, Inserted, Record, Ref, StoreError, Unique, Updated, Verdict},
        encoding,
        mongo::{
            collection::{Listing, RawCollection, Replaced},
            connection::{Connection, Deadline},
            indexes::Index,
        },
        schema::{Schema, version_of},
    },
};

/// How a record stands in its collection.
pub(super) trait Stored: Record<Id: FromStr> {
    /// Whether it lies in the database of the keys.
    const IS_KEY: bool = false;
    /// Whether each user type has a collection of its own. Needed where ids may come from an import, and be the same
    /// in two of them; where they are ours, one collection holds all.
    const IS_PER_USER_TYPE: bool = false;
    /// Beside the one on `_id`.
    const INDEXES: &'static [Index];
    /// Fields that are unique within the user type and their values, in the order in which a loser is told of them.
    fn unique_values(&self) -> Vec<(&'static str, Unique, &[u8])> {
        Vec::new()
    }
}

/// The collection, or collections, of one record.
#[derive(Debug)]
pub(super) struct Collections<R> {
    connection: Arc<Connection>,
    schema: Schema,
    record: PhantomData<fn() -> R>,
}

impl<R: Stored> Collections<R> {
    pub(super) fn new(connection: &Arc<Connection>) -> Self {
        Self {
            connection: Arc::clone(connection),
            schema: connection.schema(R::NAME),
            record: PhantomData,
        }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Its collections, all of them.
    pub(super) fn all(&self) -> Vec<RawCollection> {
        if !R::IS_PER_USER_TYPE {
            return vec![self.named(R::NAME)];
        }
        let user_types = self.connection.user_types().iter();
        user_types
            .map(|user_type| self.named(&collection_name::<R>(user_type)))
            .collect()
    }

    /// The one that holds records of `user_type`. A user type that was not configured when the store was opened has
    /// no indexes, and so nothing there would be unique.
    pub(super) fn of(&self, user_type: &UserType) -> Result<RawCollection, StoreError> {
        if !R::IS_PER_USER_TYPE {
            return Ok(self.named(R::NAME));
        }
        if !self.connection.user_types().contains(user_type) {
            return Err(StoreError::Unavailable(format!(
                "the user type {user_type} is not configured"
            )));
        }
        Ok(self.named(&collection_name::<R>(user_type)))
    }

    /// The one of that name.
    pub(super) fn named(&self, name: &str) -> RawCollection {
        if R::IS_KEY {
            self.connection.keys(name)
        } else {
            self.connection.records(name)
        }
    }

    /// Ids of at most `limit` records of `user_type` that `filter` finds, in the order of `sort`.
    pub(super) async fn ids(
        &self,
        user_type: &UserType,
        filter: Document,
        sort: Document,
        limit: u32,
    ) -> Result<Vec<R::Id>, StoreError> {
        let listing = Listing {
            filter: of_type(user_type, filter),
            sort,
            limit: Some(limit),
            projection: Some(doc! { "_id": 1 }),
        };
        let found = self.of(user_type)?.list(listing).await?;
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
        let listing = Listing {
            filter: of_type(user_type, filter),
            sort,
            limit,
            projection: None,
        };
        let found = self.of(user_type)?.list(listing).await?;
        found.iter().map(|document| self.decode(document)).collect()
    }

    /// The records with their ids, read as the URL prefers; without the record where it can't be read.
    pub(super) async fn listed(
        &self,
        user_type: &UserType,
        filter: Document,
        sort: Document,
        limit: u32,
    ) -> Result<Vec<(R::Id, Option<R>)>, StoreError> {
        let listing = Listing {
            filter: of_type(user_type, filter),
            sort,
            limit: Some(limit),
            projection: None,
        };
        let name = self.of(user_type)?.name().to_owned();
        let found = self.connection.listed(&name).list(listing).await?;
        found
            .iter()
            .map(|document| {
                let id = id_of(document).parse();
                let id = id.map_err(|_| StoreError::Damaged(format!("{} has an invalid id", R::NAME)))?;
                let record = self.decode(document);
                Ok((
                    id,
                    record.map_or_else(StoreError::pass_over, |record| Ok(Some(record)))?,
                ))
            })
            .collect()
    }

    fn encode(&self, key: &Ref<R::Id>, record: &R) -> Result<RawDocumentBuf, StoreError> {
        let name = format_args!("{} {}", R::NAME, key.id);
        document(&name, encoding::encode_as(self.schema, name, record)?)
    }

    fn decode(&self, document: &RawDocumentBuf) -> Result<R, StoreError> {
        let id = id_of(document);
        self.schema
            .decode(format_args!("{} {id}", R::NAME), document.as_bytes())
    }

    /// Which value another record has; `None` when by now nobody does. The index that refused is named in the server's
    /// message alone, which quotes values and differs between servers, so the holder is looked for.
    async fn taken(
        &self,
        collection: &RawCollection,
        record: &R,
        is_new: bool,
        deadline: Deadline,
    ) -> Result<Option<Unique>, StoreError> {
        let key = record.key();
        let has = async |filter: Document| {
            let found = collection.find_one(filter, Some(doc! { "_id": 1 }), deadline).await;
            found.map(|found| found.is_some())
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

/// The name of the collection that holds records of `user_type` alone.
pub(super) fn collection_name<R: Record>(user_type: &UserType) -> String {
    format!("{}_{user_type}", R::NAME)
}

/// The document of `record`, as the driver takes it.
pub(super) fn encode<T: Serialize>(name: &str, id: &str, record: &T) -> Result<RawDocumentBuf, StoreError> {
    let name = format_args!("{name} {id}");
    document(&name, encoding::encode(name, record)?)
}

fn document(name: &impl std::fmt::Display, bytes: Vec<u8>) -> Result<RawDocumentBuf, StoreError> {
    RawDocumentBuf::from_bytes(bytes).map_err(|_| StoreError::Damaged(format!("{name} is not a document")))
}

fn id_of(document: &RawDocumentBuf) -> &str {
    document.get_str("_id").unwrap_or("without an id")
}

/// The record of a stored document.
pub(super) fn decode<T: DeserializeOwned>(name: &str, document: &RawDocumentBuf) -> Result<T, StoreError> {
    let id = id_of(document);
    encoding::decode(format_args!("{name} {id}"), document.as_bytes())
}

/// Bytes as they stand in a document.
pub(super) fn binary(bytes: &[u8]) -> Binary {
    Binary {
        subtype: BinarySubtype::Generic,
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
impl<R: Stored> Documents<R> for Collections<R> {
    async fn insert(&self, record: &R) -> Result<Inserted, StoreError> {
        let key = record.key();
        let collection = self.of(&key.user_type)?;
        let document = self.encode(&key, record)?;
        let deadline = collection.deadline();
        let mut attempt = 0;
        loop {
            if collection.insert_one(document.clone(), deadline).await? {
                return Ok(Inserted::Stored);
            }
            if let Some(unique) = self.taken(&collection, record, true, deadline).await? {
                return Ok(Inserted::Taken(unique));
            }
            // The other record is gone again, or not yet held by a majority.
            deadline.back_off(attempt).await?;
            attempt += 1;
        }
    }

    async fn find(&self, key: &Ref<R::Id>) -> Result<Option<R>, StoreError> {
        let collection = self.of(&key.user_type)?;
        let found = collection.find_one(by_key(key), None, collection.deadline()).await?;
        found.map(|document| self.decode(&document)).transpose()
    }

    async fn update(
        &self,
        key: &Ref<R::Id>,
        decide: &mut (dyn for<'r> FnMut(&'r mut R) -> Verdict + Send),
    ) -> Result<Updated, StoreError> {
        let collection = self.of(&key.user_type)?;
        let deadline = collection.deadline();
        let mut attempt = 0;
        let mut turn = None;
        loop {
            let Some(document) = collection.find_one(by_key(key), None, deadline).await? else {
                return Ok(Updated::Missing);
            };
            let mut record = self.decode(&document)?;
            let rev = record.rev();
            if decide(&mut record) == Verdict::Leave {
                return Ok(Updated::Left);
            }
            record.set_rev(rev + 1);
            let mut unchanged = by_key(key);
            unchanged.insert("rev", i64::try_from(rev).unwrap_or(i64::MAX));
            let changed = self.encode(key, &record)?;
            match collection.replace_one(unchanged, changed, false, deadline).await? {
                Replaced::Stored => return Ok(Updated::Stored),
                Replaced::NoMatch => {}
                Replaced::Duplicate => {
                    if let Some(unique) = self.taken(&collection, &record, false, deadline).await? {
                        return Ok(Updated::Taken(unique));
                    }
                }
            }
            if turn.is_none() {
                let turns = self.connection.turns();
                turn = Some(deadline.contend(turns.wait((R::NAME, key.id.as_str()))).await?);
            } else {
                // Somebody of another process.
                deadline.back_off(attempt).await?;
                attempt += 1;
            }
        }
    }

    async fn delete(&self, key: &Ref<R::Id>) -> Result<bool, StoreError> {
        let collection = self.of(&key.user_type)?;
        collection.delete_one(by_key(key), collection.deadline()).await
    }

    fn schema(&self) -> Schema {
        self.schema
    }

    async fn versions(
        &self,
        user_type: &UserType,
        after: Option<&R::Id>,
        limit: u32,
    ) -> Result<Vec<(R::Id, u16)>, StoreError> {
        let listing = Listing {
            filter: of_type(user_type, doc! { "_id": { "$gt": after.map_or("", |id| id.as_str()) } }),
            sort: doc! { "_id": 1 },
            limit: Some(limit),
            projection: Some(doc! { "_id": 1, "schema": 1 }),
        };
        let found = self.of(user_type)?.list(listing).await?;
        found
            .iter()
            .map(|document| {
                let damaged = || StoreError::Damaged(format!("{} {}", R::NAME, id_of(document)));
                let id = id_of(document).parse().map_err(|_| damaged())?;
                Ok((id, version_of(document.as_bytes()).ok_or_else(damaged)?))
            })
            .collect()
    }
}
