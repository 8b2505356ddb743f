//! Asks, for any address, that the confirmation be sent again. Looks nothing up: one insert, one answer. The worker
//! finds out whether there is a registration to write to.

use crate::{
    domain::{email::Email, ids::MessageId, message::MessageKind, user_type::UserType},
    service::{core::Core, failure::Failure, vault::request_keys},
    storage::{
        Ref, SCHEMA,
        outbox::{MessageRef, Outbox, OutboxEntry},
        requests::RequestRecord,
    },
};

/// Stores the request.
pub async fn resend_confirmation(core: &Core, user_type: &UserType, email: &Email) -> Result<(), Failure> {
    let now = core.clock.now();
    let key = Ref::new(user_type, MessageId::make(now, &*core.entropy));
    let entry = OutboxEntry::new(MessageKind::ResendConfirmation, now);
    let request = RequestRecord {
        id: key.id.clone(),
        user_type: user_type.clone(),
        schema: SCHEMA,
        rev: 0,
        address: request_keys(&core.keyring.current(), &key)?.seal(email),
        expires_at: entry.expires_at,
        outbox: Outbox::with(&key.id, entry),
    };
    core.stores.requests.insert(&request).await?;
    core.hand_over.offer(MessageRef {
        message_id: key.id,
        account_id: None,
        user_type: key.user_type,
    });
    Ok(())
}
