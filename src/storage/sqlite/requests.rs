//! Requests.

use async_trait::async_trait;

use crate::{
    domain::{clock::Timestamp, ids::MessageId, user_type::UserType},
    storage::{
        documents::{StoreError, Unique},
        requests::{RequestRecord, Requests},
        sqlite::documents::{Cell, Row, Table},
    },
};

impl Row for RequestRecord {
    const LOOKUPS: &'static [&'static str] = &["expires_at", "outbox_due", "outbox_dead"];
    const UNIQUE: &'static [(&'static str, Unique)] = &[];
    fn lookups(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::Integer(self.expires_at.as_millis()),
            Cell::Integer(self.outbox.due().as_millis()),
            Cell::Integer(self.outbox.has_dead().into()),
        ]
    }
}

#[async_trait]
impl Requests for Table<RequestRecord> {
    async fn due(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<MessageId>, StoreError> {
        const SQL: &str =
            "SELECT id FROM requests WHERE user_type = ? AND outbox_due <= ? ORDER BY outbox_due, id LIMIT ?";
        let query = sqlx::query(SQL).bind(user_type.as_str()).bind(now.as_millis());
        self.ids(query.bind(limit)).await
    }

    async fn expired(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<MessageId>, StoreError> {
        const SQL: &str =
            "SELECT id FROM requests WHERE user_type = ? AND expires_at <= ? ORDER BY expires_at, id LIMIT ?";
        let query = sqlx::query(SQL).bind(user_type.as_str()).bind(now.as_millis());
        self.ids(query.bind(limit)).await
    }
}
