//! Audit entries and the checkpoints over them: inserted, read, and removed from the beginning on.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Row as _, sqlite::SqliteRow};

use crate::{
    domain::{
        ids::{AccountId, AuditId},
        user_type::UserType,
    },
    storage::{
        audit::{AuditRecord, AuditStore, CheckpointRecord, StoredEntry},
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

impl AuditTables {
    fn stored(&self, row: &SqliteRow) -> Result<StoredEntry, StoreError> {
        let failed = |error| self.0.failure(&error);
        let id = audit_id(row.try_get("id").map_err(failed)?)?;
        let user_type: &str = row.try_get("user_type").map_err(failed)?;
        let account_id: Option<&str> = row.try_get("account_id").map_err(failed)?;
        let entry = StoredEntry::new(id.clone(), row.try_get("doc").map_err(failed)?);
        // Who lists entries of an account goes by the columns: they must say what the document says.
        let is_listed_as_told = entry.record().is_ok_and(|record| {
            type_column(&record) == user_type && record.account_id.as_ref().map(AccountId::as_str) == account_id
        });
        Ok(if is_listed_as_told {
            entry
        } else {
            StoredEntry::damaged(id)
        })
    }

    fn link(&self, row: &SqliteRow) -> Result<CheckpointRecord, StoreError> {
        let read = |row: &SqliteRow| Ok(CheckpointRecord::read(row.try_get("id")?, row.try_get("doc")?));
        read(row).map_err(|error| self.0.failure(&error))
    }

    fn place(&self, row: &SqliteRow) -> Result<u64, StoreError> {
        let place: i64 = row.try_get("place").map_err(|error| self.0.failure(&error))?;
        u64::try_from(place).map_err(|_| StoreError::Damaged("a cursor of the audit".to_owned()))
    }
}

/// Where it is about no population, the column is empty, which is no name of one.
fn type_column(record: &AuditRecord) -> &str {
    record.user_type.as_ref().map_or("", UserType::as_str)
}

/// As SQLite's `json_each` reads it.
fn list(ids: &[AuditId]) -> String {
    let ids: Vec<&str> = ids.iter().map(AuditId::as_str).collect();
    serde_json::json!(ids).to_string()
}

fn audit_id(text: &str) -> Result<AuditId, StoreError> {
    text.parse()
        .map_err(|_| StoreError::Damaged("an entry of the audit has an invalid id".to_owned()))
}

#[async_trait]
impl AuditStore for AuditTables {
    async fn append(&self, record: &AuditRecord) -> Result<Inserted, StoreError> {
        const SQL: &str =
            "INSERT INTO audit (user_type, id, account_id, doc) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
        let doc = encode(format_args!("{ENTRIES} {}", record.id), record)?;
        let query = sqlx::query(SQL).bind(type_column(record)).bind(record.id.as_str());
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

    async fn page(&self, after: Option<&AuditId>, limit: u32) -> Result<Vec<StoredEntry>, StoreError> {
        const SQL: &str = "SELECT user_type, id, account_id, doc FROM audit WHERE id > ? ORDER BY id LIMIT ?";
        let query = sqlx::query(SQL).bind(after.map_or("", AuditId::as_str)).bind(limit);
        let rows = self.0.read(query).await?;
        rows.iter().map(|row| self.stored(row)).collect()
    }

    async fn ids(&self, after: Option<&AuditId>, before: &AuditId, limit: u32) -> Result<Vec<AuditId>, StoreError> {
        const SQL: &str = "SELECT id FROM audit WHERE id > ? AND id < ? ORDER BY id LIMIT ?";
        let query = sqlx::query(SQL).bind(after.map_or("", AuditId::as_str));
        let rows = self.0.read(query.bind(before.as_str()).bind(limit)).await?;
        let id = |row: &SqliteRow| audit_id(row.try_get("id").map_err(|error| self.0.failure(&error))?);
        rows.iter().map(id).collect()
    }

    async fn entries(&self, ids: &[AuditId]) -> Result<Vec<StoredEntry>, StoreError> {
        const SQL: &str = "SELECT user_type, id, account_id, doc FROM audit \
                           WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id";
        let rows = self.0.read(sqlx::query(SQL).bind(list(ids))).await?;
        rows.iter().map(|row| self.stored(row)).collect()
    }

    async fn append_checkpoint(&self, record: &CheckpointRecord) -> Result<Inserted, StoreError> {
        let doc = encode(format_args!("{CHECKPOINTS} {}", record.id), record)?;
        let query = sqlx::query("INSERT INTO audit_checkpoints (id, doc) VALUES (?, ?) ON CONFLICT DO NOTHING");
        self.0.insert(query.bind(&record.id).bind(doc)).await
    }

    async fn last_checkpoint(&self) -> Result<Option<CheckpointRecord>, StoreError> {
        const SQL: &str = "SELECT id, doc FROM audit_checkpoints ORDER BY id DESC LIMIT 1";
        let rows = self.0.read(sqlx::query(SQL)).await?;
        rows.first().map(|row| self.link(row)).transpose()
    }

    async fn checkpoints(&self, from: u64, limit: u32) -> Result<Vec<CheckpointRecord>, StoreError> {
        const SQL: &str = "SELECT id, doc FROM audit_checkpoints WHERE id >= ? ORDER BY id LIMIT ?";
        let query = sqlx::query(SQL).bind(CheckpointRecord::id_at(from)).bind(limit);
        let rows = self.0.read(query).await?;
        rows.iter().map(|row| self.link(row)).collect()
    }

    async fn remove_entries(&self, ids: &[AuditId]) -> Result<u64, StoreError> {
        const SQL: &str = "DELETE FROM audit WHERE id IN (SELECT value FROM json_each(?))";
        self.0.write(sqlx::query(SQL).bind(list(ids))).await
    }

    async fn remove_checkpoints(&self, before: u64, limit: u32) -> Result<u64, StoreError> {
        const SQL: &str = "DELETE FROM audit_checkpoints WHERE id IN \
                           (SELECT id FROM audit_checkpoints WHERE id < ? ORDER BY id LIMIT ?)";
        let query = sqlx::query(SQL).bind(CheckpointRecord::id_at(before)).bind(limit);
        self.0.write(query).await
    }

    async fn cursor(&self, reader: &str) -> Result<Option<u64>, StoreError> {
        let query = sqlx::query("SELECT place FROM audit_cursors WHERE id = ?").bind(reader);
        let rows = self.0.read(query).await?;
        rows.first().map(|row| self.place(row)).transpose()
    }

    async fn advance(&self, reader: &str, expected: Option<u64>, place: u64) -> Result<bool, StoreError> {
        const FIRST: &str = "INSERT INTO audit_cursors (place, id) VALUES (?, ?) ON CONFLICT DO NOTHING";
        const NEXT: &str = "UPDATE audit_cursors SET place = ? WHERE id = ? AND place = ?";
        let number = |place: u64| i64::try_from(place).unwrap_or(i64::MAX);
        let query = match expected {
            None => sqlx::query(FIRST).bind(number(place)).bind(reader),
            Some(expected) => sqlx::query(NEXT)
                .bind(number(place))
                .bind(reader)
                .bind(number(expected)),
        };
        Ok(self.0.write(query).await? > 0)
    }
}
