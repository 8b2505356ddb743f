//! How often somebody may do something: the port, and the rule behind it.
//!
//! The rule is GCRA (ITU-T I.371): `burst` at once, then one every `period / burst`. A key holds one time, the
//! theoretical arrival of the next, and nothing of whom it is about.

use std::time::Duration;

use async_trait::async_trait;

pub use crate::domain::limits::Quota;
use crate::{domain::clock::Timestamp, storage::documents::StoreError};

/// Names a bucket: a keyed digest of route, user type and subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LimitKey(pub [u8; 32]);

/// What one attempt found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// It may go on.
    Allowed {
        /// How many more may follow at once.
        remaining: u32,
        /// Until the bucket is full again.
        reset_after: Duration,
    },
    /// Too many; nothing was spent.
    Refused {
        /// When one more may come.
        retry_after: Duration,
    },
}

/// The port. An adapter MUST count every attempt of every process that shares it, exactly: of N concurrent attempts on a
/// full bucket of `burst`, `burst` are allowed.
#[async_trait]
pub trait Limits: Send + Sync + 'static {
    /// Spends one from the bucket, if there is one.
    async fn spend(&self, key: LimitKey, quota: Quota, now: Timestamp) -> Result<Spent, StoreError>;
}

/// The rule: from the stored arrival time to the verdict and the time to store.
#[must_use]
pub fn gcra(stored: Option<Timestamp>, quota: Quota, now: Timestamp) -> (Spent, Timestamp) {
    let interval = quota.period / quota.burst.max(1);
    // No bucket is emptier than empty: what was stored under a tighter limit does not outlast it.
    let held = stored.map_or(now, |stored| stored.max(now));
    let arrival = held.min(now.plus(interval * quota.burst));
    let next = arrival.plus(interval);
    let allowed_at = next.minus(interval * quota.burst);
    if allowed_at > now {
        return (
            Spent::Refused {
                retry_after: allowed_at.since(now),
            },
            held,
        );
    }
    let room = now.since(allowed_at).as_millis() / interval.as_millis().max(1);
    let remaining = u32::try_from(room).unwrap_or(u32::MAX);
    (
        Spent::Allowed {
            remaining,
            reset_after: next.since(now),
        },
        next,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);
    const FIVE_A_MINUTE: Quota = Quota {
        burst: 5,
        period: Duration::from_mins(1),
    };

    #[test]
    fn a_full_bucket_lets_its_burst_through_and_refills_one_by_one() {
        let mut stored = None;
        let mut spend = |now| {
            let (spent, next) = gcra(stored, FIVE_A_MINUTE, now);
            stored = Some(next);
            spent
        };
        let remaining: Vec<Spent> = (0..6).map(|_| spend(NOW)).collect();
        let left = |spent: &Spent| match spent {
            Spent::Allowed { remaining, .. } => Some(*remaining),
            Spent::Refused { .. } => None,
        };
        assert_eq!(
            remaining.iter().map(left).collect::<Vec<_>>(),
            [Some(4), Some(3), Some(2), Some(1), Some(0), None]
        );
        assert_eq!(
            remaining[5],
            Spent::Refused {
                retry_after: Duration::from_secs(12)
            }
        );
        assert!(matches!(
            spend(NOW.plus(Duration::from_millis(11_999))),
            Spent::Refused { .. }
        ));
        assert!(matches!(
            spend(NOW.plus(Duration::from_secs(12))),
            Spent::Allowed { remaining: 0, .. }
        ));
        assert!(matches!(
            spend(NOW.plus(Duration::from_hours(1))),
            Spent::Allowed { remaining: 4, .. }
        ));
    }

    #[test]
    fn what_was_spent_under_a_tighter_limit_does_not_outlast_it() {
        let once_a_day = Quota {
            burst: 1,
            period: Duration::from_hours(24),
        };
        let (_, stored) = gcra(None, once_a_day, NOW);
        let (spent, _) = gcra(Some(stored), FIVE_A_MINUTE, NOW);
        let retry_after = Duration::from_secs(12);
        assert_eq!(spent, Spent::Refused { retry_after });
    }
}
