//! The life of the keys that data hangs on: key-encryption keys, generations of data keys, index keys, the key of codes.
//! Those of tokens are in [`token_keys`].
//!
//! ```text
//!            2 min              2 min, then a job goes over the records       an operator
//! pending ─────────► active ─────────────────────────────────────────► … ───────────────► destroyed
//! readable           writes; the one before it: verify_only ─────────► retired
//! ```
//!
//! A new version writes only once every process has had the time to read it, and a job begins only once every process
//! writes with it, so that the job meets every record that still names the old one. What the jobs do is in
//! [`jobs`], how a version is got rid of in [`destroy`].
//!
//! | use | what the job does |
//! |---|---|
//! | `kek` | wraps every data key, and every root key, by the new one; no personal data is touched |
//! | `dek` | gives every account and registration a new data key, seals anew, and after a rest removes the old one |
//! | `index.<Type>` | writes the new index values beside the old ones; when all are there the old ones are removed |
//! | `otp` | nothing: codes live five minutes |

pub mod destroy;
pub mod jobs;
pub mod progress;
mod reindex;
mod reseal;
mod rewrap;

use std::time::Duration;

use crate::{
    crypto::keyring::{KeyState, KeyUse},
    domain::{
        audit::{AuditEvent, Details, Outcome},
        ids::{KekId, KeyJobId},
        user_type::UserType,
    },
    service::{
        core::Core,
        failure::Failure,
        token_keys::{self, PENDING, RotateError, Step},
    },
    storage::{
        Change, Inserted, Ref, change,
        key_jobs::{KeyJobRecord, Stage},
        keyring::KeyringRecord,
    },
};

/// How long the key of codes verifies after it wrote: the life of a code, then the 30 s in which a process may not have
/// read that another one writes, and some to spare.
pub const OTP_OVERLAP: Duration = Duration::from_mins(10);

/// Every use that is rotated here, for these user types.
#[must_use]
pub fn uses(core: &Core) -> Vec<KeyUse> {
    let indexes = core.user_types.keys().cloned().map(KeyUse::Index);
    [KeyUse::Kek, KeyUse::Dek, KeyUse::Otp]
        .into_iter()
        .chain(indexes)
        .collect()
}

/// Makes a version that writes from two minutes on; answers its number. Refused while the one before is on its way: two
/// old index keys would share a slot.
pub async fn rotate(core: &Core, key_use: &KeyUse) -> Result<u16, RotateError> {
    core.keys.reread(core).await.map_err(Failure::from)?;
    let versions = token_keys::versions(core, key_use).await?;
    if let Some(moving) = moving(&versions) {
        return Err(RotateError::UnderWay(moving));
    }
    if let (KeyUse::Kek | KeyUse::Dek, Some(user_type)) = (key_use, not_configured(core).await?) {
        return Err(RotateError::NotConfigured(user_type));
    }
    let version = versions.last().map_or(1, |record| record.version) + 1;
    let record = match key_use {
        KeyUse::Kek => {
            let kek = new_kek(core, &versions).await?;
            let check = core.keys.keks().provider().wrap(&kek, &key_use.make_material()).await;
            let check = check.map_err(Failure::from)?;
            KeyringRecord::new(key_use, version, KeyState::Pending, check, core.clock.now())
        }
        _ => made(core, key_use, version).await?,
    };
    match core.stores.keyring.insert(&record).await? {
        Inserted::Stored => {
            note(core, AuditEvent::KeyMade, &record).await;
            Ok(version)
        }
        Inserted::Taken(_) => Err(RotateError::UnderWay(version)),
    }
}

/// A user type that has keys, and records surely, and that this process does not serve.
async fn not_configured(core: &Core) -> Result<Option<UserType>, Failure> {
    let keys = core.stores.keyring.list().await?;
    let user_types = keys
        .iter()
        .filter_map(|record| match KeyUse::from_name(&record.key_use)? {
            KeyUse::Index(user_type) => Some(user_type),
            _ => None,
        });
    let mut others = user_types.filter(|user_type| !core.user_types.contains_key(user_type));
    Ok(others.next())
}

/// The newest version, where it or what it replaced has not come to its end.
fn moving(versions: &[KeyringRecord]) -> Option<u16> {
    let is_moving = |record: &KeyringRecord| matches!(record.state, KeyState::Pending | KeyState::VerifyOnly);
    let newest = versions.last()?;
    versions.iter().any(is_moving).then_some(newest.version)
}

/// A key of the provider that none of `versions` names, or one that it makes.
async fn new_kek(core: &Core, versions: &[KeyringRecord]) -> Result<KekId, Failure> {
    let provider = core.keys.keks().provider();
    let is_new = |id: &KekId| versions.iter().all(|record| record.wrapped.kek_id != *id);
    match provider.known().await?.into_iter().rfind(is_new) {
        Some(id) => Ok(id),
        None => Ok(provider.make().await?),
    }
}

async fn made(core: &Core, key_use: &KeyUse, version: u16) -> Result<KeyringRecord, Failure> {
    let wrapped = core.keys.keks().wrap(&key_use.make_material()).await?;
    Ok(KeyringRecord::new(
        key_use,
        version,
        KeyState::Pending,
        wrapped,
        core.clock.now(),
    ))
}

/// Takes every step that is due. Each is one conditional write, and what a crash leaves between two of them is a state that
/// the next call goes on from.
pub async fn advance(core: &Core) -> Result<Vec<(KeyUse, Step)>, Failure> {
    let mut taken = Vec::new();
    for key_use in uses(core) {
        let mut steps = Vec::new();
        let mut versions = token_keys::versions(core, &key_use).await?;
        token_keys::take_over_in_time(core, &mut versions, &mut steps).await?;
        if is_over(core, &key_use, &versions).await? {
            for record in &mut versions {
                if record.state == KeyState::VerifyOnly {
                    token_keys::take(core, record, KeyState::Retired, &mut steps).await?;
                }
            }
        }
        taken.extend(steps.into_iter().map(|step| (key_use.clone(), step)));
    }
    Ok(taken)
}

/// Whether nothing names the versions that only verify any more.
async fn is_over(core: &Core, key_use: &KeyUse, versions: &[KeyringRecord]) -> Result<bool, Failure> {
    let Some(old) = versions.iter().find(|record| record.state == KeyState::VerifyOnly) else {
        return Ok(false);
    };
    if *key_use == KeyUse::Otp {
        return Ok(core.clock.now() >= old.since().plus(OTP_OVERLAP));
    }
    let Some(active) = versions.iter().rfind(|record| record.state == KeyState::Active) else {
        return Ok(false);
    };
    if !matches!(key_use, KeyUse::Index(_)) && not_configured(core).await?.is_some() {
        return Ok(false);
    }
    for user_type in populations(core, key_use) {
        let job = core.stores.key_jobs.find(&job_of(active, &user_type)).await?;
        if !job.is_some_and(|job| allows_retirement(&job)) {
            return Ok(false);
        }
    }
    Ok(*key_use != KeyUse::Kek || rewrap::root_keys(core, active).await? == 0)
}

/// An index key goes when all values of the new one are there; its own are removed after that.
fn allows_retirement(job: &KeyJobRecord) -> bool {
    job.done_at.is_some() || job.stage == Stage::Refill
}

/// Whose records a key concerns.
pub(in crate::service) fn populations(core: &Core, key_use: &KeyUse) -> Vec<UserType> {
    match key_use {
        KeyUse::Index(user_type) => vec![user_type.clone()],
        _ => core.user_types.keys().cloned().collect(),
    }
}

/// The job that a version makes over a user type.
pub(in crate::service) fn job_of(record: &KeyringRecord, user_type: &UserType) -> Ref<KeyJobId> {
    Ref::new(user_type, KeyJobId::of(&record.key_use, record.version, user_type))
}

/// Since when every process writes with an active version.
pub(in crate::service) fn is_everywhere(core: &Core, record: &KeyringRecord) -> bool {
    core.clock.now() >= record.since().plus(PENDING)
}

pub(in crate::service) async fn note(core: &Core, event: AuditEvent, record: &KeyringRecord) {
    core.note_of_service(
        event,
        Outcome::Success,
        Details::of_key(&record.key_use, record.version),
    )
    .await;
}

impl From<crate::crypto::kek::KekError> for RotateError {
    fn from(error: crate::crypto::kek::KekError) -> Self {
        Self::Failure(error.into())
    }
}

/// Lets a paused job go on, or one that goes on pause. Whether there is one.
pub async fn pause(core: &Core, key_use: &KeyUse, is_paused: bool) -> Result<bool, Failure> {
    let versions = token_keys::versions(core, key_use).await?;
    let Some(active) = versions.iter().rfind(|record| record.state == KeyState::Active) else {
        return Ok(false);
    };
    let mut is_any = false;
    for user_type in populations(core, key_use) {
        let key = job_of(active, &user_type);
        let changed = change(&*core.stores.key_jobs, &key, |job: &mut KeyJobRecord| {
            if job.done_at.is_some() {
                return Change::Leave(false);
            }
            job.is_paused = is_paused;
            Change::Store(true)
        });
        is_any |= changed.await?.into_value().unwrap_or_default();
    }
    Ok(is_any)
}
