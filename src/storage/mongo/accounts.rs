//! Accounts, a collection for each user type. Each slot of address and username has a plain unique index of its own.

use async_trait::async_trait;
use bson::doc;

use crate::{
    crypto::blind_index::{Candidate, Slot},
    domain::{clock::Timestamp, ids::AccountId, user_type::UserType},
    storage::{
        accounts::{AccountFilter, AccountRecord, Accounts},
        documents::{Record as _, StoreError, Unique},
        mongo::{
            candidates::{EMAIL, PHONE, USERNAME, any_of},
            collection::Listing,
            documents::{Collections, Stored, collection_name},
            indexes::Index,
        },
    },
};

impl Stored for AccountRecord {
    const IS_PER_USER_TYPE: bool = true;
    const INDEXES: &'static [Index] = &[
        Index::unique("email_ix_0", &["email_ix_0"]),
        Index::unique("email_ix_1", &["email_ix_1"]),
        Index::unique("username_ix_0", &["username_ix_0"]),
        Index::unique("username_ix_1", &["username_ix_1"]),
        Index::plain("phone_ix_0", &["phone_ix_0"]),
        Index::plain("phone_ix_1", &["phone_ix_1"]),
        Index::plain("due", &["outbox_due", "_id"]),
        Index::plain("dead", &["outbox_dead", "_id"]),
        Index::plain("status", &["status", "_id"]),
    ];
    fn unique_values(&self) -> Vec<(&'static str, Unique, &[u8])> {
        let slots = self.security().slots();
        vec![
            ("email_ix_0", Unique::Email, slots.email_ix_0.as_bytes()),
            ("email_ix_1", Unique::Email, slots.email_ix_1.as_bytes()),
            ("username_ix_0", Unique::Username, slots.username_ix_0.as_bytes()),
            ("username_ix_1", Unique::Username, slots.username_ix_1.as_bytes()),
        ]
    }
}

impl Collections<AccountRecord> {
    async fn find_by(
        &self,
        slots: [&str; 2],
        user_type: &UserType,
        candidates: &[Candidate],
    ) -> Result<Option<AccountRecord>, StoreError> {
        match any_of(slots, candidates) {
            None => Ok(None),
            Some(filter) => Ok(self.records(user_type, filter, doc! {}, Some(1)).await?.pop()),
        }
    }

    async fn is_none_in(&self, collection: &str) -> Result<bool, StoreError> {
        let any = Listing {
            limit: Some(1),
            projection: Some(doc! { "_id": 1 }),
            ..Listing::default()
        };
        Ok(self.named(collection).list(any).await?.is_empty())
    }
}

#[async_trait]
impl Accounts for Collections<AccountRecord> {
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

    async fn list(
        &self,
        user_type: &UserType,
        filter: &AccountFilter,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<(AccountId, Option<AccountRecord>)>, StoreError> {
        let mut all = vec![doc! { "_id": { "$gt": after.map_or("", AccountId::as_str) } }];
        all.extend(filter.status.map(|status| doc! { "status": status.as_str() }));
        for (slots, candidates) in [(EMAIL, &filter.email), (PHONE, &filter.phone)] {
            let Some(candidates) = candidates else { continue };
            match any_of(slots, candidates) {
                Some(any) => all.push(any),
                None => return Ok(Vec::new()),
            }
        }
        self.listed(user_type, doc! { "$and": all }, doc! { "_id": 1 }, limit)
            .await
    }

    async fn due(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, StoreError> {
        let filter = doc! { "outbox_due": { "$lte": now.as_millis() } };
        self.ids(user_type, filter, doc! { "outbox_due": 1, "_id": 1 }, limit)
            .await
    }

    /// Looks at the collections that are there, so that accounts of a user type that is no longer configured count.
    async fn is_empty(&self) -> Result<bool, StoreError> {
        let prefix = format!("{}_", AccountRecord::NAME);
        for name in self.connection().record_collections().await? {
            if name.starts_with(&prefix) && !self.is_none_in(&name).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn has_none(&self, user_type: &UserType) -> Result<bool, StoreError> {
        self.is_none_in(&collection_name::<AccountRecord>(user_type)).await
    }
}
