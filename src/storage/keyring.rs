//! Wrapped root keys, beside the data keys.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    crypto::{
        kek::WrappedKey,
        keyring::{KeyState, KeyUse},
    },
    domain::clock::Timestamp,
    storage::documents::{Inserted, StoreError},
};

/// One version of one root key, wrapped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyringRecord {
    /// `<use>/<version>`: of two that make the same version, one wins and the other reads it.
    #[serde(rename = "_id")]
    pub id: String,
    /// [`KeyUse::name`].
    #[serde(rename = "use")]
    pub key_use: String,
    /// Counted from 1.
    pub version: u16,
    /// Where it stands.
    pub state: KeyState,
    /// The key.
    #[serde(flatten)]
    pub wrapped: WrappedKey,
    /// When it was made.
    pub created_at: Timestamp,
    /// Shape of the record.
    pub schema: u16,
}

impl KeyringRecord {
    /// The record of a new version.
    #[must_use]
    pub fn new(key_use: &KeyUse, version: u16, state: KeyState, wrapped: WrappedKey, now: Timestamp) -> Self {
        let name = key_use.name();
        Self {
            id: format!("{name}/{version}"),
            key_use: name,
            version,
            state,
            wrapped,
            created_at: now,
            schema: crate::storage::SCHEMA,
        }
    }
}

/// The port; the guarantees of [`Documents`](crate::storage::documents::Documents) hold for it too.
#[async_trait]
pub trait KeyringStore: Send + Sync + 'static {
    /// Stores a new version; `Taken` when that version is there.
    async fn insert(&self, record: &KeyringRecord) -> Result<Inserted, StoreError>;
    /// Every version of every key.
    async fn list(&self) -> Result<Vec<KeyringRecord>, StoreError>;
    /// Moves a version from one state to the next; `false` when it was not in the state that was expected.
    async fn advance(&self, id: &str, expected: KeyState, next: KeyState) -> Result<bool, StoreError>;
}
