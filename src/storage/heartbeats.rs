//! Which workers live, and what they last saw of the providers.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{clock::Timestamp, ids::WorkerId},
    storage::documents::StoreError,
};

/// How a provider did, as far as a worker knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceHealth {
    /// Works.
    Healthy,
    /// Not configured.
    Disabled,
    /// Nobody knows.
    Unknown,
    /// Works now and then.
    Degraded,
    /// Does not.
    Down,
}

impl ServiceHealth {
    /// The name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Disabled => "disabled",
            Self::Unknown => "unknown",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// One worker's last sign of life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatRecord {
    /// The process.
    #[serde(rename = "_id")]
    pub id: WorkerId,
    /// Shape of the record.
    pub schema: u16,
    /// When.
    pub at: Timestamp,
    /// Its mail provider.
    pub email: ServiceHealth,
    /// Its SMS provider.
    pub sms: ServiceHealth,
}

/// The port.
#[async_trait]
pub trait Heartbeats: Send + Sync + 'static {
    /// Stores a sign of life in place of the worker's last one.
    async fn beat(&self, record: &HeartbeatRecord) -> Result<(), StoreError>;
    /// Signs of life at or after `since`, newest first.
    async fn since(&self, since: Timestamp) -> Result<Vec<HeartbeatRecord>, StoreError>;
    /// Removes those before `before`, and that of `id` whenever it was: a worker that stops removes its own.
    async fn remove(&self, id: Option<&WorkerId>, before: Timestamp) -> Result<(), StoreError>;
}
