//! Ends all sessions of an account, by one write.

use crate::{
    domain::{audit::AuditEvent, ids::AccountId},
    service::{
        admin::{
            authorize::Authorized,
            change::{Standing, change_standing},
            error::AdminError,
            grants::RevokeSessions,
            summary::AccountSummary,
        },
        core::Core,
    },
};

/// Ends them at every server at once. Who has the password signs in again.
pub async fn revoke_sessions(
    core: &Core,
    admin: &Authorized<RevokeSessions>,
    id: &AccountId,
) -> Result<AccountSummary, AdminError> {
    let wanted = Standing {
        alter: &|security| {
            security.epoch += 1;
            security.kept_session = None;
        },
        touch: &|_| {},
        tell: None,
        event: AuditEvent::SessionsRevoked,
    };
    change_standing(core, admin, id, &wanted).await
}
