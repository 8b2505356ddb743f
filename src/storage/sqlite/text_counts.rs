//! Counts of texts: one row per scope.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    domain::{clock::Timestamp, text_scope::TextScope},
    storage::{
        documents::{StoreError, Verdict},
        encoding::encode,
        sqlite::{database::Database, documents::document},
        text_counts::{TextCountRecord, TextCounts},
    },
};

const NAME: &str = "text_counts";

/// The table of counts.
#[derive(Debug)]
pub(super) struct TextCountTable(pub(super) Arc<Database>);

#[async_trait]
impl TextCounts for TextCountTable {
    async fn update(
        &self,
        scope: &TextScope,
        now: Timestamp,
        decide: &mut (dyn for<'r> FnMut(&'r mut TextCountRecord) -> Verdict + Send),
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO text_counts (id, updated_at, doc) VALUES (?, ?, ?) \
                           ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at, doc = excluded.doc";
        self.0
            .bounded(async {
                let mut transaction = self.0.begin().await?;
                let row = sqlx::query("SELECT id, doc FROM text_counts WHERE id = ?")
                    .bind(scope.to_string())
                    .fetch_optional(&mut *transaction)
                    .await
                    .map_err(|error| self.0.failure(&error))?;
                let mut record = match row {
                    Some(row) => document(&self.0, NAME, &row)?,
                    None => TextCountRecord::new(scope.clone(), now),
                };
                if decide(&mut record) == Verdict::Leave {
                    return Ok(());
                }
                record.rev += 1;
                let doc = encode(format_args!("{NAME} {scope}"), &record)?;
                sqlx::query(SQL)
                    .bind(scope.to_string())
                    .bind(record.updated_at.as_millis())
                    .bind(doc)
                    .execute(&mut *transaction)
                    .await
                    .map_err(|error| self.0.failure(&error))?;
                self.0.commit(transaction).await
            })
            .await
    }

    async fn find(&self, scope: &TextScope) -> Result<Option<TextCountRecord>, StoreError> {
        let query = sqlx::query("SELECT id, doc FROM text_counts WHERE id = ?").bind(scope.to_string());
        let rows = self.0.read(query).await?;
        rows.first().map(|row| document(&self.0, NAME, row)).transpose()
    }

    async fn list(&self) -> Result<Vec<TextCountRecord>, StoreError> {
        let rows = self
            .0
            .read(sqlx::query("SELECT id, doc FROM text_counts ORDER BY id"))
            .await?;
        rows.iter().map(|row| document(&self.0, NAME, row)).collect()
    }

    async fn remove(&self, before: Timestamp) -> Result<(), StoreError> {
        let query = sqlx::query("DELETE FROM text_counts WHERE updated_at < ?").bind(before.as_millis());
        self.0.write(query).await.map(drop)
    }
}
