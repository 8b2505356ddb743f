//! Audit entries and the checkpoints over them: inserted, read, and removed from the beginning on.

use std::sync::Arc;

use async_trait::async_trait;
use bson::{Document, RawDocumentBuf, doc};

use crate::{
    domain::{
        ids::{AccountId, AuditId},
        user_type::UserType,
    },
    storage::{
        audit::{AuditRecord, AuditStore, CheckpointRecord, StoredEntry},
        documents::{Inserted, StoreError},
        mongo::{
            collection::{Listing, RawCollection},
            connection::Connection,
            documents::{decode, encode},
            indexes::Index,
        },
    },
};

const ENTRIES: &str = "audit";
const CHECKPOINTS: &str = "audit_checkpoints";
const CURSORS: &str = "audit_cursors";

/// Of the entries; checkpoints and cursors have only their ids.
const INDEXES: &[Index] = &[
    Index::plain("all", &["user_type", "_id"]),
    Index::plain("account", &["account_id", "user_type", "_id"]),
];

/// The collections of entries and checkpoints.
#[derive(Debug)]
pub(super) struct AuditCollections(pub(super) Arc<Connection>);

impl AuditCollections {
    /// The collection and the indexes it needs.
    pub(super) fn indexed(&self) -> (RawCollection, &'static [Index]) {
        (self.entries(), INDEXES)
    }

    fn entries(&self) -> RawCollection {
        self.0.records(ENTRIES)
    }

    fn checkpoints(&self) -> RawCollection {
        self.0.records(CHECKPOINTS)
    }

    fn cursors(&self) -> RawCollection {
        self.0.records(CURSORS)
    }
}

fn by_id(filter: Document, limit: u32, is_id_alone: bool) -> Listing {
    Listing {
        filter,
        sort: doc! { "_id": 1 },
        limit: Some(limit),
        projection: is_id_alone.then(|| doc! { "_id": 1 }),
    }
}

fn after_or_first(after: Option<&AuditId>) -> Document {
    doc! { "$gt": after.map_or("", AuditId::as_str) }
}

fn id_of(document: &RawDocumentBuf) -> Result<AuditId, StoreError> {
    let id = document.get_str("_id").ok().and_then(|id| id.parse().ok());
    id.ok_or_else(|| StoreError::Damaged("an entry of the audit has an invalid id".to_owned()))
}

fn stored(document: RawDocumentBuf) -> Result<StoredEntry, StoreError> {
    Ok(StoredEntry::new(id_of(&document)?, document.into_bytes()))
}

fn link(document: &RawDocumentBuf) -> CheckpointRecord {
    CheckpointRecord::read(document.get_str("_id").unwrap_or_default(), document.as_bytes())
}

fn number(place: u64) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

async fn remove(collection: &RawCollection, ids: &[&str]) -> Result<u64, StoreError> {
    if ids.is_empty() {
        return Ok(0);
    }
    collection.delete_many(doc! { "_id": { "$in": ids } }).await
}

#[async_trait]
impl AuditStore for AuditCollections {
    async fn append(&self, record: &AuditRecord) -> Result<Inserted, StoreError> {
        let document = encode(ENTRIES, record.id.as_str(), record)?;
        self.entries().insert(document).await
    }

    async fn list(
        &self,
        user_type: &UserType,
        account_id: Option<&AccountId>,
        after: Option<&AuditId>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let mut filter = doc! { "user_type": user_type.as_str(), "_id": after_or_first(after) };
        if let Some(account_id) = account_id {
            filter.insert("account_id", account_id.as_str());
        }
        let found = self.0.listed(ENTRIES).list(by_id(filter, limit, false)).await?;
        found.iter().map(|document| decode(ENTRIES, document)).collect()
    }

    async fn page(&self, after: Option<&AuditId>, limit: u32) -> Result<Vec<StoredEntry>, StoreError> {
        let filter = doc! { "_id": after_or_first(after) };
        let found = self.entries().list(by_id(filter, limit, false)).await?;
        found.into_iter().map(stored).collect()
    }

    async fn ids(&self, after: Option<&AuditId>, before: &AuditId, limit: u32) -> Result<Vec<AuditId>, StoreError> {
        let mut bounds = after_or_first(after);
        bounds.insert("$lt", before.as_str());
        let found = self.entries().list(by_id(doc! { "_id": bounds }, limit, true)).await?;
        found.iter().map(id_of).collect()
    }

    async fn entries(&self, ids: &[AuditId]) -> Result<Vec<StoredEntry>, StoreError> {
        let limit = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        let ids: Vec<&str> = ids.iter().map(AuditId::as_str).collect();
        let listing = by_id(doc! { "_id": { "$in": ids } }, limit, false);
        let found = AuditCollections::entries(self).list(listing).await?;
        found.into_iter().map(stored).collect()
    }

    async fn append_checkpoint(&self, record: &CheckpointRecord) -> Result<Inserted, StoreError> {
        let document = encode(CHECKPOINTS, &record.id, record)?;
        self.checkpoints().insert(document).await
    }

    async fn last_checkpoint(&self) -> Result<Option<CheckpointRecord>, StoreError> {
        let last = Listing {
            sort: doc! { "_id": -1 },
            limit: Some(1),
            ..Listing::default()
        };
        let found = AuditCollections::checkpoints(self).list(last).await?;
        Ok(found.first().map(link))
    }

    async fn checkpoints(&self, from: u64, limit: u32) -> Result<Vec<CheckpointRecord>, StoreError> {
        let filter = doc! { "_id": { "$gte": CheckpointRecord::id_at(from) } };
        let found = AuditCollections::checkpoints(self)
            .list(by_id(filter, limit, false))
            .await?;
        Ok(found.iter().map(link).collect())
    }

    async fn remove_entries(&self, ids: &[AuditId]) -> Result<u64, StoreError> {
        let ids: Vec<&str> = ids.iter().map(AuditId::as_str).collect();
        remove(&AuditCollections::entries(self), &ids).await
    }

    async fn remove_checkpoints(&self, before: u64, limit: u32) -> Result<u64, StoreError> {
        let filter = doc! { "_id": { "$lt": CheckpointRecord::id_at(before) } };
        let found = AuditCollections::checkpoints(self)
            .list(by_id(filter, limit, true))
            .await?;
        let ids: Vec<&str> = found.iter().filter_map(|link| link.get_str("_id").ok()).collect();
        remove(&AuditCollections::checkpoints(self), &ids).await
    }

    async fn cursor(&self, reader: &str) -> Result<Option<u64>, StoreError> {
        let cursors = self.cursors();
        let found = cursors
            .find_one(doc! { "_id": reader }, None, cursors.deadline())
            .await?;
        let place = |document: RawDocumentBuf| {
            let place = document
                .get_i64("place")
                .ok()
                .and_then(|place| u64::try_from(place).ok());
            place.ok_or_else(|| StoreError::Damaged(format!("{CURSORS} {reader}")))
        };
        found.map(place).transpose()
    }

    async fn advance(&self, reader: &str, expected: Option<u64>, place: u64) -> Result<bool, StoreError> {
        let Some(expected) = expected else {
            let first = doc! { "_id": reader, "place": number(place) };
            let first = RawDocumentBuf::try_from(&first).map_err(|_| StoreError::Damaged(CURSORS.to_owned()))?;
            return Ok(self.cursors().insert(first).await? == Inserted::Stored);
        };
        let at = doc! { "_id": reader, "place": number(expected) };
        self.cursors()
            .update_one(at, doc! { "$set": { "place": number(place) } })
            .await
    }
}
