//! Locks an account and unlocks it. A locked one looks to everybody as if its password were wrong, and its owner alone is
//! told, by mail; every session is over at once, at every server, and no link that was mailed before does anything any more.

use crate::{
    domain::{account::AccountStatus, audit::AuditEvent, challenge::Purpose, ids::AccountId, message::MessageKind},
    service::{
        admin::{
            authorize::Authorized,
            change::{Standing, change_standing},
            error::AdminError,
            grants::LockAccount,
            summary::AccountSummary,
        },
        core::Core,
    },
    storage::accounts::AccountRecord,
};

/// Closes it until it is unlocked. One that is locked stays as it is.
pub async fn lock_account(
    core: &Core,
    admin: &Authorized<LockAccount>,
    id: &AccountId,
) -> Result<AccountSummary, AdminError> {
    let wanted = Standing {
        alter: &|security| {
            if security.status == AccountStatus::Active {
                security.status = AccountStatus::Locked;
                security.epoch += 1;
                security.kept_session = None;
            }
        },
        touch: &withdraw_links,
        tell: Some(MessageKind::AccountLocked),
        event: AuditEvent::AccountLocked,
    };
    change_standing(core, admin, id, &wanted).await
}

/// Opens it again. One that is not locked stays as it is.
pub async fn unlock_account(
    core: &Core,
    admin: &Authorized<LockAccount>,
    id: &AccountId,
) -> Result<AccountSummary, AdminError> {
    let wanted = Standing {
        alter: &|security| {
            if security.status == AccountStatus::Locked {
                security.status = AccountStatus::Active;
                // So that what servers told each other of the locked one is known to be of before.
                security.epoch += 1;
            }
        },
        touch: &|_| {},
        tell: Some(MessageKind::AccountUnlocked),
        event: AuditEvent::AccountUnlocked,
    };
    change_standing(core, admin, id, &wanted).await
}

/// Whoever made the lock necessary may have asked for them.
fn withdraw_links(account: &mut AccountRecord) {
    for purpose in [
        Purpose::ResetPassword,
        Purpose::ChangeAddress,
        Purpose::AcceptInvitation,
        Purpose::EmailSignIn,
    ] {
        account.challenges.remove(&purpose);
    }
    account.void(Purpose::VerifyPhone);
    account.void(Purpose::SecondFactor);
    if let Some(sealed) = &mut account.sealed {
        sealed.email_pending = None;
    }
}
