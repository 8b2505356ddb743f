//! Registrations. Only the id is unique; rivals for one address stand side by side.

use async_trait::async_trait;
use bson::doc;

use crate::{
    crypto::blind_index::{Candidate, Slot},
    domain::{clock::Timestamp, ids::AccountId, user_type::UserType},
    storage::{
        documents::StoreError,
        mongo::{
            candidates::{EMAIL, any_of},
            documents::{Collections, Stored},
            indexes::Index,
        },
        registrations::{RegistrationRecord, Registrations},
    },
};

impl Stored for RegistrationRecord {
    const INDEXES: &'static [Index] = &[
        Index::plain("email_ix_0", &["user_type", "email_ix_0"]),
        Index::plain("email_ix_1", &["user_type", "email_ix_1"]),
        Index::plain("due", &["user_type", "outbox_due", "_id"]),
        Index::plain("dead", &["user_type", "outbox_dead", "_id"]),
        Index::plain("expiry", &["user_type", "expires_at", "_id"]),
        Index::plain("page", &["user_type", "_id"]),
    ];
}

#[async_trait]
impl Registrations for Collections<RegistrationRecord> {
    async fn find_by_email(
        &self,
        user_type: &UserType,
        candidates: &[Candidate],
        now: Timestamp,
    ) -> Result<Vec<RegistrationRecord>, StoreError> {
        let Some(mut filter) = any_of(EMAIL, candidates) else {
            return Ok(Vec::new());
        };
        filter.insert("expires_at", doc! { "$gt": now.as_millis() });
        self.records(user_type, filter, doc! { "created_at": -1, "_id": -1 }, None)
            .await
    }

    async fn email_values(
        &self,
        user_type: &UserType,
        slot: u8,
        after: Option<&Slot>,
        limit: u32,
    ) -> Result<Vec<Slot>, StoreError> {
        self.slot_values(EMAIL, user_type, slot, after, limit).await
    }

    async fn due(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, StoreError> {
        let filter = doc! { "outbox_due": { "$lte": now.as_millis() } };
        self.ids(user_type, filter, doc! { "outbox_due": 1, "_id": 1 }, limit)
            .await
    }

    async fn expired(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, StoreError> {
        let filter = doc! { "expires_at": { "$lte": now.as_millis() } };
        self.ids(user_type, filter, doc! { "expires_at": 1, "_id": 1 }, limit)
            .await
    }

    async fn page(
        &self,
        user_type: &UserType,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<AccountId>, StoreError> {
        let filter = doc! { "_id": { "$gt": after.map_or("", AccountId::as_str) } };
        self.ids(user_type, filter, doc! { "_id": 1 }, limit).await
    }
}
