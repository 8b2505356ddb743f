//! What servers tell each other of sessions that ended and accounts that moved on, so that a token is checked without the
//! database. A cache: the session's row and the account's epoch are the truth.
//!
//! What was read from the primary is remembered for [`REMEMBERED`] at most, and only by who read it within [`READ`]; what
//! ended overwrites it. So whatever is lost here, a revoked token is refused [`WAIT`] after at the latest, and who can't
//! tell the others waits that long before answering.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    domain::{
        clock::Timestamp,
        ids::{AccountId, SessionId},
    },
    storage::documents::{Ref, StoreError},
};

/// How long what was read is remembered.
pub const REMEMBERED: Duration = Duration::from_secs(2);
/// How old what was read may be when it is remembered.
pub const READ: Duration = Duration::from_millis(500);
/// After so long nobody remembers what was read before. More than [`REMEMBERED`] and [`READ`] together.
pub const WAIT: Duration = Duration::from_secs(3);

/// A session that was live when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSession {
    /// Whose it is.
    pub account_id: AccountId,
    /// The account's epoch when it began.
    pub epoch: u64,
    /// When the person last proved who they are.
    pub authenticated_at: Timestamp,
    /// Over when it lies unused until then.
    pub idle_expires_at: Timestamp,
    /// Over then in any case.
    pub expires_at: Timestamp,
}

/// What is known of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// It was live a moment ago.
    Live(LiveSession),
    /// It is over.
    Ended,
}

/// What an account stands behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Sessions of this epoch.
    pub epoch: u64,
    /// And this one.
    pub kept_session: Option<SessionId>,
    /// Neither locked nor erased.
    pub is_active: bool,
}

impl Standing {
    /// Whether the account stands behind a session that began at `epoch`: it is in use, and either has not moved on since,
    /// or kept that one session.
    #[must_use]
    pub fn backs(&self, session: &SessionId, epoch: u64) -> bool {
        self.is_active && (self.epoch == epoch || self.kept_session.as_ref() == Some(session))
    }
}

/// The port.
///
/// An adapter MUST guarantee: what is [ended](Self::end_session) or [raised](Self::raise) is not overwritten by what is
/// remembered, nor a standing by one of a lower epoch, in whatever order they arrive.
#[async_trait]
pub trait Revocations: Send + Sync + 'static {
    /// Both, in one round trip.
    async fn look(
        &self,
        session: &Ref<SessionId>,
        account: &Ref<AccountId>,
    ) -> Result<(Option<SessionState>, Option<Standing>), StoreError>;
    /// Remembers a session for [`REMEMBERED`], unless something is known of it.
    async fn remember_session(&self, session: &Ref<SessionId>, live: &LiveSession) -> Result<(), StoreError>;
    /// Remembers a standing for [`REMEMBERED`], unless something is known of it.
    async fn remember_standing(&self, account: &Ref<AccountId>, standing: &Standing) -> Result<(), StoreError>;
    /// The session is over; known for `lifetime`.
    async fn end_session(&self, session: &Ref<SessionId>, lifetime: Duration) -> Result<(), StoreError>;
    /// The account moved on; known for `lifetime`.
    async fn raise(&self, account: &Ref<AccountId>, standing: &Standing, lifetime: Duration) -> Result<(), StoreError>;
}
