//! What is asked about any address, known or not: stored, answered, and looked into by the worker alone.

use crate::{
    crypto::data_key::DataKeys,
    domain::{challenge::TRIES, email::Email, ids::MessageId, message::MessageKind, user_type::UserType},
    service::{core::Core, failure::Failure, vault::request_keys},
    storage::{
        Ref, SCHEMA,
        outbox::{MessageRef, Outbox, OutboxEntry},
        requests::RequestRecord,
    },
    traces,
};

/// Stores the request: one insert and one hand-over, whatever the address, and whether or not the worker is to drop it.
pub(in crate::service) async fn ask(
    core: &Core,
    user_type: &UserType,
    email: &Email,
    kind: MessageKind,
    is_dropped: bool,
) -> Result<Asked, Failure> {
    let now = core.clock.now();
    let key = Ref::new(user_type, MessageId::make(now, &*core.entropy));
    let entry = OutboxEntry::new(kind, now).in_trace(traces::current());
    let keys = request_keys(&core.keyring.current(), &key)?;
    let request = RequestRecord {
        id: key.id.clone(),
        user_type: user_type.clone(),
        schema: SCHEMA,
        rev: 0,
        address: keys.seal(email),
        is_dropped,
        tries: (kind == MessageKind::EmailSignInAsked).then_some(TRIES),
        expires_at: entry.expires_at,
        outbox: Outbox::with(&key.id, entry),
    };
    core.stores.requests.insert(&request).await?;
    core.hand_over.offer(MessageRef {
        message_id: key.id.clone(),
        account_id: None,
        user_type: key.user_type,
    });
    Ok(Asked { id: key.id, keys })
}

/// A request that was stored.
#[derive(Debug)]
pub(in crate::service) struct Asked {
    /// Its name.
    pub id: MessageId,
    /// What seals for it.
    pub keys: DataKeys,
}
