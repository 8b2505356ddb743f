//! Spends from a bucket: keys are digests, so that no address of a client or person stands in the store.

use crate::{
    crypto::{
        encoding::{hmac_sha256, join},
        keyring::{KeyUse, MissingKey},
    },
    domain::{
        audit::{AuditEvent, Details},
        user_type::UserType,
    },
    service::{core::Core, failure::Failure},
    storage::limits::{LimitKey, Quota, Spent},
};

/// Spends one attempt of `subject` on `route`; that a limit is met is noted. With limits switched off everything is
/// allowed.
pub async fn spend(
    core: &Core,
    user_type: &UserType,
    route: &str,
    subject: &str,
    quota: Quota,
) -> Result<Spent, Failure> {
    spend_noted(core, user_type.as_str(), Some(user_type), route, subject, quota).await
}

/// The same of what all user types spend from together; noted with the one whose account it was.
pub async fn spend_of_all(
    core: &Core,
    user_type: &UserType,
    route: &str,
    subject: &str,
    quota: Quota,
) -> Result<Spent, Failure> {
    spend_noted(core, "", Some(user_type), route, subject, quota).await
}

/// The same of a route that belongs to no user type.
pub async fn spend_of_service(core: &Core, route: &str, subject: &str, quota: Quota) -> Result<Spent, Failure> {
    spend_noted(core, "", None, route, subject, quota).await
}

async fn spend_noted(
    core: &Core,
    scope: &str,
    user_type: Option<&UserType>,
    route: &str,
    subject: &str,
    quota: Quota,
) -> Result<Spent, Failure> {
    let spent = count(core, scope, route, subject, quota).await?;
    if matches!(spent, Spent::Refused { .. }) {
        core.note_first(user_type, AuditEvent::LimitReached, Details::of_limit(route))
            .await;
    }
    Ok(spent)
}

/// The same without a note.
pub(in crate::service) async fn count(
    core: &Core,
    scope: &str,
    route: &str,
    subject: &str,
    quota: Quota,
) -> Result<Spent, Failure> {
    let Some(limits) = core.limits() else {
        return Ok(Spent::Allowed {
            remaining: quota.burst,
            reset_after: std::time::Duration::ZERO,
        });
    };
    let key = limit_key(core, scope, route, subject.as_bytes())?;
    Ok(limits.spend(key, quota, core.clock.now()).await?)
}

/// The name of a bucket.
pub(in crate::service) fn limit_key(
    core: &Core,
    scope: &str,
    route: &str,
    subject: &[u8],
) -> Result<LimitKey, MissingKey> {
    let keyring = core.keyring.current();
    let key = keyring.active(&KeyUse::Rate)?;
    let message = join(&[b"sealgate/rate/v1", scope.as_bytes(), route.as_bytes(), subject]);
    Ok(LimitKey(hmac_sha256(&key.material, &message)))
}
