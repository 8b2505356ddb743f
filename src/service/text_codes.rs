//! What codes by text have in common: whether one may go now, the write that has the worker send it, and its return.

use crate::{
    domain::{
        audit::AuditEvent,
        challenge::{Challenge, CodeFor, Purpose},
        clock::Timestamp,
        ids::{AccountId, ChallengeId},
        message::MessageKind,
        phone::Phone,
    },
    service::{
        accounts::{hand_over, message, open_keys},
        core::Core,
        failure::Failure,
        phone_codes::SendCodeError,
        text_guard::{is_served, note_verified},
    },
    storage::{Change, Ref, accounts::AccountRecord, change},
};

/// A code that is to be sent.
pub(in crate::service) struct TextCode {
    /// What it proves.
    pub purpose: Purpose,
    /// The text that carries it.
    pub kind: MessageKind,
    /// What is noted.
    pub event: AuditEvent,
    /// What alone it is good for, if that is not all of its purpose.
    pub good_for: Option<CodeFor>,
}

/// Whether one may go to `phone` now, as far as number and account have a say.
pub(in crate::service) fn may_send(
    core: &Core,
    account: &AccountRecord,
    purpose: Purpose,
    phone: &Phone,
) -> Result<(), SendCodeError> {
    if !phone.is_textable() {
        return Err(SendCodeError::NotTextable);
    }
    if !is_served(core, phone) {
        return Err(SendCodeError::NotServed);
    }
    spaced_out(account, purpose, core.clock.now())
}

/// Whether the last one was long enough ago.
fn spaced_out(account: &AccountRecord, purpose: Purpose, now: Timestamp) -> Result<(), SendCodeError> {
    let last = account.challenges.get(&purpose);
    match last.filter(|last| now < last.may_repeat_at()) {
        Some(last) => Err(too_soon(last, now)),
        None => Ok(()),
    }
}

fn too_soon(challenge: &Challenge, now: Timestamp) -> SendCodeError {
    SendCodeError::TooSoon {
        pause: challenge.may_repeat_at().since(challenge.made_at),
        retry_after: challenge.may_repeat_at().since(now),
    }
}

/// Has the worker send it: challenge and message in one write, with what `also` does to the record. Answers its name;
/// nothing where `also` answers `false`, and nothing is stored then.
pub(in crate::service) async fn ask_for(
    core: &Core,
    key: &Ref<AccountId>,
    code: &TextCode,
    also: impl Fn(&mut AccountRecord) -> bool + Send + Sync,
) -> Result<Option<ChallengeId>, SendCodeError> {
    let now = core.clock.now();
    let (message_id, entry) = message(core, code.kind);
    let id = ChallengeId::make(now, &*core.entropy);
    let asked = change(&*core.stores.accounts, key, |stored: &mut AccountRecord| {
        if let Err(refused) = spaced_out(stored, code.purpose, now) {
            return Change::Leave(Err(refused));
        }
        if !also(stored) {
            return Change::Leave(Ok(false));
        }
        let challenge = stored.challenge(code.purpose, id.clone(), now);
        challenge.good_for.clone_from(&code.good_for);
        stored.outbox.replace(&message_id, entry.clone());
        Change::Store(Ok(true))
    });
    let asked = asked.await.map_err(Failure::from)?.into_value();
    if !asked.ok_or(SendCodeError::Gone)?? {
        return Ok(None);
    }
    core.note_message(&key.user_type, &key.id, code.event, &message_id)
        .await;
    hand_over(core, key, message_id);
    Ok(Some(id))
}

/// Tells the guard of texts that a code came back. Done is done: where the number can't be opened any more, nothing is told.
pub(in crate::service) async fn note_came_back(
    core: &Core,
    key: &Ref<AccountId>,
    account: &AccountRecord,
    sent_at: Timestamp,
) {
    let Some(sealed) = account.sealed.as_ref().and_then(|sealed| sealed.phone.as_ref()) else {
        return;
    };
    if let Ok(Some(keys)) = open_keys(core, key).await
        && let Ok(phone) = core.opened(key, keys.open(sealed)).await
    {
        note_verified(core, &phone, sent_at).await;
    }
}
