//! The database of the Python service that Sealgate succeeds: read once, by the import, and never written to.

use std::{fmt, pin::Pin};

use async_trait::async_trait;
use futures_util::Stream;

use crate::storage::StoreError;

/// One of its documents, as far as the import wants it. What is missing, or of another type, is none.
#[derive(Clone, Default)]
pub struct LegacyRecord {
    /// The document's own `_id`, for reports.
    pub document_id: String,
    /// The account's.
    pub id: Option<String>,
    /// Sealed.
    pub first_name: Option<String>,
    /// Sealed.
    pub last_name: Option<String>,
    /// Sealed.
    pub email: Option<String>,
    /// Sealed.
    pub phone: Option<String>,
    /// By which the address was found.
    pub email_search_hash: Option<String>,
    /// `US` or `+1`.
    pub country_code: Option<String>,
    /// The hash.
    pub password: Option<String>,
    /// The address was confirmed.
    pub is_email_verified: bool,
}

impl fmt::Debug for LegacyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LegacyRecord({})", self.document_id)
    }
}

/// Records, one after the other.
pub type LegacyRecords = Pin<Box<dyn Stream<Item = Result<LegacyRecord, StoreError>> + Send>>;

/// The port.
#[async_trait]
pub trait LegacyAccounts: Send + Sync + 'static {
    /// All records of `collection` whose address is confirmed, or all others, in the order in which they were made: `_id`.
    /// None where there is no such collection.
    async fn records(&self, collection: &str, is_email_verified: bool) -> Result<LegacyRecords, StoreError>;
    /// How many there are in all.
    async fn count(&self, collection: &str) -> Result<u64, StoreError>;
}
