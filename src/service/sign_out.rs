//! Ends the caller's session: one write, and from then on every token of the session is refused.

use crate::{
    domain::audit::{AuditEvent, Outcome},
    service::{authenticate::Caller, core::Core, failure::Failure, revoke},
    storage::{Change, Ref, change, sessions::SessionRecord},
};

/// Signs out.
pub async fn sign_out(core: &Core, caller: &Caller) -> Result<(), Failure> {
    let key = Ref::new(&caller.account.user_type, caller.session_id.clone());
    let now = core.clock.now();
    change(&*core.stores.sessions, &key, |session: &mut SessionRecord| {
        if session.end(now) {
            Change::Store(())
        } else {
            Change::Leave(())
        }
    })
    .await?;
    revoke::session_ended(core, &key).await;
    core.note(
        &key.user_type,
        &caller.account.id,
        AuditEvent::SignedOut,
        Outcome::Success,
    )
    .await;
    Ok(())
}
