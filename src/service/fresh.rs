//! Whether a sign-in is young enough for what can't be undone (RFC 9470).

use std::time::Duration;

use crate::service::{authenticate::Caller, core::Core};

/// How long after proving who they are somebody may change address, number or password, or delete the account.
pub const FRESH: Duration = Duration::from_mins(5);

/// Whether the caller proved who they are within the last five minutes.
#[must_use]
pub fn is_fresh(core: &Core, caller: &Caller) -> bool {
    core.clock.now() < caller.authenticated_at.plus(FRESH)
}
