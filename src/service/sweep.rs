//! Ends what crashes and time left behind. Every step may be repeated and interrupted.

use crate::{
    domain::{ids::AccountId, user_type::UserType},
    service::{
        confirm::{discard, make_account},
        core::Core,
        failure::{Failure, pass_over_damaged},
        text_guard::KEPT,
    },
    storage::Ref,
};

const BATCH: u32 = 200;

/// What one sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Past their end, or with a link that was used.
    pub registrations: usize,
    /// Past their end.
    pub requests: usize,
    /// Past their end.
    pub sessions: usize,
}

/// Sweeps one user type.
pub async fn sweep(core: &Core, user_type: &UserType) -> Result<Swept, Failure> {
    let now = core.clock.now();
    let mut swept = Swept::default();
    for id in core.stores.registrations.expired(user_type, now, BATCH).await? {
        let discarded = discard(core, &Ref::new(user_type, id)).await;
        swept.registrations += usize::from(pass_over_damaged(discarded)?.is_some());
    }
    swept.registrations += end_used(core, user_type).await?;
    for id in core.stores.requests.expired(user_type, now, BATCH).await? {
        swept.requests += usize::from(core.stores.requests.delete(&Ref::new(user_type, id)).await?);
    }
    core.stores.text_counts.remove(now.minus(KEPT)).await?;
    for id in core.stores.sessions.expired(user_type, now, BATCH).await? {
        swept.sessions += usize::from(core.stores.sessions.delete(&Ref::new(user_type, id)).await?);
    }
    Ok(swept)
}

/// Registrations whose link was used, but which a crash left standing: does what the click began.
async fn end_used(core: &Core, user_type: &UserType) -> Result<usize, Failure> {
    let mut ended = 0;
    let mut after: Option<AccountId> = None;
    loop {
        let page = core.stores.registrations.page(user_type, after.as_ref(), BATCH).await?;
        let Some(last) = page.last().cloned() else {
            return Ok(ended);
        };
        for id in page {
            let done = end_if_used(core, &Ref::new(user_type, id)).await;
            ended += usize::from(pass_over_damaged(done)? == Some(true));
        }
        after = Some(last);
    }
}

async fn end_if_used(core: &Core, key: &Ref<AccountId>) -> Result<bool, Failure> {
    match core.stores.registrations.find(key).await? {
        Some(registration) if registration.is_link_used() => {
            make_account(core, registration).await?;
            Ok(true)
        }
        _ => Ok(false),
    }
}
