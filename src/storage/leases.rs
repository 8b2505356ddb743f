//! Who does what is due by the clock: the port that lets a job run once a period, however many workers there are.

use std::time::Duration;

use async_trait::async_trait;

use crate::storage::documents::StoreError;

/// The port. What runs under a lease does no harm when it runs twice: a lease saves work, it guards nothing. An adapter
/// MUST let at most one `take` of a job succeed in any `period`, of all processes that share it.
#[async_trait]
pub trait Leases: Send + Sync + 'static {
    /// Takes the lease of `job` for `period`, unless somebody has it. It ends by itself.
    async fn take(&self, job: &'static str, period: Duration) -> Result<bool, StoreError>;
}
