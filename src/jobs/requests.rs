//! What was asked about any address: found out here, where nobody waits for the answer, whether there is somebody to
//! write to.
//!
//! A request to sign in by mail stays until its end, whoever it was about: the tries of its code are counted there.

use crate::{
    crypto::{
        blind_index::{BlindIndexer, Candidate},
        record_mac::Security,
    },
    domain::{
        account::AccountStatus,
        audit::{AuditEvent, Outcome},
        challenge::Purpose,
        clock::Timestamp,
        ids::{AccountId, ChallengeId, MessageId},
        message::MessageKind,
    },
    jobs::deliver::Deliverer,
    service::{Failure, accounts::find_verified, email_filter, email_sign_in::may_sign_in, vault::request_keys},
    storage::{
        Change, Changed, Ref,
        accounts::AccountRecord,
        change,
        outbox::{MessageRef, OutboxEntry},
        registrations::RegistrationRecord,
        requests::RequestRecord,
    },
    traces,
};

/// Handles one: message into the record it concerns, then the request away. Repeated after a crash, the message is
/// there already.
pub async fn run(deliverer: &Deliverer, key: &Ref<MessageId>) -> Result<(), Failure> {
    let core = &deliverer.core;
    let now = core.clock.now();
    let taken = change(&*core.stores.requests, key, |request: &mut RequestRecord| match request
        .outbox
        .take(&request.id, now)
    {
        Some(entry) => Change::Store(Some((entry, request.address.clone(), request.is_dropped))),
        None => Change::Leave(None),
    })
    .await?;
    let Some(Some((asked, address, is_dropped))) = taken.into_value() else {
        return Ok(());
    };
    let kind = asked.kind;

    let keyring = core.keyring.current();
    let email = request_keys(&keyring, key)?.open(&address)?;
    let candidates = BlindIndexer::new(&keyring, &key.user_type).find_email(&email)?;
    let concerned = match kind {
        _ if is_dropped => None,
        _ if email_filter::is_surely_unknown(core, &key.user_type, &candidates)? => None,
        MessageKind::ResendConfirmation => resend(deliverer, key, &candidates, now).await?,
        MessageKind::ForgottenPassword => {
            let purpose = Purpose::ResetPassword;
            challenge(deliverer, key, &candidates, now, purpose, MessageKind::ResetPassword).await?
        }
        MessageKind::EmailSignInAsked => email_sign_in(deliverer, key, &candidates, &asked).await?,
        _ => None,
    };
    if let Some(account_id) = concerned {
        let event = match kind {
            MessageKind::ResendConfirmation => AuditEvent::ConfirmationRequested,
            MessageKind::EmailSignInAsked => AuditEvent::EmailSignInRequested,
            _ => AuditEvent::PasswordResetRequested,
        };
        core.note(&key.user_type, &account_id, event, Outcome::Success).await;
        core.hand_over.offer(MessageRef {
            message_id: key.id.clone(),
            account_id: Some(account_id),
            user_type: key.user_type.clone(),
        });
    }
    if kind == MessageKind::EmailSignInAsked {
        let done = |request: &mut RequestRecord| {
            request.outbox.complete(&key.id);
            Change::Store(())
        };
        change(&*core.stores.requests, key, done).await?;
    } else {
        core.stores.requests.delete(key).await?;
    }
    Ok(())
}

/// The account that may be signed in to gets a challenge in place of the one before, and the mail, in one write. Both end when
/// the request does. A request that is looked at late takes the place of none that came after it.
async fn email_sign_in(
    deliverer: &Deliverer,
    key: &Ref<MessageId>,
    candidates: &[Candidate],
    asked: &OutboxEntry,
) -> Result<Option<AccountId>, Failure> {
    let core = &deliverer.core;
    let Some(found) = core.stores.accounts.find_by_email(&key.user_type, candidates).await? else {
        return Ok(None);
    };
    let account = Ref::new(&key.user_type, found.id);
    let may = |(_, security): &(AccountRecord, Security)| may_sign_in(security);
    if !core.settings(&key.user_type).email_sign_in.is_on()
        || !find_verified(core, &account).await?.as_ref().is_some_and(may)
    {
        return Ok(None);
    }
    let id = ChallengeId::of_message(&key.id);
    let purpose = Purpose::EmailSignIn;
    let stored = change(&*core.stores.accounts, &account, |account: &mut AccountRecord| {
        let waiting = account.challenges.get(&purpose);
        let is_late = waiting.is_some_and(|waiting| waiting.id == id || waiting.made_at > asked.made_at);
        if account.sealed.is_none() || is_late {
            return Change::Leave(());
        }
        account.challenge(purpose, id.clone(), asked.made_at);
        let mut mail = OutboxEntry::new(MessageKind::EmailSignIn, asked.made_at);
        mail.due = core.clock.now();
        account.outbox.replace(&key.id, mail);
        Change::Store(())
    })
    .await?;
    Ok(matches!(stored, Changed::Stored(())).then_some(account.id))
}

/// The newest registration that waits gets its mail again; the link mailed before stops working. So does an imported
/// account whose address nobody confirmed.
async fn resend(
    deliverer: &Deliverer,
    key: &Ref<MessageId>,
    candidates: &[Candidate],
    now: Timestamp,
) -> Result<Option<AccountId>, Failure> {
    let registrations = &deliverer.core.stores.registrations;
    let waiting = registrations.find_by_email(&key.user_type, candidates, now).await?;
    let Some(newest) = waiting.first() else {
        let purpose = Purpose::ConfirmAddress;
        return challenge(deliverer, key, candidates, now, purpose, MessageKind::ConfirmAddress).await;
    };
    let registration = Ref::new(&key.user_type, newest.id.clone());
    change(
        &**registrations,
        &registration,
        |registration: &mut RegistrationRecord| {
            registration.outbox.replace(
                &key.id,
                OutboxEntry::new(MessageKind::ConfirmAddress, now).in_trace(traces::current()),
            );
            Change::Store(())
        },
    )
    .await?;
    Ok(Some(registration.id))
}

/// The account that is in use gets a challenge and the mail with its link, in one write. Nobody confirms an address twice.
async fn challenge(
    deliverer: &Deliverer,
    key: &Ref<MessageId>,
    candidates: &[Candidate],
    now: Timestamp,
    purpose: Purpose,
    kind: MessageKind,
) -> Result<Option<AccountId>, Failure> {
    let core = &deliverer.core;
    let Some(found) = core.stores.accounts.find_by_email(&key.user_type, candidates).await? else {
        return Ok(None);
    };
    let account = Ref::new(&key.user_type, found.id);
    let wants = |(_, security): &(AccountRecord, Security)| {
        security.status == AccountStatus::Active && !(purpose == Purpose::ConfirmAddress && security.is_email_verified)
    };
    if !find_verified(core, &account).await?.as_ref().is_some_and(wants) {
        return Ok(None);
    }
    let challenge_id = ChallengeId::make(now, &*core.entropy);
    change(&*core.stores.accounts, &account, |account: &mut AccountRecord| {
        if account.sealed.is_none() {
            return Change::Leave(());
        }
        account.challenge(purpose, challenge_id.clone(), now);
        let entry = OutboxEntry::new(kind, now).in_trace(traces::current());
        account.outbox.replace(&key.id, entry);
        Change::Store(())
    })
    .await?;
    Ok(Some(account.id))
}
