//! Where jobs run, and how often.

use std::{ops::RangeInclusive, time::Duration};

use crate::{config::source::Reader, domain::share::Share};

const DAY: Duration = Duration::from_hours(24);
/// A key may be as old as that, in days.
const DAYS: RangeInclusive<u32> = 1..=3650;
const MEND: &str = "Write a number of days from 1 to 3650";

/// Settings of jobs.
#[derive(Clone, Copy, Debug)]
pub struct WorkerConfig {
    /// Whether the server runs them itself.
    pub is_inside: bool,
    /// How often the relay looks for what is due.
    pub relay_period: Duration,
    /// How often the queue is asked for work.
    pub poll_period: Duration,
    /// How often a worker says that it lives.
    pub heartbeat_period: Duration,
    /// How often leftovers are swept, finished jobs among them.
    pub sweep_period: Duration,
    /// How often the e-mail filter is looked at.
    pub filter_period: Duration,
    /// How often it is seen whether a key has to move on.
    pub keys_period: Duration,
    /// How often it is seen whether a key makes work.
    pub key_jobs_period: Duration,
    /// How much of a worker's time that work has.
    pub key_jobs_share: Share,
    /// For how long finished jobs are kept in Redis: long enough to be looked at.
    pub keep_finished: Duration,
    /// How often the audit is looked at for what no checkpoint names.
    pub checkpoint_period: Duration,
    /// How often its collector has what it has not had yet.
    pub collector_period: Duration,
    /// How old a key may be before an operator is warned.
    pub key_period: Duration,
    /// How long the audit is kept.
    pub audit_retention: Duration,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            is_inside: true,
            relay_period: Duration::from_secs(1),
            poll_period: Duration::from_millis(250),
            heartbeat_period: Duration::from_secs(10),
            sweep_period: Duration::from_mins(1),
            filter_period: Duration::from_secs(5),
            keys_period: Duration::from_secs(10),
            key_jobs_period: Duration::from_secs(5),
            key_jobs_share: Share::default(),
            keep_finished: Duration::from_mins(10),
            checkpoint_period: Duration::from_secs(10),
            collector_period: Duration::from_secs(5),
            key_period: DAY * 90,
            audit_retention: Duration::from_hours(24 * 365),
        }
    }
}

impl WorkerConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>) -> Self {
        let is_inside = match reader.text("WORKER").map(str::trim) {
            None | Some("inside") => true,
            Some("off") => false,
            Some(_) => {
                let mend = "Write `inside`, or `off` when sealgate-worker runs beside the server";
                reader.report("WORKER", "is neither inside nor off", mend);
                true
            }
        };
        let days = reader.parse("KEY_PERIOD_DAYS", 90, MEND);
        if !DAYS.contains(&days) {
            reader.report("KEY_PERIOD_DAYS", "is not between 1 and 3650", MEND);
        }
        Self {
            is_inside,
            key_jobs_share: read_share(reader),
            key_period: DAY * days,
            ..Self::default()
        }
    }
}

fn read_share(reader: &mut Reader<'_>) -> Share {
    let Some(text) = reader.text("KEY_JOBS_SHARE") else {
        return Share::default();
    };
    text.trim().parse().ok().and_then(Share::new).unwrap_or_else(|| {
        let mend = "Write a number from 1 to 100: percent of a worker's time";
        reader.report("KEY_JOBS_SHARE", "is no share of a worker's time", mend);
        Share::default()
    })
}
