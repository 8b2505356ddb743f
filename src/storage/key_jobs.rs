//! What a new version of a key makes to be done over the records of one user type, and how far it is.
//!
//! A job walks over all records in order of their ids, page by page, until a walk finds nothing left to do: then its stage
//! is over. A worker holds a job by a lease and notes each page behind itself in one conditional write, so that of several
//! workers one walks, and another goes on from the last page where the first was killed. Doing a page twice does no harm.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        clock::Timestamp,
        ids::{KeyJobId, WorkerId},
        user_type::UserType,
    },
    storage::documents::{Documents, Record, Ref},
};

/// How long a worker holds a job after each page.
pub const LEASE: Duration = Duration::from_secs(30);
/// How long a job rests after a walk that made others write the new way: whoever read a record before has written it by
/// then, whatever request or message it was for.
pub const SETTLE: Duration = Duration::from_mins(5);

/// What is done to each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Data keys are wrapped by the new key-encryption key.
    Rewrap,
    /// An owner gets a new data key, and what is sealed is sealed anew.
    Reseal,
    /// Older data keys, which seal nothing any more, are removed.
    Clear,
    /// Index values of the new key are written beside those of the old one.
    Backfill,
    /// Index values of the old key are removed.
    Refill,
}

/// Over which records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Walk {
    /// Data keys, those of registrations among them.
    Deks,
    /// Registrations.
    Registrations,
    /// Accounts.
    Accounts,
}

impl Stage {
    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rewrap => "rewrap",
            Self::Reseal => "reseal",
            Self::Clear => "clear",
            Self::Backfill => "backfill",
            Self::Refill => "refill",
        }
    }

    /// What is walked over, in order: a registration becomes an account, never the other way round.
    #[must_use]
    pub const fn walks(self) -> &'static [Walk] {
        match self {
            Self::Rewrap | Self::Reseal | Self::Clear => &[Walk::Deks],
            Self::Backfill | Self::Refill => &[Walk::Registrations, Walk::Accounts],
        }
    }

    /// What comes after it.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Reseal => Some(Self::Clear),
            Self::Backfill => Some(Self::Refill),
            Self::Rewrap | Self::Clear | Self::Refill => None,
        }
    }

    /// How long to wait before another walk.
    const fn rest(self) -> Duration {
        match self {
            Self::Reseal | Self::Backfill => SETTLE,
            Self::Rewrap | Self::Clear | Self::Refill => Duration::ZERO,
        }
    }
}

/// Who works on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobLease {
    /// The worker.
    pub holder: WorkerId,
    /// Until then.
    pub until: Timestamp,
}

/// What was done to a number of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Looked at.
    pub seen: u64,
    /// Changed.
    pub changed: u64,
    /// Could not be changed: damaged, or altered behind the service's back.
    pub failed: u64,
}

impl Tally {
    /// With another.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            seen: self.seen + other.seen,
            changed: self.changed + other.changed,
            failed: self.failed + other.failed,
        }
    }
}

/// One job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyJobRecord {
    /// Names key and user type.
    #[serde(rename = "_id")]
    pub id: KeyJobId,
    /// The population.
    pub user_type: UserType,
    /// Shape of the record.
    pub schema: u16,
    /// Changes of the document.
    pub rev: u64,
    /// What is done.
    pub stage: Stage,
    /// Over which records.
    pub walk: Walk,
    /// How often the stage has begun to walk.
    pub pass: u32,
    /// The last record that was looked at.
    pub after: Option<String>,
    /// Of this pass.
    pub tally: Tally,
    /// Records changed by all passes of all stages.
    pub changed: u64,
    /// Records to look at in one pass, counted when the job was made.
    pub total: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// When the pass began.
    pub began_at: Timestamp,
    /// When it last came further.
    pub moved_at: Timestamp,
    /// Nothing is done before.
    pub rests_until: Timestamp,
    /// An operator wants it to wait.
    pub is_paused: bool,
    /// Who works on it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lease: Option<JobLease>,
    /// When there was nothing left to do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub done_at: Option<Timestamp>,
}

/// Where a job is after a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The pass goes on with other records.
    Walks(Walk),
    /// The records are walked over once more.
    Again,
    /// Something else is done to them.
    Enters(Stage),
    /// There is nothing left to do.
    Done,
}

impl KeyJobRecord {
    /// A job over `total` records that begins with `stage`.
    #[must_use]
    pub fn new(key: &Ref<KeyJobId>, stage: Stage, total: u64, now: Timestamp) -> Self {
        Self {
            id: key.id.clone(),
            user_type: key.user_type.clone(),
            schema: crate::storage::SCHEMA,
            rev: 0,
            stage,
            walk: stage.walks()[0],
            pass: 1,
            after: None,
            tally: Tally::default(),
            changed: 0,
            total,
            made_at: now,
            began_at: now,
            moved_at: now,
            rests_until: now,
            is_paused: false,
            lease: None,
            done_at: None,
        }
    }

    /// Takes it for `holder`; `false` where there is nothing to do now, or another holds it.
    pub fn take(&mut self, holder: &WorkerId, now: Timestamp) -> bool {
        let is_others = self
            .lease
            .as_ref()
            .is_some_and(|lease| lease.holder != *holder && now < lease.until);
        if is_others || self.is_paused || self.done_at.is_some() || now < self.rests_until {
            return false;
        }
        if self.after.is_none() && self.walk == self.stage.walks()[0] {
            // A pass begins: what failed in the last one is forgotten.
            self.tally = Tally::default();
            self.began_at = now;
        }
        self.hold(holder, now);
        true
    }

    /// Lets go of it, so that another may take it at once.
    pub fn release(&mut self, holder: &WorkerId) -> bool {
        let is_ours = self.is_held_by(holder);
        if is_ours {
            self.lease = None;
        }
        is_ours
    }

    /// Notes that the records up to `after` were looked at, in the pass and walk that `was` stood in. `false` where another
    /// has taken it over, and this page counts for nothing.
    pub fn note_page(&mut self, was: &Self, holder: &WorkerId, after: &str, tally: Tally, now: Timestamp) -> bool {
        let stood = |job: &Self| (job.stage, job.pass, job.walk, job.after.clone());
        if !self.is_held_by(holder) || stood(self) != stood(was) {
            return false;
        }
        self.after = Some(after.to_owned());
        self.tally = self.tally.plus(tally);
        self.changed += tally.changed;
        self.moved_at = now;
        self.hold(holder, now);
        true
    }

    /// There are no more records: what comes now. A stage is over when a pass found nothing to change; one that could not
    /// change a record is gone through again after a rest.
    pub fn end_walk(&mut self, holder: &WorkerId, now: Timestamp) -> Option<Turn> {
        if !self.is_held_by(holder) {
            return None;
        }
        self.after = None;
        self.moved_at = now;
        let walks = self.stage.walks();
        let place = walks.iter().position(|walk| *walk == self.walk);
        if let Some(walk) = place.and_then(|place| walks.get(place + 1)) {
            self.walk = *walk;
            return Some(Turn::Walks(*walk));
        }
        self.walk = walks[0];
        let tally = std::mem::take(&mut self.tally);
        if tally.changed > 0 || tally.failed > 0 {
            let rest = if tally.failed > 0 { SETTLE } else { self.stage.rest() };
            self.pass += 1;
            self.rests_until = now.plus(rest);
            // What failed is seen until the next pass begins.
            self.tally.failed = tally.failed;
            return Some(Turn::Again);
        }
        let Some(next) = self.stage.next() else {
            self.done_at = Some(now);
            self.lease = None;
            return Some(Turn::Done);
        };
        self.stage = next;
        self.walk = next.walks()[0];
        self.pass = 1;
        // Everybody knows by then that the old way is over.
        self.rests_until = now.plus(SETTLE);
        Some(Turn::Enters(next))
    }

    /// Records a second in this pass; `None` before there is anything to go by.
    #[must_use]
    pub fn per_second(&self) -> Option<f64> {
        let seconds = self.moved_at.since(self.began_at).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let seen = self.tally.seen as f64;
        (seconds > 0.0 && seen > 0.0).then(|| seen / seconds)
    }

    /// Records that this pass has yet to look at, as far as was known when the job was made.
    #[must_use]
    pub fn left(&self) -> u64 {
        if self.done_at.is_some() {
            0
        } else {
            self.total.saturating_sub(self.tally.seen)
        }
    }

    fn is_held_by(&self, holder: &WorkerId) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.holder == *holder)
    }

    fn hold(&mut self, holder: &WorkerId, now: Timestamp) {
        self.lease = Some(JobLease {
            holder: holder.clone(),
            until: now.plus(LEASE),
        });
    }
}

impl Record for KeyJobRecord {
    const NAME: &'static str = "key_jobs";
    type Id = KeyJobId;
    fn key(&self) -> Ref<KeyJobId> {
        Ref::new(&self.user_type, self.id.clone())
    }
    fn rev(&self) -> u64 {
        self.rev
    }
    fn set_rev(&mut self, rev: u64) {
        self.rev = rev;
    }
    fn schema(&self) -> u16 {
        self.schema
    }
    fn set_schema(&mut self, schema: u16) {
        self.schema = schema;
    }
}

/// The port.
pub trait KeyJobs: Documents<KeyJobRecord> {}

#[cfg(test)]
mod tests;
