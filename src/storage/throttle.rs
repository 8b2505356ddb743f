//! Tries of a secret that somebody may be guessing: the port, and the rule behind it.
//!
//! A try is charged before the secret is compared, so that of any number of parallel guesses no more are compared than may
//! be. Some are free; each further one has to wait, twice as long every time. One that succeeds is taken back.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    domain::clock::Timestamp,
    storage::{documents::StoreError, limits::LimitKey},
};

/// How a secret may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Tries without a pause.
    pub free: u32,
    /// Before the next one.
    pub first_pause: Duration,
    /// No pause is longer.
    pub longest_pause: Duration,
    /// Tries are forgotten when none came for so long; longer than any pause.
    pub memory: Duration,
}

/// What is known of a secret's tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    /// So many.
    pub count: u32,
    /// The last one.
    pub last: Timestamp,
}

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charged {
    /// It may go on, and counts.
    Admitted,
    /// Too soon; nothing was counted.
    Refused {
        /// When one more may come.
        retry_after: Duration,
    },
}

impl Pace {
    /// The pause after `count` tries.
    #[must_use]
    pub fn pause(&self, count: u32) -> Duration {
        match count.checked_sub(self.free) {
            None => Duration::ZERO,
            Some(doublings) => self
                .first_pause
                .saturating_mul(1 << doublings.min(20))
                .min(self.longest_pause),
        }
    }

    /// The rule: the tries to store with this one, or how long it has to wait.
    pub fn charge(&self, stored: Option<Tries>, now: Timestamp) -> Result<Tries, Duration> {
        let counted = stored.filter(|tries| now < tries.last.plus(self.memory));
        let Some(tries) = counted else {
            return Ok(Tries { count: 1, last: now });
        };
        let allowed_at = tries.last.plus(self.pause(tries.count));
        if now < allowed_at {
            return Err(allowed_at.since(now));
        }
        Ok(Tries {
            count: tries.count.saturating_add(1),
            last: now,
        })
    }
}

/// The port. An adapter MUST count every try of every process that shares it, exactly: of N concurrent tries on a fresh
/// secret, `free` are admitted.
#[async_trait]
pub trait Throttle: Send + Sync + 'static {
    /// Charges a try to all of `keys`, each by its pace, or to none: where one refuses, the longest wait is answered.
    async fn charge(&self, keys: &[(LimitKey, Pace)], now: Timestamp) -> Result<Charged, StoreError>;
    /// A try succeeded: all of `forgotten`'s are forgotten, and one is taken back of each of `refunded`.
    async fn succeed(&self, forgotten: &[LimitKey], refunded: &[LimitKey]) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);
    const PACE: Pace = Pace {
        free: 3,
        first_pause: Duration::from_secs(1),
        longest_pause: Duration::from_secs(8),
        memory: Duration::from_mins(1),
    };

    #[test]
    fn past_the_free_ones_pauses_double_up_to_the_longest() {
        let (mut stored, mut now, mut waits) = (None, NOW, Vec::new());
        for _ in 0..9 {
            match PACE.charge(stored, now) {
                Ok(tries) => stored = Some(tries),
                Err(wait) => {
                    waits.push(wait.as_secs());
                    now = now.plus(wait);
                    stored = Some(PACE.charge(stored, now).expect("waited"));
                }
            }
        }
        assert_eq!(waits, [1, 2, 4, 8, 8, 8]);
    }

    #[test]
    fn tries_are_forgotten_after_a_while() {
        let many = Some(Tries { count: 99, last: NOW });
        let just_before = NOW.plus(PACE.memory).minus(Duration::from_millis(1));
        assert_eq!(PACE.charge(many, just_before).expect("waited").count, 100);
        assert_eq!(PACE.charge(many, NOW.plus(PACE.memory)).expect("forgotten").count, 1);
    }
}
