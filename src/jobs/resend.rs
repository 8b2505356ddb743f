//! A request to send the confirmation again: found out here, where nobody waits for the answer, whether there is a
//! registration to write to. If there is, its newest gets the message; the link mailed before stops working.

use crate::{
    domain::{ids::MessageId, message::MessageKind},
    jobs::deliver::Deliverer,
    service::{Failure, vault::request_keys},
    storage::{
        Change, Ref, change,
        outbox::{MessageRef, OutboxEntry},
        registrations::RegistrationRecord,
        requests::RequestRecord,
    },
};

/// Handles it: message into the registration, then the request away. Repeated after a crash, the message is there.
pub async fn run(deliverer: &Deliverer, key: &Ref<MessageId>) -> Result<(), Failure> {
    let core = &deliverer.core;
    let now = core.clock.now();
    let taken = change(&*core.stores.requests, key, |request: &mut RequestRecord| match request
        .outbox
        .take(&request.id, now)
    {
        Some(entry) => Change::Store(Some((entry.kind, request.address.clone()))),
        None => Change::Leave(None),
    })
    .await?;
    let Some(Some((MessageKind::ResendConfirmation, address))) = taken.into_value() else {
        return Ok(());
    };

    let keyring = core.keyring.current();
    let email = request_keys(&keyring, key)?.open(&address)?;
    let candidates = crate::crypto::blind_index::BlindIndexer::new(&keyring, &key.user_type).find_email(&email)?;
    let waiting = core
        .stores
        .registrations
        .find_by_email(&key.user_type, &candidates, now)
        .await?;
    if let Some(newest) = waiting.first() {
        let registration = Ref::new(&key.user_type, newest.id.clone());
        change(
            &*core.stores.registrations,
            &registration,
            |registration: &mut RegistrationRecord| {
                registration
                    .outbox
                    .replace(&key.id, OutboxEntry::new(MessageKind::ConfirmAddress, now));
                Change::Store(())
            },
        )
        .await?;
        core.hand_over.offer(MessageRef {
            message_id: key.id.clone(),
            account_id: Some(registration.id),
            user_type: registration.user_type,
        });
    }
    core.stores.requests.delete(key).await?;
    Ok(())
}
