//! Erases an account: the same erasure as its owner's, with the same receipt. Needs a fresh sign-in.

use crate::{
    domain::ids::AccountId,
    service::{
        accounts::find_verified,
        admin::{
            authorize::Authorized,
            error::{AdminError, Denial},
            grants::DeleteAccount,
        },
        core::Core,
        erase_account::{Actor, EraseError, erase_for},
    },
};

/// Erases it; answers the receipt.
pub async fn delete_account(
    core: &Core,
    admin: &Authorized<DeleteAccount>,
    id: &AccountId,
) -> Result<String, AdminError> {
    admin.must_be_fresh(core).await?;
    let key = admin.key(id);
    let (_, security) = find_verified(core, &key).await?.ok_or(Denial::NotFound)?;
    admin.may_change(core, &key, &security)?;
    match erase_for(core, &Actor::Administrator(admin.name()), &key).await {
        Ok(receipt) => Ok(receipt),
        Err(EraseError::Failure(failure)) => Err(failure.into()),
        // The others are of owners, who prove who they are in another way.
        Err(
            EraseError::Gone | EraseError::StaleSignIn | EraseError::WrongPassword | EraseError::TooManyTries { .. },
        ) => Err(Denial::NotFound.into()),
    }
}
