//! One account with its personal data, opened for this one answer. Every reading is noted: who read whom.

use crate::{
    domain::{
        account::{AccountStatus, Profile},
        audit::{AuditEvent, Outcome},
        email::Email,
        ids::AccountId,
    },
    service::{
        accounts::{find_verified, open_keys},
        admin::{
            authorize::Authorized,
            error::{AdminError, Denial},
            grants::ReadAccount,
        },
        core::Core,
        profile::open_profile,
    },
};

/// An account as an administrator reads it.
#[derive(Debug)]
pub struct AccountView {
    /// As its owner sees it.
    pub profile: Profile,
    /// Whether it may be used.
    pub status: AccountStatus,
    /// It has no password yet.
    pub is_invited: bool,
    /// A changed address that waits for its link.
    pub pending_email: Option<Email>,
}

/// Opens it.
pub async fn read_account(
    core: &Core,
    admin: &Authorized<ReadAccount>,
    id: &AccountId,
) -> Result<AccountView, AdminError> {
    let key = admin.key(id);
    let found = find_verified(core, &key).await?;
    let found = found.filter(|(_, security)| security.status != AccountStatus::Erased);
    let (account, security) = found.ok_or(Denial::NotFound)?;
    // Before it is opened: what nobody could note nobody has seen.
    let (event, done) = (AuditEvent::AccountRead, Outcome::Success);
    core.note_with(&key.user_type, Some(&key.id), event, done, admin.details())
        .await;
    let keys = open_keys(core, &key).await?.ok_or(Denial::NotFound)?;
    let profile = open_profile(core, &key, &keys, &account, &security).await?;
    let pending = account.sealed.as_ref().and_then(|sealed| sealed.email_pending.as_ref());
    let pending = pending.map(|sealed| keys.open(sealed)).transpose();
    Ok(AccountView {
        profile,
        status: security.status,
        is_invited: security.password_hash.is_none(),
        pending_email: core.opened(&key, pending).await?,
    })
}
