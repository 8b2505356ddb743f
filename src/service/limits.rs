//! Spends from a bucket: keys are digests, so that no address of a client or person stands in the store.

use crate::{
    crypto::{
        encoding::{hmac_sha256, join},
        keyring::KeyUse,
    },
    domain::user_type::UserType,
    service::{core::Core, failure::Failure},
    storage::limits::{LimitKey, Quota, Spent},
};

/// Spends one attempt of `subject` on `route`. With limits switched off everything is allowed.
pub async fn spend(
    core: &Core,
    user_type: &UserType,
    route: &str,
    subject: &str,
    quota: Quota,
) -> Result<Spent, Failure> {
    spend_named(core, user_type.as_str(), route, subject, quota).await
}

/// The same on a route of no user type.
pub async fn spend_of_system(core: &Core, route: &str, subject: &str, quota: Quota) -> Result<Spent, Failure> {
    // No user type is called so.
    spend_named(core, "-", route, subject, quota).await
}

async fn spend_named(
    core: &Core,
    population: &str,
    route: &str,
    subject: &str,
    quota: Quota,
) -> Result<Spent, Failure> {
    let Some(limits) = &core.limits else {
        return Ok(Spent::Allowed {
            remaining: quota.burst,
            reset_after: std::time::Duration::ZERO,
        });
    };
    let keyring = core.keyring.current();
    let key = keyring.active(&KeyUse::Rate)?;
    let message = join(&[
        b"sealgate/rate/v1",
        population.as_bytes(),
        route.as_bytes(),
        subject.as_bytes(),
    ]);
    Ok(limits
        .spend(LimitKey(hmac_sha256(&key.material, &message)), quota, core.clock.now())
        .await?)
}
