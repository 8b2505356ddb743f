//! Wrapped root keys, in `keys.db`. The primary key decides who made a version.

use std::sync::Arc;

use async_trait::async_trait;

use crate::storage::{
    documents::{Inserted, StoreError},
    encoding::encode,
    keyring::{KeyringRecord, KeyringStore},
    sqlite::{database::Database, documents::document},
};

const NAME: &str = "keyring";

/// The table of root keys.
#[derive(Debug)]
pub(super) struct KeyringTable(pub(super) Arc<Database>);

#[async_trait]
impl KeyringStore for KeyringTable {
    async fn insert(&self, record: &KeyringRecord) -> Result<Inserted, StoreError> {
        let doc = encode(format_args!("{NAME} {}", record.id), record)?;
        let query = sqlx::query("INSERT INTO keyring (id, doc) VALUES (?, ?) ON CONFLICT DO NOTHING");
        self.0.insert(query.bind(&record.id).bind(doc)).await
    }

    async fn list(&self) -> Result<Vec<KeyringRecord>, StoreError> {
        let rows = self
            .0
            .read(sqlx::query("SELECT id, doc FROM keyring ORDER BY id"))
            .await?;
        rows.iter().map(|row| document(&self.0, NAME, row)).collect()
    }

    async fn replace(&self, expected: &KeyringRecord, record: &KeyringRecord) -> Result<bool, StoreError> {
        let id = record.id.as_str();
        self.0
            .bounded(async {
                let mut transaction = self.0.begin().await?;
                let row = sqlx::query("SELECT id, doc FROM keyring WHERE id = ?")
                    .bind(id)
                    .fetch_optional(&mut *transaction)
                    .await
                    .map_err(|error| self.0.failure(&error))?;
                let Some(row) = row else {
                    return Ok(false);
                };
                let stored: KeyringRecord = document(&self.0, NAME, &row)?;
                if stored.state != expected.state || stored.wrapped != expected.wrapped {
                    return Ok(false);
                }
                let doc = encode(format_args!("{NAME} {id}"), record)?;
                sqlx::query("UPDATE keyring SET doc = ? WHERE id = ?")
                    .bind(doc)
                    .bind(id)
                    .execute(&mut *transaction)
                    .await
                    .map_err(|error| self.0.failure(&error))?;
                self.0.commit(transaction).await.map(|()| true)
            })
            .await
    }
}
