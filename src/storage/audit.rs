//! What happened, appended and never changed, and the chain of checkpoints over it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        audit::{AuditEvent, Outcome},
        clock::Timestamp,
        ids::{AccountId, AuditId},
        octets,
        user_type::UserType,
    },
    storage::documents::{Inserted, StoreError},
};

/// One entry. Ids only: no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Sorts by time.
    #[serde(rename = "_id")]
    pub id: AuditId,
    /// Shape of the record.
    pub schema: u16,
    /// The population.
    pub user_type: UserType,
    /// Whom it concerns, where that is known.
    pub account_id: Option<AccountId>,
    /// What.
    pub event: AuditEvent,
    /// How it ended.
    pub outcome: Outcome,
    /// When.
    pub at: Timestamp,
    /// The HTTP request that caused it.
    pub request_id: Option<String>,
}

/// One link of the chain: a digest over a run of entries and over the link before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointRecord {
    /// Place in the chain, from 1, as twenty digits: of two that write the same link, one wins.
    #[serde(rename = "_id")]
    pub id: String,
    /// Shape of the record.
    pub schema: u16,
    /// When.
    pub at: Timestamp,
    /// The entries it covers, in order.
    pub entries: Vec<AuditId>,
    /// SHA-256 over them.
    #[serde(with = "octets")]
    pub digest: Vec<u8>,
    /// `key version u16 BE | HMAC-SHA-256` over this link and the one before.
    #[serde(with = "octets")]
    pub mac: Vec<u8>,
}

impl CheckpointRecord {
    /// The id of the link at `place`.
    #[must_use]
    pub fn id_at(place: u64) -> String {
        format!("{place:020}")
    }
}

/// The port. Entries and links are inserted, listed, and never changed.
#[async_trait]
pub trait AuditStore: Send + Sync + 'static {
    /// Appends an entry.
    async fn append(&self, record: &AuditRecord) -> Result<Inserted, StoreError>;
    /// Entries in order of id from after `after`, at most `limit`; of one account, or of all of a user type.
    async fn list(
        &self,
        user_type: &UserType,
        account_id: Option<&AccountId>,
        after: Option<&AuditId>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError>;
    /// Appends a link; `Taken` when there is one at that place.
    async fn append_checkpoint(&self, record: &CheckpointRecord) -> Result<Inserted, StoreError>;
    /// The last link.
    async fn last_checkpoint(&self) -> Result<Option<CheckpointRecord>, StoreError>;
}
