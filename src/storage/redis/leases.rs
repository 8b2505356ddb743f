//! Leases in Redis: a key that is set where it is missing and goes by itself.

use std::time::Duration;

use async_trait::async_trait;

use crate::storage::{StoreError, leases::Leases, redis::connection::Connection};

/// The adapter.
#[derive(Clone, Debug)]
pub struct RedisLeases(Connection);

impl RedisLeases {
    pub(super) const fn new(connection: Connection) -> Self {
        Self(connection)
    }
}

#[async_trait]
impl Leases for RedisLeases {
    async fn take(&self, job: &'static str, period: Duration) -> Result<bool, StoreError> {
        let millis = u64::try_from(period.as_millis()).unwrap_or(u64::MAX).max(1);
        let name = self.0.key(&format!("lease:{job}"));
        let taken: Option<String> = self
            .0
            .ask(redis::cmd("SET").arg(name).arg(1).arg("NX").arg("PX").arg(millis))
            .await?;
        Ok(taken.is_some())
    }
}
