//! What a worker does by the clock: relay, sign of life, sweep, vacuum. However many workers run, doing it twice does
//! no harm: the relay compares and sets, sweeps repeat.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{
    domain::{ids::WorkerId, share::Share},
    jobs::{deliver::Deliverer, queue::JobQueue, relay::relay, sms::Sms},
    service::{
        Failure, email_filter, key_ages,
        rotation::{
            self,
            jobs::{self, Round},
            progress,
        },
        sweep::sweep,
        token_keys::{self, Versions},
    },
    storage::{
        SCHEMA,
        heartbeats::{HeartbeatRecord, ServiceHealth},
    },
};

/// Runs `work` every `period`, at once the first time, until `stop`.
pub async fn every<F: Future<Output = ()>>(period: Duration, stop: CancellationToken, mut work: impl FnMut() -> F) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => work().await,
            () = stop.cancelled() => return,
        }
    }
}

/// Whether this worker does `job` in this period: one of all that run does. Nobody knows while the leases are away: then
/// each does it.
pub async fn is_ours(deliverer: &Deliverer, job: &'static str, period: Duration) -> bool {
    // A little less than the period: the next tick must not meet this one's lease.
    match deliverer.core.leases.take(job, period.mul_f32(0.8)).await {
        Ok(is_ours) => is_ours,
        Err(error) => {
            tracing::debug!(%error, job, "done without a lease");
            true
        }
    }
}

/// One round of the relay.
pub async fn relay_round(deliverer: &Deliverer, queue: &(impl JobQueue + ?Sized)) {
    if let Err(error) = relay(&deliverer.core, queue).await {
        tracing::warn!(%error, "the relay could not look at every outbox");
    }
}

/// One look at the e-mail filter: rebuilt where it is full, old, or may lack something.
pub async fn filter_round(deliverer: &Deliverer) {
    if let Err(error) = email_filter::maintain(&deliverer.core).await {
        tracing::warn!(%error, "the e-mail filter was not looked at; addresses are looked up instead");
    }
}

/// The steps of keys that are due.
pub async fn keys_round(deliverer: &Deliverer) {
    let core = &deliverer.core;
    let steps = match token_keys::advance(core).await {
        Ok(steps) => steps,
        Err(error) => {
            tracing::warn!(%error, "the keys of tokens were not looked at; those that are there serve on");
            return;
        }
    };
    for step in &steps {
        tracing::info!(
            version = step.version,
            state = step.to.as_str(),
            "a key of tokens has moved on"
        );
    }
    let moved = match rotation::advance(core).await {
        Ok(moved) => moved,
        Err(error) => {
            tracing::warn!(%error, "the keys of data were not looked at; those that are there serve on");
            Vec::new()
        }
    };
    for (key_use, step) in &moved {
        tracing::info!(
            key = key_use.name(),
            version = step.version,
            state = step.to.as_str(),
            "a key has moved on"
        );
    }
    if !(steps.is_empty() && moved.is_empty())
        && let Err(error) = core.keys.reread(core).await
    {
        tracing::warn!(%error, "the keys could not be read again; the known ones serve on");
    }
}

/// One look at what new versions of keys make to be done; each job is taken by one worker.
pub async fn key_jobs_round(deliverer: &Deliverer, worker: &WorkerId, share: Share, stop: &CancellationToken) {
    let core = &deliverer.core;
    let is_over = || stop.is_cancelled();
    let round = Round {
        worker,
        share,
        is_over: &is_over,
    };
    // Read once: a round is due every few seconds, and most have nothing to do.
    let versions = match Versions::read(core).await {
        Ok(versions) => versions,
        Err(error) => {
            tracing::warn!(%error, "the jobs of keys were not looked at; they wait for the next round");
            return;
        }
    };
    if let Err(error) = jobs::round(core, &versions, &round).await {
        tracing::warn!(%error, "the jobs of keys were cut short; they go on where they are");
    }
    match progress::progress_of(core, &versions).await {
        Ok(progress) => progress::measure(&progress),
        Err(error) => tracing::debug!(%error, "how far the jobs of keys are is not known"),
    }
}

/// The ages of keys, measured. By every worker: what one of them measured once would be there for as long as it lives.
pub async fn ages_round(deliverer: &Deliverer, period: Duration) {
    if let Err(error) = key_ages::measure(&deliverer.core, period).await {
        tracing::warn!(%error, "the ages of keys were not measured");
    }
}

/// One sign of life.
pub async fn beat(deliverer: &Deliverer, worker: &WorkerId) {
    let record = HeartbeatRecord {
        id: worker.clone(),
        schema: SCHEMA,
        at: deliverer.core.clock.now(),
        email: deliverer.mail_health.verdict(),
        sms: match &deliverer.sms {
            Sms::Off => ServiceHealth::Disabled,
            Sms::Directory(_) | Sms::Twilio(_) => deliverer.sms_health.verdict(),
        },
    };
    if let Err(error) = deliverer.core.stores.heartbeats.beat(&record).await {
        tracing::warn!(%error, "the worker could not say that it lives");
    }
}

/// One sweep of every user type, and of workers that are long gone.
pub async fn sweep_round(deliverer: &Arc<Deliverer>) {
    const FORGOTTEN: Duration = Duration::from_hours(1);
    let core = &deliverer.core;
    for user_type in core.user_types.keys() {
        match sweep(core, user_type).await {
            Ok(swept) => tracing::debug!(%user_type, ?swept, "swept"),
            Err(error) => tracing::warn!(%error, %user_type, "the sweep was cut short"),
        }
    }
    let before = core.clock.now().minus(FORGOTTEN);
    if let Err(error) = core.stores.heartbeats.remove(None, before).await.map_err(Failure::from) {
        tracing::warn!(%error, "old workers were not forgotten");
    }
}
