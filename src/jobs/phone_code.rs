//! The text with a code.
//!
//! The code is made here: its digest goes into the challenge and the message stands as `sending` before the first byte
//! leaves, in one write. A worker that dies in between leaves a message of which nobody knows whether it was sent: it
//! is dead, never sent again, and the person asks for another code.

use minijinja::context;

use crate::{
    crypto::digest::code_digest,
    domain::{
        audit::{AuditEvent, Details, Outcome as AuditOutcome},
        challenge::Purpose,
        code::OtpCode,
        ids::{AccountId, MessageId},
        message::MessageKind,
    },
    jobs::{
        deliver::Deliverer,
        outcome::Outcome,
        sms::{SmsDelivery, Text},
    },
    service::Failure,
    storage::{Change, Ref, accounts::AccountRecord, change},
};

/// Sends it. What of `kind` it proves, and the template that says so, are of the kind.
pub async fn run(
    deliverer: &Deliverer,
    key: &Ref<AccountId>,
    message_id: &MessageId,
    kind: MessageKind,
) -> Result<(), Failure> {
    let (purpose, template) = match kind {
        MessageKind::SecondFactorCode => (Purpose::SecondFactor, "sms_second_factor_code.txt"),
        _ => (Purpose::VerifyPhone, "sms_phone_code.txt"),
    };
    let core = &deliverer.core;
    let accounts = &*core.stores.accounts;
    let (now, keyring, code) = (core.clock.now(), core.keyring.current(), OtpCode::make(&*core.entropy));
    let mut missing = None;
    let taken = change(accounts, key, |account: &mut AccountRecord| {
        if account.outbox.bury_interrupted(message_id, now) {
            return Change::Store(Step::Buried);
        }
        let Some(entry) = account.outbox.take(message_id, now) else {
            return Change::Leave(Step::NotOurs);
        };
        let sealed = account.sealed.clone();
        let challenge = account.challenges.get_mut(&purpose).filter(|one| now < one.expires_at);
        let (Some(sealed), Some(challenge)) = (sealed, challenge) else {
            account.outbox.complete(message_id);
            return Change::Store(Step::NotOurs);
        };
        match code_digest(&keyring, &key.user_type, &key.id, &challenge.id, &code) {
            Ok(digest) => challenge.digest = Some(digest),
            Err(error) => {
                missing = Some(error);
                return Change::Leave(Step::NotOurs);
            }
        }
        account.outbox.begin_sending(message_id);
        Change::Store(Step::Send(Box::new(sealed), entry.made_at))
    })
    .await?;
    if let Some(error) = missing {
        return Err(error.into());
    }
    let (sealed, made_at) = match taken.into_value() {
        Some(Step::Send(sealed, made_at)) => (sealed, made_at),
        Some(Step::Buried) => {
            let details = Details::of_message(message_id, kind).and_reason("unknown");
            let (event, outcome) = (AuditEvent::MessageDead, AuditOutcome::Refused);
            core.note_with(&key.user_type, Some(&key.id), event, outcome, details)
                .await;
            return Ok(());
        }
        Some(Step::NotOurs) | None => return Ok(()),
    };
    let keys = core.opened(key, core.vault.open(key).await).await?;
    let person = core.opened(key, sealed.open(&keys)).await?;
    let Some(phone) = person.phone else {
        return deliverer
            .settle(
                accounts,
                key,
                message_id,
                Outcome::GiveUp("the account has no number any more"),
            )
            .await;
    };
    let values = context! { app_name => deliverer.app_name.as_str(), code => code.expose() };
    let outcome = match deliverer.templates.render(Some(&key.user_type), template, &values) {
        Err(error) => {
            tracing::error!(%error, "a text can't be rendered");
            Outcome::GiveUp("the template can't be rendered")
        }
        Ok(body) => {
            let text = Text {
                id: message_id.clone(),
                to: phone,
                body: body.trim().to_owned(),
                date: made_at,
            };
            let delivery = deliverer.sms.send(&text).await;
            deliverer
                .sms_health
                .note(matches!(delivery, SmsDelivery::Accepted | SmsDelivery::Refused(_)));
            match delivery {
                SmsDelivery::Accepted => Outcome::Done,
                SmsDelivery::NotSent(reason) => Outcome::Retry(reason),
                SmsDelivery::Refused(reason) | SmsDelivery::Unknown(reason) => Outcome::GiveUp(reason),
            }
        }
    };
    deliverer.settle(accounts, key, message_id, outcome).await
}

enum Step {
    Send(
        Box<crate::storage::profile::SealedProfile>,
        crate::domain::clock::Timestamp,
    ),
    Buried,
    NotOurs,
}
