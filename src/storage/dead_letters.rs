//! Dead letters: the messages that were given up, in whatever record holds them, for an operator to look at, send after
//! all, or remove.

use async_trait::async_trait;

use crate::{
    domain::{ids::AccountId, user_type::UserType},
    storage::{
        accounts::AccountRecord,
        documents::{Record, StoreError},
        outbox::Outbox,
        registrations::RegistrationRecord,
        requests::RequestRecord,
    },
};

/// A record that holds an outbox.
pub trait HoldsOutbox: Record {
    /// Its outbox.
    fn outbox(&self) -> &Outbox;
    /// The same, to be changed.
    fn outbox_mut(&mut self) -> &mut Outbox;
    /// Who is named in the queue beside the message.
    fn account_id(&self) -> Option<AccountId>;
}

impl HoldsOutbox for AccountRecord {
    fn outbox(&self) -> &Outbox {
        &self.outbox
    }
    fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outbox
    }
    fn account_id(&self) -> Option<AccountId> {
        Some(self.id.clone())
    }
}

impl HoldsOutbox for RegistrationRecord {
    fn outbox(&self) -> &Outbox {
        &self.outbox
    }
    fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outbox
    }
    fn account_id(&self) -> Option<AccountId> {
        Some(self.id.clone())
    }
}

impl HoldsOutbox for RequestRecord {
    fn outbox(&self) -> &Outbox {
        &self.outbox
    }
    fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outbox
    }
    fn account_id(&self) -> Option<AccountId> {
        None
    }
}

/// Part of every port whose records hold an outbox. The look-up MUST have an index: dead letters are few among many
/// records.
#[async_trait]
pub trait DeadLetters<R: HoldsOutbox>: Send + Sync + 'static {
    /// Records with a dead letter, in order of id from after `after`, at most `limit`.
    async fn with_dead(
        &self,
        user_type: &UserType,
        after: Option<&R::Id>,
        limit: u32,
    ) -> Result<Vec<R::Id>, StoreError>;
}
