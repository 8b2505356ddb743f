//! How many texts went out: what the caps of a day and the alarm of conversion count, exactly and for all servers. In the
//! database and not beside it, because a cap that begins anew with an emptied Redis is none.
//!
//! A count is of one [`TextScope`] and made by its first text. Its rules are the methods of [`TextCountRecord`]:
//!
//! - *Cap*: `spent` texts of a day (UTC) at most; past it the breaker is open until the next day, or until an operator
//!   [lifts](TextCountRecord::lift) it, which grants the whole cap once more.
//! - *Conversion*: of the codes that were sent within an hour and had their time, how many came back. Too few of enough
//!   of them is an alarm, once until `paused_until`: what is texted for its price is never sent back.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{challenge::Purpose, clock::Timestamp, text_scope::TextScope},
    storage::{
        SCHEMA,
        documents::{StoreError, Verdict},
    },
};

/// Texts are counted in slots of so long: as long as a code lives, so that the codes of a slot have all had their time
/// when the slot after it is over.
const SLOT: Duration = Purpose::VerifyPhone.lifetime();
/// Slots that are judged together: an hour's.
const JUDGED: i64 = 12;
const DAY: Duration = Duration::from_hours(24);
/// The shortest pause.
const LEAST_PAUSE: Duration = Duration::from_hours(1);

/// When too few codes come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConversionAlarm {
    /// Fewer codes than these say nothing.
    pub volume: u32,
    /// The least share that has to come back, in percent; zero is never an alarm.
    pub percent: u32,
}

/// What a cap said of one more text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spend {
    /// It is counted and may go.
    Done,
    /// The breaker is open.
    Refused {
        /// When it closes by itself.
        until: Timestamp,
        /// Whether this text opened it.
        is_first: bool,
    },
}

/// Codes of a while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversion {
    /// That were sent.
    pub sent: u32,
    /// That came back.
    pub verified: u32,
}

/// The codes that were sent in one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Slot {
    at: i64,
    sent: u32,
    verified: u32,
}

/// The count of one scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextCountRecord {
    /// Of what.
    #[serde(rename = "_id")]
    pub id: TextScope,
    /// Shape of the record.
    pub schema: u16,
    /// Changes of the document.
    pub rev: u64,
    /// Its last change.
    pub updated_at: Timestamp,
    /// The day that is counted (Unix time / 86400).
    day: i64,
    /// Texts of that day.
    sent: u32,
    /// Those since the cap was lifted last.
    spent: u32,
    /// Whether it was told that the cap is reached.
    is_told: bool,
    /// Codes by slot, oldest first.
    slots: Vec<Slot>,
    /// Since an alarm: no further one, and where the scope pauses no text, before then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    paused_until: Option<Timestamp>,
    /// When it was lifted last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    lifted_at: Option<Timestamp>,
}

impl TextCountRecord {
    /// Of a scope that had no text yet.
    #[must_use]
    pub fn new(id: TextScope, now: Timestamp) -> Self {
        Self {
            id,
            schema: SCHEMA,
            rev: 0,
            updated_at: now,
            day: day_of(now),
            sent: 0,
            spent: 0,
            is_told: false,
            slots: Vec::new(),
            paused_until: None,
            lifted_at: None,
        }
    }

    /// Texts of the day of `now`.
    #[must_use]
    pub fn sent_on(&self, now: Timestamp) -> u32 {
        if self.day == day_of(now) { self.sent } else { 0 }
    }

    /// Those of them that the cap counts: since it was lifted last.
    #[must_use]
    pub fn spent_on(&self, now: Timestamp) -> u32 {
        if self.day == day_of(now) { self.spent } else { 0 }
    }

    /// When it was lifted last, where that was within `ago`.
    #[must_use]
    pub fn lifted_within(&self, ago: Duration, now: Timestamp) -> Option<Timestamp> {
        self.lifted_at.filter(|at| now < at.plus(ago))
    }

    /// Until when the breaker of `cap` is open.
    #[must_use]
    pub fn capped_until(&self, cap: u32, now: Timestamp) -> Option<Timestamp> {
        (self.day == day_of(now) && self.spent >= cap).then(|| next_day(now))
    }

    /// Until when the last alarm lasts.
    #[must_use]
    pub fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.paused_until.filter(|until| now < *until)
    }

    /// Codes of the last hour that had their time.
    #[must_use]
    pub fn conversion(&self, now: Timestamp) -> Conversion {
        let current = slot_of(now);
        let judged = (current - 1 - JUDGED)..(current - 1);
        let slots = self.slots.iter().filter(|slot| judged.contains(&slot.at));
        slots.fold(Conversion::default(), |sum, slot| Conversion {
            sent: sum.sent.saturating_add(slot.sent),
            verified: sum.verified.saturating_add(slot.verified),
        })
    }

    /// Counts one more text of the day, where `cap` has room.
    pub fn spend(&mut self, cap: u32, now: Timestamp) -> Spend {
        self.turn(now);
        if let Some(until) = self.capped_until(cap, now) {
            let is_first = !self.is_told;
            self.is_told = true;
            return Spend::Refused { until, is_first };
        }
        self.sent = self.sent.saturating_add(1);
        self.spent = self.spent.saturating_add(1);
        Spend::Done
    }

    /// Takes one back that was counted and did not go.
    pub fn give_back(&mut self, now: Timestamp) {
        self.turn(now);
        self.sent = self.sent.saturating_sub(1);
        self.spent = self.spent.saturating_sub(1);
    }

    /// Counts a code that goes out; answers what came back of those before it where that is an alarm.
    pub fn note_sent(&mut self, alarm: ConversionAlarm, now: Timestamp) -> Option<Conversion> {
        self.updated_at = now;
        let slot = slot_of(now);
        self.slots.retain(|kept| kept.at > slot - 2 - JUDGED);
        match self.slots.iter_mut().find(|kept| kept.at == slot) {
            Some(kept) => kept.sent = kept.sent.saturating_add(1),
            None => self.slots.push(Slot {
                at: slot,
                sent: 1,
                verified: 0,
            }),
        }
        let conversion = self.conversion(now);
        let is_low = conversion.sent >= alarm.volume.max(1)
            && u64::from(conversion.verified) * 100 < u64::from(conversion.sent) * u64::from(alarm.percent);
        if !is_low || self.paused_until(now).is_some() {
            return None;
        }
        self.paused_until = Some(next_day(now).max(now.plus(LEAST_PAUSE)));
        Some(conversion)
    }

    /// Counts a code that was sent at `sent_at` and came back.
    pub fn note_verified(&mut self, sent_at: Timestamp) -> Verdict {
        let slot = slot_of(sent_at);
        match self.slots.iter_mut().find(|kept| kept.at == slot) {
            Some(kept) if kept.verified < kept.sent => {
                kept.verified += 1;
                Verdict::Store
            }
            _ => Verdict::Leave,
        }
    }

    /// Closes whatever is open: the whole cap is there once more, and codes are judged from now on.
    pub fn lift(&mut self, now: Timestamp) {
        self.turn(now);
        self.spent = 0;
        self.is_told = false;
        self.slots.clear();
        self.paused_until = None;
        self.lifted_at = Some(now);
    }

    fn turn(&mut self, now: Timestamp) {
        self.updated_at = now;
        if self.day != day_of(now) {
            (self.day, self.sent, self.spent, self.is_told) = (day_of(now), 0, 0, false);
        }
    }
}

fn day_of(now: Timestamp) -> i64 {
    now.as_secs().div_euclid(86_400)
}

fn next_day(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(day_of(now) * 86_400_000).plus(DAY)
}

fn slot_of(now: Timestamp) -> i64 {
    now.as_secs().div_euclid(SLOT.as_secs().cast_signed())
}

/// The port. An adapter MUST guarantee what [`Documents`](crate::storage::Documents) promises of changes: durable, atomic,
/// current, bounded.
#[async_trait]
pub trait TextCounts: Send + Sync + 'static {
    /// Applies `decide` to the count of `scope`, or to a new one, and stores it, or leaves it, as it says.
    async fn update(
        &self,
        scope: &TextScope,
        now: Timestamp,
        decide: &mut (dyn for<'r> FnMut(&'r mut TextCountRecord) -> Verdict + Send),
    ) -> Result<(), StoreError>;
    /// Reads one count.
    async fn find(&self, scope: &TextScope) -> Result<Option<TextCountRecord>, StoreError>;
    /// All of them, in the order of their names.
    async fn list(&self) -> Result<Vec<TextCountRecord>, StoreError>;
    /// Removes those that were not changed since `before`.
    async fn remove(&self, before: Timestamp) -> Result<(), StoreError>;
}

/// [`TextCounts::update`] with an answer, which is stored.
pub async fn count<T: Send>(
    port: &dyn TextCounts,
    scope: &TextScope,
    now: Timestamp,
    mut decide: impl FnMut(&mut TextCountRecord) -> T + Send,
) -> Result<Option<T>, StoreError> {
    let mut answer = None;
    let mut store = |record: &mut TextCountRecord| {
        answer = Some(decide(record));
        Verdict::Store
    };
    port.update(scope, now, &mut store).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests;
