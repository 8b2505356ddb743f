//! Who is merely signed in, or may something else, does nothing that an administrator may.

use sealgate::{
    domain::ids::AccountId,
    service::{
        Core,
        admin::{Authorized, grants::ReadAccount, lock::lock_account},
        authenticate::Caller,
    },
};

async fn signed_in(core: &Core, caller: &Caller, id: &AccountId) {
    let _ = lock_account(core, caller, id).await;
}

async fn may_read(core: &Core, proof: &Authorized<ReadAccount>, id: &AccountId) {
    let _ = lock_account(core, proof, id).await;
}

fn main() {}
