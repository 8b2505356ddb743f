//! What the owner of an account sees of it.

use crate::{
    crypto::{data_key::DataKeys, record_mac::Security},
    domain::{
        account::{AccountStatus, Profile},
        ids::AccountId,
    },
    service::{
        accounts::open_keys,
        authenticate::{AuthenticateError, Caller},
        core::Core,
        failure::Failure,
    },
    storage::{Ref, StoreError, accounts::AccountRecord},
};

/// Opens the caller's own profile. Who was erased a moment ago is nobody.
pub async fn profile(core: &Core, caller: &Caller) -> Result<Profile, AuthenticateError> {
    let key = caller.key();
    let keys = open_keys(core, &key).await?.ok_or(AuthenticateError::InvalidToken)?;
    if caller.security.status == AccountStatus::Erased {
        return Err(AuthenticateError::InvalidToken);
    }
    Ok(open_profile(core, &key, &keys, &caller.account, &caller.security).await?)
}

/// Opens the profile of an account that is not erased.
pub(in crate::service) async fn open_profile(
    core: &Core,
    key: &Ref<AccountId>,
    keys: &DataKeys,
    account: &AccountRecord,
    security: &Security,
) -> Result<Profile, Failure> {
    let sealed = account.sealed.as_ref();
    let sealed = sealed.ok_or_else(|| StoreError::Damaged(format!("{key} has no person")))?;
    let person = core.opened(key, sealed.open(keys)).await?;
    Ok(Profile {
        id: key.id.clone(),
        person,
        is_email_verified: security.is_email_verified,
        is_phone_verified: security.is_phone_verified,
        is_mfa_enabled: security.factors.is_on(),
        role: security.role.clone(),
        created_at: account.created_at,
        updated_at: account.updated_at,
        version: account.version,
    })
}
