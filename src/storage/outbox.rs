//! Messages that a change causes, stored in the same document as the change, and gone from it only when a provider
//! has taken them. The queue between service and worker is a hand-over, never the truth: it may be lost or flushed.
//!
//! Life of an entry: made `pending` with `due` = now → handed over (`due` 50 s on) → taken by a worker (`lease`) →
//! removed after the provider accepted, or `due` = now + back-off after a failure, or `dead` once it is no longer
//! worth sending. Text messages stand as `sending` from before their first byte, and are `dead` when found so again.

mod dead;

pub use self::dead::Revived;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    crypto::{
        data_key::DataKeys,
        field::{OutboxAddress, OutboxLink},
        sealed::{CannotOpen, Sealed},
    },
    domain::{
        clock::Timestamp,
        ids::{AccountId, MessageId, SessionId},
        message::{DeliveryState, MessageKind, back_off},
        trace_context::TraceParent,
        user_type::UserType,
    },
};

/// How long after a hand-over the relay waits before it hands over again: what was lost on its way is then sent within a
/// minute, relay and queue included.
pub const HAND_OVER: Duration = Duration::from_secs(50);
/// How long a worker may hold an entry; longer than any provider's time-out.
pub const LEASE: Duration = Duration::from_secs(30);

/// One message to one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// What it is about.
    pub kind: MessageKind,
    /// Where to, if not to the record's own address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to: Option<Sealed<OutboxAddress>>,
    /// The link token that is being sent, from the first try on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub link: Option<Sealed<OutboxLink>>,
    /// The session that it tells of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<SessionId>,
    /// When the change was made.
    pub made_at: Timestamp,
    /// Not worth sending from then on.
    pub expires_at: Timestamp,
    /// When the relay looks at it next.
    pub due: Timestamp,
    /// Failures so far.
    pub attempt: u32,
    /// Where it stands.
    pub state: DeliveryState,
    /// Until when a worker holds it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lease: Option<Timestamp>,
    /// Why the last try failed, or why it is dead: a fixed phrase, for the operator.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The span whose work it is part of, where there is one; in clear, because it says nothing about anybody.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub traceparent: Option<TraceParent>,
}

impl OutboxEntry {
    /// A message made `now`, due at once.
    #[must_use]
    pub fn new(kind: MessageKind, now: Timestamp) -> Self {
        Self {
            kind,
            to: None,
            link: None,
            session: None,
            made_at: now,
            expires_at: now.plus(kind.useful_for()),
            due: now,
            attempt: 0,
            state: DeliveryState::Pending,
            lease: None,
            reason: None,
            traceparent: None,
        }
    }

    /// As part of the work of a span.
    #[must_use]
    pub fn in_trace(mut self, parent: Option<TraceParent>) -> Self {
        self.traceparent = parent;
        self
    }

    fn bury(&mut self, reason: &str) {
        self.state = DeliveryState::Dead;
        self.link = None;
        self.lease = None;
        self.reason = Some(reason.to_owned());
    }
}

/// Names a message and the record that holds it; what goes through the queue. Ids only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MessageRef {
    /// The message.
    pub message_id: MessageId,
    /// The registration or account that holds it; none where the message is a request of its own.
    pub account_id: Option<AccountId>,
    /// The population.
    pub user_type: UserType,
}

/// Takes messages over as soon as they are stored, so that they need not wait for the relay.
pub trait HandOver: Send + Sync + 'static {
    /// Never blocks and never fails: what can't be taken now, the relay finds.
    fn offer(&self, message: MessageRef);
}

/// The outbox of one record: entries by message id, and beside them, indexed, the earliest due time and whether one is
/// dead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbox {
    #[serde(rename = "outbox")]
    entries: BTreeMap<String, OutboxEntry>,
    #[serde(rename = "outbox_due")]
    due: Timestamp,
    #[serde(rename = "outbox_dead", default)]
    has_dead: bool,
}

/// A try that failed, and why: a fixed phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// Worth another try.
    ForNow(&'static str),
    /// Not worth another.
    ForGood(&'static str),
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            due: Timestamp::NEVER,
            has_dead: false,
        }
    }
}

impl Outbox {
    /// An outbox with one message.
    #[must_use]
    pub fn with(id: &MessageId, entry: OutboxEntry) -> Self {
        let mut outbox = Self::default();
        outbox.push(id, entry);
        outbox
    }

    /// Adds a message; one that is there already stays as it is, so that a repeated step adds nothing.
    pub fn push(&mut self, id: &MessageId, entry: OutboxEntry) {
        self.entries.entry(id.as_str().to_owned()).or_insert(entry);
        self.settle();
    }

    /// Adds a message in place of those of its kind that still wait: its link will replace theirs. One that is there
    /// already stays as it is.
    pub fn replace(&mut self, id: &MessageId, entry: OutboxEntry) {
        if !self.entries.contains_key(id.as_str()) {
            self.entries
                .retain(|_, older| older.kind != entry.kind || older.state == DeliveryState::Dead);
        }
        self.push(id, entry);
    }

    /// The earliest due time, or [`Timestamp::NEVER`].
    #[must_use]
    pub fn due(&self) -> Timestamp {
        self.due
    }

    /// A message.
    #[must_use]
    pub fn get(&self, id: &MessageId) -> Option<&OutboxEntry> {
        self.entries.get(id.as_str())
    }

    /// All messages.
    pub fn entries(&self) -> impl Iterator<Item = &OutboxEntry> {
        self.entries.values()
    }

    /// Ids of all messages.
    pub fn ids(&self) -> impl Iterator<Item = MessageId> {
        self.entries.keys().filter_map(|id| id.parse().ok())
    }

    /// Moves every message that is due to 50 s on and names it: the caller that stored this pushes them.
    pub fn hand_over_due(&mut self, now: Timestamp) -> Vec<MessageId> {
        let mut handed = Vec::new();
        for (id, entry) in &mut self.entries {
            if entry.state != DeliveryState::Dead && entry.due <= now {
                entry.due = now.plus(HAND_OVER);
                handed.extend(id.parse::<MessageId>());
            }
        }
        self.settle();
        handed
    }

    /// A worker takes a message; `None` when it is gone, dead, not worth sending, or held by another worker.
    pub fn take(&mut self, id: &MessageId, now: Timestamp) -> Option<OutboxEntry> {
        let entry = self.entries.get_mut(id.as_str())?;
        let is_held = entry.lease.is_some_and(|until| now < until);
        if entry.state != DeliveryState::Pending || is_held || now >= entry.expires_at {
            return None;
        }
        entry.lease = Some(now.plus(LEASE));
        Some(entry.clone())
    }

    /// Remembers the link that is being sent; only the worker that holds the message does so.
    pub fn stage_link(&mut self, id: &MessageId, link: Sealed<OutboxLink>) -> bool {
        self.entries.get_mut(id.as_str()).is_some_and(|entry| {
            entry.link = Some(link);
            true
        })
    }

    /// Seals anew what another key than the sealing one has sealed; whether there was anything.
    pub fn renew(&mut self, keys: &DataKeys) -> Result<bool, CannotOpen> {
        let mut is_renewed = false;
        for entry in self.entries.values_mut() {
            is_renewed |= keys.renew_any(&mut entry.to)?;
            is_renewed |= keys.renew_any(&mut entry.link)?;
        }
        Ok(is_renewed)
    }

    /// Notes that the first byte of a text message may be leaving: from here on it is never sent again.
    pub fn begin_sending(&mut self, id: &MessageId) -> bool {
        self.entries.get_mut(id.as_str()).is_some_and(|entry| {
            entry.state = DeliveryState::Sending;
            true
        })
    }

    /// Removes a message: the provider has it, or it has become pointless.
    pub fn complete(&mut self, id: &MessageId) -> bool {
        let removed = self.entries.remove(id.as_str()).is_some();
        self.settle();
        removed
    }

    /// Puts a message back after a failure; past its useful life, or for good, it is dead. Tells which.
    pub fn fail(&mut self, id: &MessageId, now: Timestamp, jitter: u8, failure: Failed) -> Option<DeliveryState> {
        let (Failed::ForNow(reason) | Failed::ForGood(reason)) = failure;
        let entry = self.entries.get_mut(id.as_str())?;
        entry.attempt = entry.attempt.saturating_add(1);
        entry.lease = None;
        entry.due = now.plus(back_off(entry.attempt, jitter));
        entry.state = DeliveryState::Pending;
        entry.reason = Some(reason.to_owned());
        if matches!(failure, Failed::ForGood(_)) || entry.due >= entry.expires_at {
            entry.bury(reason);
        }
        let state = entry.state;
        self.settle();
        Some(state)
    }

    fn settle(&mut self) {
        self.due = self
            .entries
            .values()
            .filter(|entry| entry.state != DeliveryState::Dead)
            .map(|entry| entry.due)
            .min()
            .unwrap_or(Timestamp::NEVER);
        self.has_dead = self.entries.values().any(|entry| entry.state == DeliveryState::Dead);
    }
}

#[cfg(test)]
mod tests;
