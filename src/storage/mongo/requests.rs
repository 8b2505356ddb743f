//! Requests.

use async_trait::async_trait;
use bson::doc;

use crate::{
    domain::{clock::Timestamp, ids::MessageId, user_type::UserType},
    storage::{
        documents::StoreError,
        mongo::{
            documents::{Collections, Stored},
            indexes::Index,
        },
        requests::{RequestRecord, Requests},
    },
};

impl Stored for RequestRecord {
    const INDEXES: &'static [Index] = &[
        Index::plain("due", &["user_type", "outbox_due", "_id"]),
        Index::plain("dead", &["user_type", "outbox_dead", "_id"]),
        Index::plain("expiry", &["user_type", "expires_at", "_id"]),
    ];
}

#[async_trait]
impl Requests for Collections<RequestRecord> {
    async fn due(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<MessageId>, StoreError> {
        let filter = doc! { "outbox_due": { "$lte": now.as_millis() } };
        self.ids(user_type, filter, doc! { "outbox_due": 1, "_id": 1 }, limit)
            .await
    }

    async fn expired(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<MessageId>, StoreError> {
        let filter = doc! { "expires_at": { "$lte": now.as_millis() } };
        self.ids(user_type, filter, doc! { "expires_at": 1, "_id": 1 }, limit)
            .await
    }
}
