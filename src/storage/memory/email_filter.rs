//! No filter: every address is looked up. The embedded store answers sooner than a filter's bookkeeping would pay for.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    crypto::filter_item::FilterItem,
    domain::clock::Timestamp,
    storage::{
        documents::StoreError,
        email_filter::{Added, BeginError, Draft, EmailFilter, GenerationStatus, Lookup},
    },
};

/// The adapter.
#[derive(Debug, Default)]
pub struct AlwaysMaybe;

#[async_trait]
impl EmailFilter for AlwaysMaybe {
    fn has_none_of(&self, _: Lookup<'_>) -> bool {
        false
    }

    async fn add(&self, _: &[FilterItem]) -> Result<Added, StoreError> {
        Ok(Added::Already)
    }

    fn freshness(&self) -> Duration {
        Duration::ZERO
    }

    async fn status(&self) -> Result<Option<GenerationStatus>, StoreError> {
        Ok(None)
    }

    async fn begin(&self, _: u64, _: Timestamp) -> Result<Box<dyn Draft>, BeginError> {
        Err(BeginError::NotKept)
    }
}
