//! How the keys of the installation stand.

use poem_openapi::Object;

use crate::{
    http::dto::export::name,
    service::{
        admin::keys::KeyStatus,
        rotation::progress::{Progress, Standing},
        token_keys::KeyInfo,
    },
};

/// Keys by name, and the work that new ones make. No key is in it.
#[derive(Object)]
#[oai(rename = "KeyStatus")]
pub struct KeyStatusSchema {
    /// Every version.
    keys: Vec<KeySchema>,
    /// Every job there is, and those that are about to be.
    jobs: Vec<KeyJobSchema>,
}

/// One version of a key.
#[derive(Object)]
#[oai(rename = "Key")]
struct KeySchema {
    /// What it is for.
    #[oai(rename = "use")]
    key_use: String,
    /// Counted from 1.
    version: u32,
    /// `pending`, `active`, `verify_only`, `retired` or `removed`.
    state: String,
    /// When it was made.
    created_at: String,
    /// Since when it stands there.
    since: String,
}

/// The job of one version over one user type.
#[derive(Object)]
#[oai(rename = "KeyJob")]
struct KeyJobSchema {
    /// What the key is for.
    #[oai(rename = "use")]
    key_use: String,
    /// The version that takes over.
    version: u32,
    /// Over whose records it goes.
    user_type: String,
    /// `waits`, `runs`, `rests`, `paused` or `done`.
    standing: String,
    /// What it does.
    stage: Option<String>,
    /// Records to look at in this pass.
    total: u64,
    /// Looked at.
    seen: u64,
    /// Could not be changed.
    failed: u64,
    /// Changed by all passes.
    changed: u64,
    /// Records of this pass that are left.
    left: u64,
    /// Records a second.
    per_second: Option<f64>,
    /// How long this pass goes on, at the pace so far.
    seconds_left: Option<u64>,
}

impl From<KeyStatus> for KeyStatusSchema {
    fn from(status: KeyStatus) -> Self {
        Self {
            keys: status.keys.iter().map(Into::into).collect(),
            jobs: status.jobs.iter().map(Into::into).collect(),
        }
    }
}

impl From<&KeyInfo> for KeySchema {
    fn from(key: &KeyInfo) -> Self {
        Self {
            key_use: key.key_use.clone(),
            version: key.version.into(),
            state: if key.is_removed {
                "removed".to_owned()
            } else {
                name(&key.state)
            },
            created_at: key.created_at.to_string(),
            since: key.since.to_string(),
        }
    }
}

impl From<&Progress> for KeyJobSchema {
    fn from(job: &Progress) -> Self {
        let (standing, stage) = match job.standing {
            Standing::Waits { .. } => ("waits", None),
            Standing::Runs { stage, .. } => ("runs", Some(stage)),
            Standing::Rests { stage, .. } => ("rests", Some(stage)),
            Standing::Paused { stage } => ("paused", Some(stage)),
            Standing::Done => ("done", None),
        };
        Self {
            key_use: job.key_use.clone(),
            version: job.version.into(),
            user_type: job.user_type.to_string(),
            standing: standing.to_owned(),
            stage: stage.map(|stage| stage.as_str().to_owned()),
            total: job.total,
            seen: job.tally.seen,
            failed: job.tally.failed,
            changed: job.changed,
            left: job.left,
            per_second: job.per_second,
            seconds_left: job.time_left().map(|left| left.as_secs()),
        }
    }
}
