//! Signs of life: one row per worker, written over.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    domain::{clock::Timestamp, ids::WorkerId},
    storage::{
        documents::StoreError,
        encoding::encode,
        heartbeats::{HeartbeatRecord, Heartbeats},
        sqlite::{database::Database, documents::document},
    },
};

const NAME: &str = "heartbeats";

/// The table of signs of life.
#[derive(Debug)]
pub(super) struct HeartbeatTable(pub(super) Arc<Database>);

#[async_trait]
impl Heartbeats for HeartbeatTable {
    async fn beat(&self, record: &HeartbeatRecord) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO heartbeats (id, at, doc) VALUES (?, ?, ?) \
                           ON CONFLICT (id) DO UPDATE SET at = excluded.at, doc = excluded.doc";
        let doc = encode(format_args!("{NAME} {}", record.id), record)?;
        let query = sqlx::query(SQL).bind(record.id.as_str()).bind(record.at.as_millis());
        self.0.write(query.bind(doc)).await.map(drop)
    }

    async fn since(&self, since: Timestamp) -> Result<Vec<HeartbeatRecord>, StoreError> {
        const SQL: &str = "SELECT id, doc FROM heartbeats WHERE at >= ? ORDER BY at DESC, id DESC";
        let rows = self.0.read(sqlx::query(SQL).bind(since.as_millis())).await?;
        rows.iter().map(|row| document(&self.0, NAME, row)).collect()
    }

    async fn remove(&self, id: Option<&WorkerId>, before: Timestamp) -> Result<(), StoreError> {
        let query = sqlx::query("DELETE FROM heartbeats WHERE at < ? OR id = ?").bind(before.as_millis());
        self.0.write(query.bind(id.map(WorkerId::as_str))).await.map(drop)
    }
}
