//! Answers that are given once: the port of `Idempotency-Key`.
//!
//! What is kept is a keyed digest of the body, the status and the id that the answer is made from again; never the
//! answer itself.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{domain::clock::Timestamp, storage::documents::StoreError};

/// Names a request: a keyed digest of user type, route, caller and the client's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(pub [u8; 32]);

/// What is remembered of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Keyed digest of the body.
    pub body: [u8; 32],
    /// The id that the answer is made from; none while the request runs.
    pub answer: Option<String>,
    /// Forgotten from then on.
    pub expires_at: Timestamp,
}

/// What beginning a request found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is the first.
    First,
    /// It was seen before.
    Seen(Remembered),
}

/// The port. An adapter MUST let exactly one of concurrent `begin`s of one key be `First`.
#[async_trait]
pub trait Idempotency: Send + Sync + 'static {
    /// Remembers a request that begins, unless it is remembered already.
    async fn begin(&self, key: IdempotencyKey, request: &Remembered, now: Timestamp) -> Result<Begun, StoreError>;
    /// Notes what a request was answered with.
    async fn finish(&self, key: IdempotencyKey, answer: &str) -> Result<(), StoreError>;
    /// Forgets a request that was refused, so that it may be sent again, mended.
    async fn forget(&self, key: IdempotencyKey) -> Result<(), StoreError>;
}
