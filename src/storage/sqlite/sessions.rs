//! Sessions.

use async_trait::async_trait;

use crate::{
    domain::{
        clock::Timestamp,
        ids::{AccountId, SessionId},
        user_type::UserType,
    },
    storage::{
        documents::{Ref, StoreError, Unique},
        sessions::{SessionRecord, Sessions},
        sqlite::documents::{Cell, Row, Table},
    },
};

impl Row for SessionRecord {
    const LOOKUPS: &'static [&'static str] = &["account_id", "created_at", "live", "ends_at"];
    const UNIQUE: &'static [(&'static str, Unique)] = &[];
    fn lookups(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::Text(self.account_id.as_str()),
            Cell::Integer(self.created_at.as_millis()),
            Cell::Integer(i64::from(self.ended_at.is_none())),
            Cell::Integer(self.expires_at.min(self.idle_expires_at).as_millis()),
        ]
    }
}

#[async_trait]
impl Sessions for Table<SessionRecord> {
    async fn ids_of_account(&self, account: &Ref<AccountId>, limit: u32) -> Result<Vec<SessionId>, StoreError> {
        const SQL: &str = "SELECT id FROM sessions WHERE user_type = ? AND account_id = ? LIMIT ?";
        let query = sqlx::query(SQL).bind(account.user_type.as_str());
        self.ids(query.bind(account.id.as_str()).bind(limit)).await
    }

    async fn of_account(&self, account: &Ref<AccountId>, limit: u32) -> Result<Vec<SessionRecord>, StoreError> {
        const SQL: &str = "SELECT id, doc FROM sessions WHERE user_type = ? AND account_id = ? AND live = 1 \
                           ORDER BY created_at DESC, id DESC LIMIT ?";
        let query = sqlx::query(SQL).bind(account.user_type.as_str());
        self.records(query.bind(account.id.as_str()).bind(limit)).await
    }

    async fn expired(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<SessionId>, StoreError> {
        const SQL: &str = "SELECT id FROM sessions WHERE user_type = ? AND ends_at <= ? ORDER BY ends_at, id LIMIT ?";
        let query = sqlx::query(SQL).bind(user_type.as_str()).bind(now.as_millis());
        self.ids(query.bind(limit)).await
    }
}
