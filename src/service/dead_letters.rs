//! What an operator does with messages that were given up: looks at them, has them sent after all, or removes them.
//!
//! Works on the stores alone, beside servers and workers: each change is conditional on the message being dead still.
//! However many there are, no more than a page of ids and one record are held at a time.

use crate::{
    crypto::system_entropy::SystemEntropy,
    domain::{
        audit::{AuditEvent, Details, Outcome},
        clock::Timestamp,
        ids::{AccountId, Id, MessageId},
        message::MessageKind,
        user_type::UserType,
    },
    service::{
        audit::Happened,
        failure::{Failure, pass_over_damaged},
    },
    storage::{
        Change, Documents, Ref, Stores, change,
        dead_letters::{DeadLetters, HoldsOutbox},
        outbox::{OutboxEntry, Revived},
    },
};

const PAGE: u32 = 200;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing.
    Look,
    /// Make them due at once.
    Retry,
    /// Remove them.
    Drop,
}

/// What was done with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing.
    Seen,
    /// It is due at once.
    Due,
    /// Nothing: its link or code is over.
    TooLate,
    /// It is gone.
    Dropped,
}

/// One dead message. Nothing in it is personal.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The message.
    pub id: MessageId,
    /// What it is about.
    pub kind: MessageKind,
    /// The population.
    pub user_type: UserType,
    /// The account or registration that holds it; none where it is a request about an address.
    pub account_id: Option<AccountId>,
    /// When what it tells of happened.
    pub made_at: Timestamp,
    /// When its useful life ends.
    pub expires_at: Timestamp,
    /// Failures.
    pub attempts: u32,
    /// Why it was given up.
    pub reason: Option<String>,
}

impl DeadLetter {
    fn of(record: &impl HoldsOutbox, user_type: &UserType, id: MessageId, entry: &OutboxEntry) -> Self {
        Self {
            id,
            kind: entry.kind,
            user_type: user_type.clone(),
            account_id: record.account_id(),
            made_at: entry.made_at,
            expires_at: entry.expires_at,
            attempts: entry.attempt,
            reason: entry.reason.clone(),
        }
    }
}

/// Told of each message, and of what was done with it.
pub type Tell<'t> = dyn FnMut(DeadLetter, Done) -> std::io::Result<()> + Send + 't;

/// Why it ended early.
#[derive(Debug, thiserror::Error)]
pub enum DeadLettersError {
    /// Who is told does not listen any more.
    #[error("what was found can't be written: {0}")]
    Told(#[from] std::io::Error),
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Does as wished with every dead message, or with the one that is named.
pub async fn with_each(
    stores: &Stores,
    user_types: &[UserType],
    wish: Wish,
    only: Option<&MessageId>,
    now: Timestamp,
    tell: &mut Tell<'_>,
) -> Result<(), DeadLettersError> {
    for user_type in user_types {
        let mut walk = Walk {
            stores,
            user_type,
            wish,
            only,
            now,
            tell: &mut *tell,
        };
        walk.over(&*stores.registrations).await?;
        walk.over(&*stores.accounts).await?;
        walk.over(&*stores.requests).await?;
    }
    Ok(())
}

struct Walk<'w, 't> {
    stores: &'w Stores,
    user_type: &'w UserType,
    wish: Wish,
    only: Option<&'w MessageId>,
    now: Timestamp,
    tell: &'w mut Tell<'t>,
}

impl Walk<'_, '_> {
    async fn over<R: HoldsOutbox>(
        &mut self,
        port: &(impl Documents<R> + DeadLetters<R> + ?Sized),
    ) -> Result<(), DeadLettersError>
    where
        R::Id: Id,
    {
        let mut after: Option<R::Id> = None;
        loop {
            let page = port.with_dead(self.user_type, after.as_ref(), PAGE).await;
            let page = page.map_err(Failure::from)?;
            let Some(last) = page.last().cloned() else {
                return Ok(());
            };
            for id in page {
                let done = self.record(port, Ref::new(self.user_type, id)).await;
                for (letter, done) in pass_over_damaged(done)?.unwrap_or_default() {
                    self.note(&letter, done).await?;
                    (self.tell)(letter, done)?;
                }
            }
            after = Some(last);
        }
    }

    /// What an operator does is noted as what anybody does.
    async fn note(&self, letter: &DeadLetter, done: Done) -> Result<(), Failure> {
        let event = match done {
            Done::Due => AuditEvent::MessageRetried,
            Done::Dropped => AuditEvent::MessageDropped,
            Done::Seen | Done::TooLate => return Ok(()),
        };
        let happened = Happened {
            event,
            outcome: Outcome::Success,
            user_type: Some(letter.user_type.clone()),
            account_id: letter.account_id.clone(),
            details: Details::of_message(&letter.id, letter.kind),
        };
        let entry = happened.entry(self.now, &SystemEntropy);
        self.stores.audit.append(&entry).await?;
        Ok(())
    }

    async fn record<R: HoldsOutbox>(
        &self,
        port: &(impl Documents<R> + ?Sized),
        key: Ref<R::Id>,
    ) -> Result<Vec<(DeadLetter, Done)>, Failure> {
        let (wish, only, now) = (self.wish, self.only, self.now);
        let changed = change(port, &key, |record: &mut R| {
            let letters: Vec<DeadLetter> = record
                .outbox()
                .dead()
                .filter(|(id, _)| only.is_none_or(|only| only == id))
                .map(|(id, entry)| DeadLetter::of(record, &key.user_type, id, entry))
                .collect();
            let outbox = record.outbox_mut();
            let done: Vec<(DeadLetter, Done)> = letters
                .into_iter()
                .map(|letter| {
                    let done = match wish {
                        Wish::Look => Done::Seen,
                        Wish::Retry => match outbox.revive(&letter.id, now) {
                            Revived::Due => Done::Due,
                            Revived::TooLate | Revived::NotDead => Done::TooLate,
                        },
                        Wish::Drop => {
                            outbox.drop_dead(&letter.id);
                            Done::Dropped
                        }
                    };
                    (letter, done)
                })
                .collect();
            let is_changed = done.iter().any(|(_, done)| matches!(done, Done::Due | Done::Dropped));
            let is_over = record.account_id().is_none() && wish == Wish::Drop && is_changed;
            if is_changed {
                Change::Store((done, is_over))
            } else {
                Change::Leave((done, false))
            }
        })
        .await?;
        let (done, is_over) = changed.into_value().unwrap_or_default();
        if is_over {
            // A request is nothing but its message.
            port.delete(&key).await?;
        }
        Ok(done)
    }
}
