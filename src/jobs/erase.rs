//! What is left of an erased account: its data key, if a crash or a journal that could not be written left it, its sessions,
//! its registration, if a crash left that, and last the tombstone.

use crate::{
    domain::{account::AccountStatus, ids::AccountId},
    jobs::deliver::Deliverer,
    service::{
        Failure,
        accounts::find_verified,
        erase_account::{complete, remove_rest},
    },
    storage::Ref,
};

/// Removes it. Every step may be repeated.
pub async fn run(deliverer: &Deliverer, key: &Ref<AccountId>) -> Result<(), Failure> {
    let core = &deliverer.core;
    // Only what the service itself made a tombstone: a message that somebody planted erases nobody.
    match find_verified(core, key).await? {
        Some((account, security)) if security.status == AccountStatus::Erased => {
            complete(core, key, account.updated_at).await?;
            remove_rest(core, key).await
        }
        _ => Ok(()),
    }
}
