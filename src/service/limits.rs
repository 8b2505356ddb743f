//! Spends from a bucket: keys are digests, so that no address of a client or person stands in the store.

use crate::{
    crypto::{
        encoding::{hmac_sha256, join},
        keyring::{KeyUse, MissingKey},
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
    let Some(limits) = &core.limits else {
        return Ok(Spent::Allowed {
            remaining: quota.burst,
            reset_after: std::time::Duration::ZERO,
        });
    };
    let key = limit_key(core, user_type, route, subject.as_bytes())?;
    Ok(limits.spend(key, quota, core.clock.now()).await?)
}

/// The name of a bucket.
pub(in crate::service) fn limit_key(
    core: &Core,
    user_type: &UserType,
    route: &str,
    subject: &[u8],
) -> Result<LimitKey, MissingKey> {
    let keyring = core.keyring.current();
    let key = keyring.active(&KeyUse::Rate)?;
    let message = join(&[
        b"sealgate/rate/v1",
        user_type.as_str().as_bytes(),
        route.as_bytes(),
        subject,
    ]);
    Ok(LimitKey(hmac_sha256(&key.material, &message)))
}
