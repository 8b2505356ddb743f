//! The work that a new version makes over the records, done page by page by whichever worker holds it.
//!
//! A round takes every job that waits, one after the other, and walks on until its pass is over. Killed at any instant, the
//! next worker begins with the page that was under way: each record is changed by one conditional write, and one that is
//! as it should be is left alone. Between pages it rests, so that serving has its [`Share`].

use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use crate::{
    crypto::keyring::{KeyState, KeyUse},
    domain::{
        ids::{AccountId, KeyJobId, WorkerId},
        share::Share,
        user_type::UserType,
    },
    service::{
        core::Core,
        failure::Failure,
        rotation::{is_everywhere, job_of, populations, reindex, reseal, rewrap, uses},
        token_keys::Versions,
    },
    storage::{
        Change, Ref, StoreError, change,
        key_jobs::{KeyJobRecord, Stage, Tally, Turn, Walk},
        keyring::KeyringRecord,
    },
};

/// Records that are looked at before the job notes how far it is.
const PAGE: u32 = 100;
/// Records that are worked on at a time.
const AT_A_TIME: usize = 8;
/// For counting.
const BIG_PAGE: u32 = 1000;

/// Who works, how much, and until when.
pub struct Round<'r> {
    /// Holds the jobs that it takes.
    pub worker: &'r WorkerId,
    /// Of its time.
    pub share: Share,
    /// Told to stop: what is under way is noted, and the job let go of.
    pub is_over: &'r (dyn Fn() -> bool + Sync),
}

/// Takes every job that waits for one of `versions` and does what can be done of it now. Where they have moved on since they
/// were read, the keyring has too, and the job waits for the next round.
pub async fn round(core: &Core, versions: &Versions, round: &Round<'_>) -> Result<(), Failure> {
    for key_use in uses(core) {
        let Some(first) = first_stage(&key_use) else {
            continue;
        };
        let versions = versions.of(&key_use);
        let active = versions.iter().rfind(|record| record.state == KeyState::Active);
        let Some(active) = active.filter(|record| record.version > 1 && is_everywhere(core, record)) else {
            continue;
        };
        for user_type in populations(core, &key_use) {
            let job = Job {
                core,
                round,
                key_use: &key_use,
                active,
                key: job_of(active, &user_type),
            };
            job.work(first).await?;
        }
    }
    Ok(())
}

/// Whether the job of the newest of `versions` is in `stage` for some user type.
pub(in crate::service) async fn is_in(
    core: &Core,
    key_use: &KeyUse,
    versions: &[KeyringRecord],
    stage: Stage,
) -> Result<bool, Failure> {
    let Some(active) = versions.iter().rfind(|record| record.state == KeyState::Active) else {
        return Ok(false);
    };
    for user_type in populations(core, key_use) {
        let job = core.stores.key_jobs.find(&job_of(active, &user_type)).await?;
        if job.is_some_and(|job| job.done_at.is_none() && job.stage == stage) {
            return Ok(true);
        }
    }
    Ok(false)
}

const fn first_stage(key_use: &KeyUse) -> Option<Stage> {
    match key_use {
        KeyUse::Kek => Some(Stage::Rewrap),
        KeyUse::Dek => Some(Stage::Reseal),
        KeyUse::Index(_) => Some(Stage::Backfill),
        _ => None,
    }
}

struct Job<'j> {
    core: &'j Core,
    round: &'j Round<'j>,
    key_use: &'j KeyUse,
    active: &'j KeyringRecord,
    key: Ref<KeyJobId>,
}

impl Job<'_> {
    async fn work(&self, first: Stage) -> Result<(), Failure> {
        let core = self.core;
        let found = core.stores.key_jobs.find(&self.key).await?;
        let stage = found.as_ref().map_or(first, |job| job.stage);
        if found.is_some_and(|job| job.done_at.is_some()) || !self.knows_the_keys_for(stage) {
            return Ok(());
        }
        self.make(first).await?;
        let (worker, now) = (self.round.worker, core.clock.now());
        let taken = self.change(|job| job.take(worker, now).then_some(())).await?;
        let Some(mut job) = taken.map(|((), job)| job) else {
            return Ok(());
        };
        while !job.is_paused && !(self.round.is_over)() {
            let began = Instant::now();
            let page = self.page(&job).await?;
            let Some(last) = page.last().cloned() else {
                let now = core.clock.now();
                let turned = self.change(|job| job.end_walk(worker, now)).await?;
                let Some((Turn::Walks(_), turned)) = turned else {
                    self.tell(turned);
                    break;
                };
                job = turned;
                continue;
            };
            let tally = self.treat(job.stage, job.walk, page).await?;
            let (was, now) = (job, core.clock.now());
            let noted = self.change(|job| job.note_page(&was, worker, last.as_str(), tally, now).then_some(()));
            let Some(((), noted)) = noted.await? else {
                // Another worker has it now.
                return Ok(());
            };
            job = noted;
            tokio::time::sleep(self.round.share.rest_after(began.elapsed())).await;
        }
        self.change(|job| job.release(worker).then_some(())).await?;
        Ok(())
    }

    /// Whether this process writes with the keys that the stage is about: another may have moved them on, and this one not
    /// read them yet.
    fn knows_the_keys_for(&self, stage: Stage) -> bool {
        let keyring = self.core.keyring.current();
        let is_active = keyring
            .active(self.key_use)
            .is_ok_and(|key| key.version == self.active.version);
        match stage {
            Stage::Rewrap => self.core.keys.keks().active() == self.active.wrapped.kek_id,
            Stage::Reseal | Stage::Clear | Stage::Backfill => is_active,
            Stage::Refill => is_active && keyring.all_readable(self.key_use).count() == 1,
        }
    }

    async fn make(&self, first: Stage) -> Result<(), Failure> {
        let jobs = &self.core.stores.key_jobs;
        if jobs.find(&self.key).await?.is_some() {
            return Ok(());
        }
        let mut total = 0;
        for walk in first.walks() {
            total += self.count(*walk).await?;
        }
        // Whoever begins it second finds it made.
        jobs.insert(&KeyJobRecord::new(&self.key, first, total, self.core.clock.now()))
            .await?;
        Ok(())
    }

    async fn count(&self, walk: Walk) -> Result<u64, Failure> {
        let (mut count, mut after) = (0, None);
        loop {
            let page = ids(self.core, walk, &self.key.user_type, after.as_ref(), BIG_PAGE).await?;
            count += page.len() as u64;
            match page.into_iter().next_back() {
                Some(last) => after = Some(last),
                None => return Ok(count),
            }
        }
    }

    async fn page(&self, job: &KeyJobRecord) -> Result<Vec<AccountId>, Failure> {
        let after = job.after.as_ref().map(|id| id.parse()).transpose();
        let after: Option<AccountId> = after.map_err(|_| StoreError::Damaged(format!("key_jobs {}", self.key)))?;
        Ok(ids(self.core, job.walk, &self.key.user_type, after.as_ref(), PAGE).await?)
    }

    async fn treat(&self, stage: Stage, walk: Walk, page: Vec<AccountId>) -> Result<Tally, Failure> {
        let one = |id: AccountId| {
            let key = Ref::new(&self.key.user_type, id);
            async move {
                let done = match (stage, walk) {
                    (Stage::Rewrap, _) => rewrap::data_keys(self.core, &key).await,
                    (Stage::Reseal, _) => reseal::reseal(self.core, &key, self.active.version).await,
                    (Stage::Clear, _) => reseal::clear(self.core, &key).await,
                    (Stage::Backfill | Stage::Refill, Walk::Accounts) => reindex::account(self.core, &key).await,
                    (Stage::Backfill | Stage::Refill, _) => reindex::registration(self.core, &key).await,
                };
                tally(&key, done)
            }
        };
        let mut done = stream::iter(page.into_iter().map(one)).buffer_unordered(AT_A_TIME);
        let mut sum = Tally::default();
        while let Some(one) = done.next().await {
            sum = sum.plus(one?);
        }
        Ok(sum)
    }

    fn tell(&self, turned: Option<(Turn, KeyJobRecord)>) {
        let Some((turn, job)) = turned else { return };
        let (version, user_type) = (self.active.version, &self.key.user_type);
        let (use_, changed) = (self.key_use.name(), job.changed);
        match turn {
            Turn::Done => tracing::info!(key = use_, version, %user_type, changed, "the job of a key is done"),
            turn => tracing::debug!(key = use_, version, %user_type, changed, ?turn, "the job of a key goes on"),
        }
    }

    /// Changes the job if `decide` has an answer; that, and the job as it is then.
    async fn change<T: Send>(
        &self,
        decide: impl Fn(&mut KeyJobRecord) -> Option<T> + Send + Sync,
    ) -> Result<Option<(T, KeyJobRecord)>, Failure> {
        let changed = change(
            &*self.core.stores.key_jobs,
            &self.key,
            |job: &mut KeyJobRecord| match decide(job) {
                Some(answer) => Change::Store(Some((answer, job.clone()))),
                None => Change::Leave(None),
            },
        );
        Ok(changed.await?.into_value().flatten())
    }
}

/// One record that can't be read or does not open is named in the log and passed over, and keeps its key from being
/// retired; that the store or the provider is away ends the round.
fn tally(key: &Ref<AccountId>, done: Result<bool, Failure>) -> Result<Tally, Failure> {
    let mut tally = Tally {
        seen: 1,
        ..Tally::default()
    };
    match done {
        Ok(is_changed) => tally.changed = is_changed.into(),
        Err(
            error @ (Failure::Store(StoreError::Damaged(_) | StoreError::Newer(_) | StoreError::Contended)
            | Failure::CannotOpen(_)
            | Failure::Tampered(_)
            | Failure::Kek(crate::crypto::kek::KekError::Damaged | crate::crypto::kek::KekError::Unknown(_))),
        ) => {
            tracing::error!(record = %key, %error, "a record keeps its old key");
            tally.failed = 1;
        }
        Err(failure) => return Err(failure),
    }
    Ok(tally)
}

async fn ids(
    core: &Core,
    walk: Walk,
    user_type: &UserType,
    after: Option<&AccountId>,
    limit: u32,
) -> Result<Vec<AccountId>, StoreError> {
    let stores = &core.stores;
    let page = match walk {
        Walk::Deks => stores.deks.versions(user_type, after, limit).await,
        Walk::Registrations => stores.registrations.versions(user_type, after, limit).await,
        Walk::Accounts => stores.accounts.versions(user_type, after, limit).await,
    };
    Ok(page?.into_iter().map(|(id, _)| id).collect())
}
