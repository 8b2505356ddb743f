//! Sessions.

use async_trait::async_trait;
use bson::{Bson, doc};

use crate::{
    domain::{
        clock::Timestamp,
        ids::{AccountId, SessionId},
        user_type::UserType,
    },
    storage::{
        documents::{Ref, StoreError},
        mongo::{
            documents::{Collections, Stored},
            indexes::Index,
        },
        sessions::{SessionRecord, Sessions},
    },
};

impl Stored for SessionRecord {
    const INDEXES: &'static [Index] = &[
        Index::plain("account", &["account_id", "user_type", "created_at", "_id"]),
        Index::plain("idle_expiry", &["user_type", "idle_expires_at", "_id"]),
        Index::plain("expiry", &["user_type", "expires_at", "_id"]),
    ];
}

#[async_trait]
impl Sessions for Collections<SessionRecord> {
    async fn ids_of_account(&self, account: &Ref<AccountId>, limit: u32) -> Result<Vec<SessionId>, StoreError> {
        let filter = doc! { "account_id": account.id.as_str() };
        self.ids(&account.user_type, filter, doc! { "_id": 1 }, limit).await
    }

    async fn of_account(&self, account: &Ref<AccountId>, limit: u32) -> Result<Vec<SessionRecord>, StoreError> {
        let filter = doc! { "account_id": account.id.as_str(), "ended_at": Bson::Null };
        let newest_first = doc! { "created_at": -1, "_id": -1 };
        self.records(&account.user_type, filter, newest_first, Some(limit))
            .await
    }

    async fn expired(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<SessionId>, StoreError> {
        let passed = doc! { "$lte": now.as_millis() };
        let filter = doc! { "$or": [{ "idle_expires_at": passed.clone() }, { "expires_at": passed }] };
        self.ids(user_type, filter, doc! { "idle_expires_at": 1, "_id": 1 }, limit)
            .await
    }
}
