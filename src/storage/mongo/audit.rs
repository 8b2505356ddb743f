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
        documents::{Inserted, StoreError, Unique},
        encoding::encode,
        mongo::{
            connection::{Connection, Deadline, Documents, Index},
            documents::{insert_once, list, read},
        },
    },
};

const ENTRIES: &str = "audit";
const CHECKPOINTS: &str = "audit_checkpoints";

/// Of the entries; checkpoints have only their ids.
pub(super) const INDEXES: &[Index] = &[
    Index::plain("all", &["user_type", "_id"]),
    Index::plain("account", &["account_id", "user_type", "_id"]),
];

/// The collections of entries and checkpoints.
#[derive(Debug)]
pub(super) struct AuditCollections(pub(super) Arc<Connection>);

impl AuditCollections {
    pub(super) fn entries(&self) -> Documents {
        self.0.records.collection(ENTRIES)
    }

    fn checkpoints(&self) -> Documents {
        self.0.records.collection(CHECKPOINTS)
    }
}

#[async_trait]
impl AuditStore for AuditCollections {
    async fn append(&self, record: &AuditRecord) -> Result<Inserted, StoreError> {
        let document = encode(format_args!("{ENTRIES} {}", record.id), record)?;
        let is_stored = insert_once(&self.entries(), document, Deadline::start()).await?;
        Ok(if is_stored {
            Inserted::Stored
        } else {
            Inserted::Taken(Unique::Id)
        })
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
        let found = list(&self.entries(), filter, doc! { "_id": 1 }, Some(limit), None).await?;
        found.iter().map(|document| read(ENTRIES, document)).collect()
    }

    async fn append_checkpoint(&self, record: &CheckpointRecord) -> Result<Inserted, StoreError> {
        let document = encode(format_args!("{CHECKPOINTS} {}", record.id), record)?;
        let is_stored = insert_once(&self.checkpoints(), document, Deadline::start()).await?;
        Ok(if is_stored {
            Inserted::Stored
        } else {
            Inserted::Taken(Unique::Id)
        })
    }

    async fn last_checkpoint(&self) -> Result<Option<CheckpointRecord>, StoreError> {
        let found = list(&self.checkpoints(), doc! {}, doc! { "_id": -1 }, Some(1), None).await?;
        found.first().map(|document| read(CHECKPOINTS, document)).transpose()
    }
}
