//! Messages that are given up, and what an operator does with them.

use crate::{
    domain::{
        clock::Timestamp,
        ids::MessageId,
        message::{DeliveryState, MessageKind},
    },
    storage::outbox::{Outbox, OutboxEntry},
};

/// What came of an operator's wish to have a dead message sent after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revived {
    /// Due at once, as if it were new.
    Due,
    /// Its link or code is over, or about to be: it would lead nowhere.
    TooLate,
    /// It is not dead, or not there.
    NotDead,
}

impl Outbox {
    /// Whether a message is dead.
    #[must_use]
    pub fn has_dead(&self) -> bool {
        self.has_dead
    }

    /// The dead messages.
    pub fn dead(&self) -> impl Iterator<Item = (MessageId, &OutboxEntry)> {
        let dead = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.state == DeliveryState::Dead);
        dead.filter_map(|(id, entry)| Some((id.parse().ok()?, entry)))
    }

    /// Makes a dead message due at once. One that carries neither link nor code gets its whole useful life again; a link
    /// or code keeps its own end.
    pub fn revive(&mut self, id: &MessageId, now: Timestamp) -> Revived {
        let dead = self.entries.get_mut(id.as_str());
        let Some(entry) = dead.filter(|entry| entry.state == DeliveryState::Dead) else {
            return Revived::NotDead;
        };
        if !entry.kind.is_of_use_until_sent() && now >= entry.expires_at {
            return Revived::TooLate;
        }
        let renewed = if entry.kind.is_of_use_until_sent() {
            now.plus(entry.kind.useful_for())
        } else {
            entry.expires_at
        };
        *entry = OutboxEntry {
            due: now,
            expires_at: renewed,
            attempt: 0,
            state: DeliveryState::Pending,
            link: None,
            lease: None,
            reason: None,
            ..entry.clone()
        };
        self.settle();
        Revived::Due
    }

    /// Removes a dead message; `false` when it is not dead or not there.
    pub fn drop_dead(&mut self, id: &MessageId) -> bool {
        let is_dead = self.get(id).is_some_and(|entry| entry.state == DeliveryState::Dead);
        is_dead && self.complete(id)
    }

    /// Buries what can't be sent in time any more and nobody is sending; answers which. Nobody else would: a worker
    /// leaves what is past its time alone.
    pub fn bury_late(&mut self, now: Timestamp) -> Vec<(MessageId, MessageKind)> {
        let is_late = |entry: &OutboxEntry| {
            let is_held = entry.lease.is_some_and(|until| now < until);
            entry.state == DeliveryState::Pending && now >= entry.expires_at && !is_held
        };
        let mut buried = Vec::new();
        for (id, entry) in self.entries.iter_mut().filter(|(_, entry)| is_late(entry)) {
            let reason = entry.reason.take();
            entry.bury(reason.as_deref().unwrap_or("its time was over before it could be sent"));
            buried.extend(id.parse().ok().map(|id| (id, entry.kind)));
        }
        self.settle();
        buried
    }

    /// Buries a text message that was found as `sending` after its worker's lease: whether it left, nobody knows.
    pub fn bury_interrupted(&mut self, id: &MessageId, now: Timestamp) -> bool {
        let interrupted = self
            .entries
            .get_mut(id.as_str())
            .filter(|entry| entry.state == DeliveryState::Sending && entry.lease.is_none_or(|until| now >= until));
        let found = interrupted.is_some();
        if let Some(entry) = interrupted {
            entry.bury("its worker stopped while sending: whether it left, nobody knows");
        }
        self.settle();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::message::MessageKind,
        storage::outbox::{Failed, LEASE},
    };

    const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);

    fn id(n: u8) -> MessageId {
        format!("msg_{n:026}").parse().expect("valid")
    }

    fn outbox() -> Outbox {
        Outbox::with(&id(1), OutboxEntry::new(MessageKind::Welcome, NOW))
    }

    #[test]
    fn a_message_past_its_time_is_buried_and_not_handed_over_for_ever() {
        let mut outbox = outbox();
        let end = NOW.plus(MessageKind::Welcome.useful_for());
        assert_eq!(outbox.bury_late(Timestamp::from_millis(end.as_millis() - 1)), []);
        outbox.take(&id(1), Timestamp::from_millis(end.as_millis() - 1));
        assert_eq!(outbox.bury_late(end), [], "a worker has it");
        assert_eq!(outbox.bury_late(end.plus(LEASE)).len(), 1);
        assert_eq!(outbox.due(), Timestamp::NEVER);
        assert!(outbox.has_dead());
        let reasons: Vec<_> = outbox.dead().map(|(_, entry)| entry.reason.clone()).collect();
        assert_eq!(reasons, [Some("its time was over before it could be sent".to_owned())]);
    }

    #[test]
    fn a_dead_letter_is_revived_unless_its_link_is_over() {
        for (kind, is_late_of_use) in [(MessageKind::Welcome, true), (MessageKind::ResetPassword, false)] {
            let mut outbox = Outbox::with(&id(1), OutboxEntry::new(kind, NOW));
            assert_eq!(outbox.revive(&id(1), NOW), Revived::NotDead, "it lives");
            outbox.fail(&id(1), NOW, 0, Failed::ForGood("refused"));
            assert!(outbox.has_dead());
            let soon = Timestamp::from_millis(NOW.as_millis() + 1);
            assert_eq!(outbox.clone().revive(&id(1), soon), Revived::Due);
            let late = NOW.plus(kind.useful_for());
            let expected = if is_late_of_use { Revived::Due } else { Revived::TooLate };
            assert_eq!(outbox.revive(&id(1), late), expected, "{kind:?}");
            assert_eq!(outbox.has_dead(), !is_late_of_use);
            assert_eq!(outbox.take(&id(1), late).is_some(), is_late_of_use, "{kind:?}");
        }
    }

    #[test]
    fn only_a_dead_letter_is_dropped() {
        let mut outbox = outbox();
        assert!(!outbox.drop_dead(&id(1)));
        outbox.fail(&id(1), NOW, 0, Failed::ForGood("refused"));
        assert!(outbox.drop_dead(&id(1)));
        assert_eq!(outbox, Outbox::default());
    }
}
