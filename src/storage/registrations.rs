//! Pending creates: the record and its port. Several may wait for one address, each with its own password and link;
//! confirming one discards the others.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    crypto::{
        blind_index::{Candidate, IndexSlots},
        password_hasher::PasswordHash,
    },
    domain::{clock::Timestamp, ids::AccountId, token::TokenDigest, user_type::UserType},
    storage::{
        documents::{Documents, Record, Ref, StoreError},
        outbox::Outbox,
        profile::SealedProfile,
    },
};

/// One pending create. Its id becomes the account's, its data key the account's data key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegistrationRecord {
    /// Becomes the account's.
    #[serde(rename = "_id")]
    pub id: AccountId,
    /// The population.
    pub user_type: UserType,
    /// Shape of the record.
    pub schema: u16,
    /// Changes of the document.
    pub rev: u64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Gone from then on.
    pub expires_at: Timestamp,
    /// The person.
    pub sealed: SealedProfile,
    /// The password it was made with.
    pub password_hash: PasswordHash,
    /// Reserve nothing: plainly indexed, for finding the rivals.
    #[serde(flatten)]
    pub slots: IndexSlots,
    /// Of the link that was mailed last; none until its mail is being made.
    pub link_digest: Option<TokenDigest>,
    /// The mail with the link.
    #[serde(flatten)]
    pub outbox: Outbox,
}

impl RegistrationRecord {
    /// Whether `digest` is of the link that was mailed last and the registration still waits.
    #[must_use]
    pub fn is_confirmed_by(&self, digest: &TokenDigest, now: Timestamp) -> bool {
        now < self.expires_at && self.link_digest.as_ref() == Some(digest)
    }
}

impl Record for RegistrationRecord {
    const NAME: &'static str = "registrations";
    type Id = AccountId;
    fn key(&self) -> Ref<AccountId> {
        Ref::new(&self.user_type, self.id.clone())
    }
    fn rev(&self) -> u64 {
        self.rev
    }
    fn set_rev(&mut self, rev: u64) {
        self.rev = rev;
    }
}

/// The port. Nothing but the id is unique.
#[async_trait]
pub trait Registrations: Documents<RegistrationRecord> {
    /// Registrations of that address that still wait at `now`, newest first.
    async fn find_by_email(
        &self,
        user_type: &UserType,
        candidates: &[Candidate],
        now: Timestamp,
    ) -> Result<Vec<RegistrationRecord>, StoreError>;
    /// Registrations with a message due at `now`, longest due first, at most `limit`.
    async fn due(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, StoreError>;
    /// Registrations past their end at `now`, oldest end first, at most `limit`.
    async fn expired(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, StoreError>;
    /// All registrations in order of id from after `after`, at most `limit`: for sweeps that look at each.
    async fn page(
        &self,
        user_type: &UserType,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<AccountId>, StoreError>;
}
