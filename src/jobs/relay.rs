//! Moves what is due from the outboxes to the queue. Compare-and-set on the due time: however many relays run, one
//! pushes.

use crate::{
    domain::{
        audit::{AuditEvent, Details, Outcome},
        clock::Timestamp,
        ids::{Id, MessageId},
        user_type::UserType,
    },
    jobs::queue::{Job, JobQueue},
    service::{Core, Failure, pass_over_damaged},
    storage::{Change, Changed, Documents, Ref, change, dead_letters::HoldsOutbox, outbox::MessageRef},
};

const BATCH: u32 = 100;

/// One round over every user type. Answers how many messages it handed over.
pub async fn relay(core: &Core, queue: &(impl JobQueue + ?Sized)) -> Result<usize, Failure> {
    let now = core.clock.now();
    let mut handed = 0;
    for user_type in core.user_types.keys() {
        let stores = &core.stores;
        let registrations = stores.registrations.due(user_type, now, BATCH).await?;
        handed += relay_each(core, &*stores.registrations, queue, user_type, registrations, now).await?;
        let accounts = stores.accounts.due(user_type, now, BATCH).await?;
        handed += relay_each(core, &*stores.accounts, queue, user_type, accounts, now).await?;
        let requests = stores.requests.due(user_type, now, BATCH).await?;
        handed += relay_each(core, &*stores.requests, queue, user_type, requests, now).await?;
    }
    Ok(handed)
}

/// Hands over one message that was just stored.
pub async fn hand_over(core: &Core, queue: &(impl JobQueue + ?Sized), message: &MessageRef) -> Result<usize, Failure> {
    let (now, user_type) = (core.clock.now(), &message.user_type);
    let Some(id) = &message.account_id else {
        let requests = vec![message.message_id.clone()];
        return relay_each(core, &*core.stores.requests, queue, user_type, requests, now).await;
    };
    // A registration's message while it waits, the account's after.
    let handed = relay_each(
        core,
        &*core.stores.registrations,
        queue,
        user_type,
        vec![id.clone()],
        now,
    )
    .await?;
    Ok(handed + relay_each(core, &*core.stores.accounts, queue, user_type, vec![id.clone()], now).await?)
}

async fn relay_each<R: HoldsOutbox>(
    core: &Core,
    port: &(impl Documents<R> + ?Sized),
    queue: &(impl JobQueue + ?Sized),
    user_type: &UserType,
    ids: Vec<R::Id>,
    now: Timestamp,
) -> Result<usize, Failure>
where
    R::Id: Id,
{
    let mut handed = 0;
    for id in ids {
        let changed = change(port, &Ref::new(user_type, id), |record: &mut R| {
            let buried = record.outbox_mut().bury_late(now);
            let outbox = record.outbox_mut();
            let messages: Vec<MessageId> = outbox.hand_over_due(now);
            let parent = |id: &MessageId| outbox.get(id).and_then(|entry| entry.traceparent);
            let messages: Vec<_> = messages.into_iter().map(|id| (parent(&id), id)).collect();
            let is_changed = !buried.is_empty() || !messages.is_empty();
            let found = (record.account_id(), messages, buried);
            if is_changed {
                Change::Store(found)
            } else {
                Change::Leave(found)
            }
        })
        .await;
        let changed = pass_over_damaged(changed.map_err(Failure::from))?;
        let Some((account_id, messages, buried)) = changed.and_then(Changed::into_value) else {
            continue;
        };
        for (message_id, kind) in buried {
            let details = Details::of_message(&message_id, kind).and_reason("too late");
            let (event, outcome) = (AuditEvent::MessageDead, Outcome::Refused);
            core.note_with(user_type, account_id.as_ref(), event, outcome, details)
                .await;
        }
        for (traceparent, message_id) in messages {
            let message = MessageRef {
                message_id: message_id.clone(),
                account_id: account_id.clone(),
                user_type: user_type.clone(),
            };
            if let Err(error) = queue.push(Job::deliver(message, traceparent)).await {
                // Its due time has moved on: the relay pushes it again within a minute.
                tracing::warn!(%error, message = %message_id, "a message was not handed over");
                continue;
            }
            handed += 1;
        }
    }
    Ok(handed)
}
