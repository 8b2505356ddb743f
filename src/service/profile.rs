//! What the owner of an account sees of it.

use crate::{
    domain::account::{AccountStatus, Profile},
    service::{
        accounts::open_keys,
        authenticate::{AuthenticateError, Caller},
        core::Core,
        failure::Failure,
    },
    storage::StoreError,
};

/// Opens the caller's own profile. Who was erased a moment ago is nobody.
pub async fn profile(core: &Core, caller: &Caller) -> Result<Profile, AuthenticateError> {
    let key = caller.key();
    let keys = open_keys(core, &key).await?.ok_or(AuthenticateError::InvalidToken)?;
    if caller.security.status == AccountStatus::Erased {
        return Err(AuthenticateError::InvalidToken);
    }
    let sealed = caller.account.sealed.as_ref();
    let sealed = sealed
        .ok_or_else(|| StoreError::Damaged(format!("{key} has no person")))
        .map_err(Failure::from)?;
    let person = core.opened(&key, sealed.open(&keys)).await?;
    Ok(Profile {
        id: key.id,
        person,
        is_email_verified: caller.security.is_email_verified,
        is_phone_verified: caller.security.is_phone_verified,
        is_mfa_enabled: caller.security.factors.totp.is_some(),
        role: caller.security.role.clone(),
        created_at: caller.account.created_at,
        updated_at: caller.account.updated_at,
        version: caller.account.version,
    })
}
