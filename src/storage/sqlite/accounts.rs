//! Accounts. Each slot of address and username has a unique index of its own over `(user_type, slot)`.

use async_trait::async_trait;

use crate::{
    crypto::blind_index::{Candidate, Slot},
    domain::{clock::Timestamp, ids::AccountId, user_type::UserType},
    storage::{
        accounts::{AccountRecord, Accounts},
        documents::{Record as _, StoreError, Unique},
        sqlite::{
            candidates::{EMAIL, USERNAME, select},
            documents::{Cell, Row, Table},
        },
    },
};

impl Row for AccountRecord {
    const LOOKUPS: &'static [&'static str] = &[
        "email_ix_0",
        "email_ix_1",
        "username_ix_0",
        "username_ix_1",
        "phone_ix_0",
        "phone_ix_1",
        "outbox_due",
        "outbox_dead",
    ];
    const UNIQUE: &'static [(&'static str, Unique)] = &[
        ("email_ix_0", Unique::Email),
        ("email_ix_1", Unique::Email),
        ("username_ix_0", Unique::Username),
        ("username_ix_1", Unique::Username),
    ];
    fn lookups(&self) -> Vec<Cell<'_>> {
        let slots = self.security().slots();
        vec![
            Cell::Bytes(slots.email_ix_0.as_bytes()),
            Cell::Bytes(slots.email_ix_1.as_bytes()),
            Cell::Bytes(slots.username_ix_0.as_bytes()),
            Cell::Bytes(slots.username_ix_1.as_bytes()),
            Cell::Bytes(slots.phone_ix_0.as_bytes()),
            Cell::Bytes(slots.phone_ix_1.as_bytes()),
            Cell::Integer(self.outbox.due().as_millis()),
            Cell::Integer(self.outbox.has_dead().into()),
        ]
    }
}

impl Table<AccountRecord> {
    async fn find_by(
        &self,
        slots: [&str; 2],
        user_type: &UserType,
        candidates: &[Candidate],
    ) -> Result<Option<AccountRecord>, StoreError> {
        let Some(query) = select(AccountRecord::NAME, slots, user_type, candidates, "LIMIT 1") else {
            return Ok(None);
        };
        Ok(self.records(query).await?.pop())
    }
}

#[async_trait]
impl Accounts for Table<AccountRecord> {
    async fn find_by_email(
        &self,
        user_type: &UserType,
        candidates: &[Candidate],
    ) -> Result<Option<AccountRecord>, StoreError> {
        self.find_by(EMAIL, user_type, candidates).await
    }

    async fn find_by_username(
        &self,
        user_type: &UserType,
        candidates: &[Candidate],
    ) -> Result<Option<AccountRecord>, StoreError> {
        self.find_by(USERNAME, user_type, candidates).await
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
        const SQL: &str =
            "SELECT id FROM accounts WHERE user_type = ? AND outbox_due <= ? ORDER BY outbox_due, id LIMIT ?";
        let query = sqlx::query(SQL).bind(user_type.as_str()).bind(now.as_millis());
        self.ids(query.bind(limit)).await
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        self.is_none(sqlx::query("SELECT 1 FROM accounts LIMIT 1")).await
    }

    async fn has_none(&self, user_type: &UserType) -> Result<bool, StoreError> {
        let query = sqlx::query("SELECT 1 FROM accounts WHERE user_type = ? LIMIT 1");
        self.is_none(query.bind(user_type.as_str())).await
    }
}
