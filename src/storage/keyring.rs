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
    /// Since when it stands where it does; since it was made, where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Taken out by an operator, as one that others may have: nothing that it signed proves anything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
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
            since: None,
            removed: false,
            schema: crate::storage::SCHEMA,
        }
    }

    /// Since when it stands where it does.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.since.unwrap_or(self.created_at)
    }

    /// The same, in another state from `now` on.
    #[must_use]
    pub fn moved(&self, state: KeyState, now: Timestamp) -> Self {
        Self {
            state,
            since: Some(now),
            ..self.clone()
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
    /// Stores `record` in the place of the one with its id; `false`, and nothing stored, when that is not there, or stands
    /// elsewhere or is wrapped otherwise than `expected`.
    async fn replace(&self, expected: &KeyringRecord, record: &KeyringRecord) -> Result<bool, StoreError>;
}
