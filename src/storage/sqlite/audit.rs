//! Audit entries and the checkpoints over them: inserts only.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    domain::{
        ids::{AccountId, AuditId},
        user_type::UserType,
    },
    storage::{
        audit::{AuditRecord, AuditStore, CheckpointRecord},
        documents::{Inserted, StoreError},
        encoding::encode,
        sqlite::{database::Database, documents::document},
    },
};

const ENTRIES: &str = "audit";
const CHECKPOINTS: &str = "audit_checkpoints";

/// The tables of entries and checkpoints.
#[derive(Debug)]
pub(super) struct AuditTables(pub(super) Arc<Database>);

#[async_trait]
impl AuditStore for AuditTables {
    async fn append(&self, record: &AuditRecord) -> Result<Inserted, StoreError> {
        const SQL: &str =
            "INSERT INTO audit (user_type, id, account_id, doc) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
        let doc = encode(format_args!("{ENTRIES} {}", record.id), record)?;
        let query = sqlx::query(SQL)
            .bind(record.user_type.as_str())
            .bind(record.id.as_str());
        let query = query.bind(record.account_id.as_ref().map(AccountId::as_str));
        self.0.insert(query.bind(doc)).await
    }

    async fn list(
        &self,
        user_type: &UserType,
        account_id: Option<&AccountId>,
        after: Option<&AuditId>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        const OF_ALL: &str = "SELECT id, doc FROM audit WHERE user_type = ? AND id > ? ORDER BY id LIMIT ?";
        const OF_ACCOUNT: &str =
            "SELECT id, doc FROM audit WHERE user_type = ? AND account_id = ? AND id > ? ORDER BY id LIMIT ?";
        let query = match account_id {
            None => sqlx::query(OF_ALL).bind(user_type.as_str()),
            Some(id) => sqlx::query(OF_ACCOUNT).bind(user_type.as_str()).bind(id.as_str()),
        };
        let query = query.bind(after.map_or("", AuditId::as_str)).bind(limit);
        let rows = self.0.read(query).await?;
        rows.iter().map(|row| document(&self.0, ENTRIES, row)).collect()
    }

    async fn append_checkpoint(&self, record: &CheckpointRecord) -> Result<Inserted, StoreError> {
        let doc = encode(format_args!("{CHECKPOINTS} {}", record.id), record)?;
        let query = sqlx::query("INSERT INTO audit_checkpoints (id, doc) VALUES (?, ?) ON CONFLICT DO NOTHING");
        self.0.insert(query.bind(&record.id).bind(doc)).await
    }

    async fn last_checkpoint(&self) -> Result<Option<CheckpointRecord>, StoreError> {
        const SQL: &str = "SELECT id, doc FROM audit_checkpoints ORDER BY id DESC LIMIT 1";
        let rows = self.0.read(sqlx::query(SQL)).await?;
        rows.first().map(|row| document(&self.0, CHECKPOINTS, row)).transpose()
    }
}
