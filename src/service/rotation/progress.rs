//! How far the jobs of keys are, for an operator and for metrics.

use std::time::Duration;

use crate::{
    crypto::keyring::KeyState,
    domain::{clock::Timestamp, user_type::UserType},
    service::{
        core::Core,
        failure::Failure,
        rotation::{is_everywhere, job_of, populations, uses},
        token_keys::{PENDING, Versions},
    },
    storage::{
        key_jobs::{KeyJobRecord, Stage, Tally},
        keyring::KeyringRecord,
    },
};

/// The job of one version over one user type.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// What the key is for.
    pub key_use: String,
    /// The version that takes over.
    pub version: u16,
    /// The population.
    pub user_type: UserType,
    /// Where it is.
    pub standing: Standing,
    /// Records to look at in one pass, as counted when it began.
    pub total: u64,
    /// Of this pass.
    pub tally: Tally,
    /// By all passes.
    pub changed: u64,
    /// Records of this pass that are left.
    pub left: u64,
    /// Records a second.
    pub per_second: Option<f64>,
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Until every process writes with the new version.
    Waits {
        /// Not before.
        until: Timestamp,
    },
    /// A worker is on it, or may take it.
    Runs {
        /// What it does.
        stage: Stage,
        /// How often the stage has begun to walk.
        pass: u32,
    },
    /// Until whoever was under way has come to an end.
    Rests {
        /// What comes then.
        stage: Stage,
        /// Not before.
        until: Timestamp,
    },
    /// An operator wants it to wait.
    Paused {
        /// In this stage.
        stage: Stage,
    },
    /// Nothing is left.
    Done,
}

impl Progress {
    /// For how long this pass will go on, at the pace so far.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        if !matches!(self.standing, Standing::Runs { .. }) {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let left = self.left as f64;
        self.per_second.map(|rate| Duration::from_secs_f64(left / rate))
    }
}

/// Every job there is, and those that are about to be.
pub async fn progress(core: &Core) -> Result<Vec<Progress>, Failure> {
    progress_of(core, &Versions::read(core).await?).await
}

/// The same of versions that were read already.
pub async fn progress_of(core: &Core, versions: &Versions) -> Result<Vec<Progress>, Failure> {
    let mut all = Vec::new();
    for key_use in uses(core) {
        let versions = versions.of(&key_use);
        let active = versions.iter().rfind(|record| record.state == KeyState::Active);
        let Some(active) = active.filter(|record| record.version > 1) else {
            continue;
        };
        for user_type in populations(core, &key_use) {
            let job = core.stores.key_jobs.find(&job_of(active, &user_type)).await?;
            match job {
                Some(job) => all.push(of_job(core, active, &job)),
                None if is_job_to_come(core, active, &versions) => all.push(Progress {
                    key_use: active.key_use.clone(),
                    version: active.version,
                    user_type,
                    standing: Standing::Waits {
                        until: active.since().plus(PENDING),
                    },
                    total: 0,
                    tally: Tally::default(),
                    changed: 0,
                    left: 0,
                    per_second: None,
                }),
                None => {}
            }
        }
    }
    Ok(all)
}

/// The key of codes has none.
fn is_job_to_come(core: &Core, active: &KeyringRecord, versions: &[KeyringRecord]) -> bool {
    active.key_use != crate::crypto::keyring::KeyUse::Otp.name()
        && (!is_everywhere(core, active) || versions.iter().any(|record| record.state == KeyState::VerifyOnly))
}

fn of_job(core: &Core, active: &KeyringRecord, job: &KeyJobRecord) -> Progress {
    let stage = job.stage;
    let standing = if job.done_at.is_some() {
        Standing::Done
    } else if job.is_paused {
        Standing::Paused { stage }
    } else if core.clock.now() < job.rests_until {
        Standing::Rests {
            stage,
            until: job.rests_until,
        }
    } else {
        Standing::Runs { stage, pass: job.pass }
    };
    Progress {
        key_use: active.key_use.clone(),
        version: active.version,
        user_type: job.user_type.clone(),
        standing,
        total: job.total,
        tally: job.tally,
        changed: job.changed,
        left: job.left(),
        per_second: job.per_second(),
    }
}

/// Says it to whoever gathers metrics.
#[expect(clippy::cast_precision_loss, reason = "gauges")]
pub fn measure(progress: &[Progress]) {
    for job in progress {
        let labels = [("use", job.key_use.clone()), ("user_type", job.user_type.to_string())];
        metrics::gauge!("sealgate_key_job_records_left", &labels).set(job.left as f64);
        metrics::gauge!("sealgate_key_job_records_failed", &labels).set(job.tally.failed as f64);
        let is_done = job.standing == Standing::Done;
        metrics::gauge!("sealgate_key_job_running", &labels).set(if is_done { 0.0 } else { 1.0 });
    }
}
