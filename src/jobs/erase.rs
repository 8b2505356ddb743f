//! What is left of an erased account: its data key, if a crash left it, its sessions, its registration, if a crash left
//! that, and last the tombstone.

use crate::{
    domain::{account::AccountStatus, ids::AccountId},
    jobs::deliver::Deliverer,
    service::{Failure, accounts::find_verified},
    storage::Ref,
};

const BATCH: u32 = 200;

/// Removes it. Every step may be repeated; the tombstone goes last, so that a crash leaves the job.
pub async fn run(deliverer: &Deliverer, key: &Ref<AccountId>) -> Result<(), Failure> {
    let core = &deliverer.core;
    // Only what the service itself made a tombstone: a message that somebody planted erases nobody.
    match find_verified(core, key).await? {
        Some((_, security)) if security.status == AccountStatus::Erased => {}
        _ => return Ok(()),
    }
    core.vault.destroy(key).await?;
    loop {
        let sessions = core.stores.sessions.ids_of_account(key, BATCH).await?;
        if sessions.is_empty() {
            break;
        }
        for id in sessions {
            core.stores.sessions.delete(&Ref::new(&key.user_type, id)).await?;
        }
    }
    // Its link was used: without the tombstone the next click, or the sweep, would make the account again.
    core.stores.registrations.delete(key).await?;
    core.stores.accounts.delete(key).await?;
    Ok(())
}
