//! What the owner of an account sees of it.

use crate::{
    domain::account::Profile,
    service::{authenticate::Caller, core::Core, failure::Failure},
    storage::StoreError,
};

/// Opens the caller's own profile.
pub async fn profile(core: &Core, caller: &Caller) -> Result<Profile, Failure> {
    let key = caller.key();
    let keys = core.vault.open(&key).await?;
    let sealed = caller.account.sealed.as_ref();
    let sealed = sealed.ok_or_else(|| StoreError::Damaged(format!("{key} has no person")))?;
    Ok(Profile {
        id: key.id,
        person: sealed.open(&keys)?,
        is_email_verified: caller.security.is_email_verified,
        is_phone_verified: caller.security.is_phone_verified,
        is_mfa_enabled: caller.security.factors.totp.is_some(),
        role: caller.security.role,
        created_at: caller.account.created_at,
        updated_at: caller.account.updated_at,
        version: caller.account.version,
    })
}
