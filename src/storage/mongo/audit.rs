//! Audit entries and the checkpoints over them: inserts only.

use std::sync::Arc;

use async_trait::async_trait;
use bson::doc;

use crate::{
    domain::{
        ids::{AccountId, AuditId},
        user_type::UserType,
    },
    storage::{
        audit::{AuditRecord, AuditStore, CheckpointRecord},
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

/// Of the entries; checkpoints have only their ids.
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
        let mut filter = doc! {
            "user_type": user_type.as_str(),
            "_id": { "$gt": after.map_or("", AuditId::as_str) },
        };
        if let Some(account_id) = account_id {
            filter.insert("account_id", account_id.as_str());
        }
        let listing = Listing {
            filter,
            sort: doc! { "_id": 1 },
            limit: Some(limit),
            projection: None,
        };
        let found = self.0.listed(ENTRIES).list(listing).await?;
        found.iter().map(|document| decode(ENTRIES, document)).collect()
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
        let found = self.checkpoints().list(last).await?;
        found.first().map(|document| decode(CHECKPOINTS, document)).transpose()
    }
}
