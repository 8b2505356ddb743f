//! Whether a sign-in is young enough for what can't be undone (RFC 9470).

use std::time::Duration;

use crate::{
    domain::clock::Timestamp,
    service::{authenticate::Caller, core::Core, failure::Failure},
    storage::Ref,
};

/// How long after proving who they are somebody may change address, number or password, or delete the account.
pub const FRESH: Duration = Duration::from_mins(5);

/// Whether the caller proved who they are within the last five minutes. What servers told each other of the session may be
/// older than the last proof: where it is too old, the session itself is asked.
pub async fn is_fresh(core: &Core, caller: &Caller) -> Result<bool, Failure> {
    let is_recent = |proven: Timestamp| core.clock.now() < proven.plus(FRESH);
    if is_recent(caller.authenticated_at) {
        return Ok(true);
    }
    let key = Ref::new(&caller.account.user_type, caller.session_id.clone());
    let session = core.stores.sessions.find(&key).await?;
    Ok(session.is_some_and(|session| is_recent(session.authenticated_at)))
}
