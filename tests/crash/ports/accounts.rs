//! Accounts.

use async_trait::async_trait;
use sealgate::{
    crypto::blind_index::{Candidate, Slot},
    domain::{clock::Timestamp, ids::AccountId, user_type::UserType},
    storage::{
        StoreError,
        accounts::{AccountFilter, AccountRecord, Accounts},
    },
};

use super::Faulty;

#[async_trait]
impl Accounts for Faulty<dyn Accounts> {
    async fn find_by_email(
        &self,
        user_type: &UserType,
        candidates: &[Candidate],
    ) -> Result<Option<AccountRecord>, StoreError> {
        self.faults.read(self.inner.find_by_email(user_type, candidates)).await
    }

    async fn find_by_username(
        &self,
        user_type: &UserType,
        candidates: &[Candidate],
    ) -> Result<Option<AccountRecord>, StoreError> {
        self.faults
            .read(self.inner.find_by_username(user_type, candidates))
            .await
    }

    async fn email_values(
        &self,
        user_type: &UserType,
        slot: u8,
        after: Option<&Slot>,
        limit: u32,
    ) -> Result<Vec<Slot>, StoreError> {
        self.faults
            .read(self.inner.email_values(user_type, slot, after, limit))
            .await
    }

    async fn list(
        &self,
        user_type: &UserType,
        filter: &AccountFilter,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<(AccountId, Option<AccountRecord>)>, StoreError> {
        self.faults.read(self.inner.list(user_type, filter, after, limit)).await
    }

    async fn due(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, StoreError> {
        self.faults.read(self.inner.due(user_type, now, limit)).await
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        self.faults.read(self.inner.is_empty()).await
    }

    async fn has_none(&self, user_type: &UserType) -> Result<bool, StoreError> {
        self.faults.read(self.inner.has_none(user_type)).await
    }
}
