//! Delivers one message: finds the record that holds it, takes it, prepares and sends it, and writes down what became
//! of it. Idempotent: a message that is gone, held by another worker or past its time is left alone.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use minijinja::{Value, context};
use tracing::{Instrument as _, Span, field::Empty};

use crate::{
    domain::{
        audit::{AuditEvent, Details, Outcome as AuditOutcome},
        clock::Timestamp,
        email::Email,
        ids::{AccountId, MessageId},
        message::{DeliveryState, MessageKind},
        user_type::UserType,
    },
    jobs::{
        account_links, already_registered,
        collector::Collector,
        confirm_address, email_sign_in, erase,
        health::ProviderHealth,
        mailer::{Delivery, Mail, Mailer},
        notices,
        outcome::Outcome,
        phone_code,
        queue::Job,
        requests,
        sms::Sms,
    },
    logs::WORK,
    service::{Core, Failure, email_filter},
    storage::{Change, Documents, Ref, change, dead_letters::HoldsOutbox, outbox::Failed},
    templates::Templates,
    traces,
};

/// What every delivery needs.
pub struct Deliverer {
    /// The service.
    pub core: Arc<Core>,
    /// Mails out.
    pub mailer: Mailer,
    /// Texts out.
    pub sms: Sms,
    /// Mail texts.
    pub templates: Templates,
    /// What links begin with; ends with `/`.
    pub public_url: String,
    /// The service's name in mails.
    pub app_name: String,
    /// How the mail provider does.
    pub mail_health: ProviderHealth,
    /// How the SMS provider does.
    pub sms_health: ProviderHealth,
    /// Who has the audit handed over, if anybody.
    pub collector: Option<Collector>,
}

/// One mail before it is rendered.
#[derive(Debug)]
pub(in crate::jobs) struct Letter {
    /// Name of its three templates.
    pub template: &'static str,
    /// The message.
    pub id: MessageId,
    /// To whom.
    pub to: Email,
    /// When the message was made.
    pub made_at: Timestamp,
}

impl Deliverer {
    /// Runs one job. Never fails and never panics: what went wrong is written into the outbox, or tried again when
    /// the message's lease ends.
    ///
    /// Every line of the log that is written for it names the message, and the trace where there is one.
    pub async fn run(&self, job: &Job) {
        let id = &job.message.message_id;
        let span = traces::delivery(id.as_str(), job.traceparent);
        let work = tracing::info_span!(target: WORK, "message", %id, trace_id = Empty);
        if let Some(trace_id) = traces::trace_id(&span) {
            work.record("trace_id", trace_id);
        }
        let delivery = async {
            match AssertUnwindSafe(self.deliver(job)).catch_unwind().await {
                Ok(Ok(())) => tracing::debug!("done"),
                Ok(Err(error)) => {
                    traces::failed(&Span::current(), "waits");
                    tracing::warn!(%error, message = %id, "a message waits");
                }
                Err(_) => {
                    traces::failed(&Span::current(), "panic");
                    tracing::error!(message = %id, "a delivery panicked");
                }
            }
        };
        delivery.instrument(span).instrument(work).await;
    }

    async fn deliver(&self, job: &Job) -> Result<(), Failure> {
        let (message, user_type) = (&job.message, &job.message.user_type);
        let stores = &self.core.stores;
        let Some(account_id) = &message.account_id else {
            return requests::run(self, &Ref::new(user_type, message.message_id.clone())).await;
        };
        let key = Ref::new(user_type, account_id.clone());
        if let Some(registration) = stores.registrations.find(&key).await?
            && let Some(entry) = registration.outbox.get(&message.message_id)
        {
            email_filter::add(&self.core, user_type, account_id, &registration.slots).await?;
            return match entry.kind {
                MessageKind::ConfirmAddress => self.confirm_address(&key, &message.message_id).await,
                kind => {
                    self.unexpected(&*stores.registrations, &key, &message.message_id, kind)
                        .await
                }
            };
        }
        if let Some(account) = stores.accounts.find(&key).await?
            && let Some(entry) = account.outbox.get(&message.message_id)
        {
            let id = &message.message_id;
            if matches!(
                entry.kind,
                MessageKind::Welcome | MessageKind::AddressChanged | MessageKind::Invitation
            ) {
                // Once more: the filter may have been rebuilt between the addition and the record.
                email_filter::add(&self.core, user_type, account_id, account.security().slots()).await?;
            }
            if let Some(template) = notices::template(entry.kind) {
                return notices::run(self, &key, id, template).await;
            }
            return match entry.kind {
                MessageKind::ConfirmAddress => account_links::confirm_address(self, &key, id).await,
                MessageKind::ResetPassword => account_links::reset_password(self, &key, id).await,
                MessageKind::Invitation => account_links::invitation(self, &key, id).await,
                MessageKind::ChangeAddress => account_links::change_address(self, &key, id).await,
                MessageKind::EmailSignIn => email_sign_in::run(self, &key, id).await,
                kind @ (MessageKind::PhoneCode | MessageKind::SecondFactorCode) => {
                    phone_code::run(self, &key, id, kind).await
                }
                MessageKind::Erase => erase::run(self, &key).await,
                kind => {
                    self.unexpected(&*stores.accounts, &key, &message.message_id, kind)
                        .await
                }
            };
        }
        Ok(())
    }

    async fn confirm_address(&self, key: &Ref<AccountId>, message_id: &MessageId) -> Result<(), Failure> {
        let Some(registration) = self.core.stores.registrations.find(key).await? else {
            return Ok(());
        };
        let candidates = registration.slots.email_candidates();
        let holder = self
            .core
            .stores
            .accounts
            .find_by_email(&key.user_type, &candidates)
            .await?;
        match holder {
            Some(holder) => already_registered::run(self, &holder, key, message_id).await,
            None => confirm_address::run(self, &registration, message_id).await,
        }
    }

    /// Renders and sends a mail, and tells what became of it.
    pub(in crate::jobs) async fn send(&self, user_type: &UserType, letter: Letter, values: &Value) -> Outcome {
        let values = context! {
            app_name => self.app_name.as_str(),
            user_type => user_type.as_str(),
            ..values.clone()
        };
        let text = match self.templates.render_mail(user_type, letter.template, &values) {
            Ok(text) => text,
            Err(error) => {
                // An operator's own template may be mended while the message is still worth sending.
                tracing::error!(%error, "a mail can't be rendered");
                return Outcome::Retry("the template can't be rendered");
            }
        };
        let mail = Mail {
            id: letter.id,
            to: letter.to,
            date: letter.made_at,
            text,
        };
        let span = traces::sending("send mail");
        let delivery = self.mailer.send(&mail).instrument(span.clone()).await;
        match delivery {
            Delivery::Accepted => {}
            Delivery::Later(_) => traces::failed(&span, "later"),
            Delivery::Never(_) => traces::failed(&span, "never"),
        }
        self.mail_health.note(!matches!(delivery, Delivery::Later(_)));
        match delivery {
            Delivery::Accepted => Outcome::Done,
            Delivery::Later(reason) => Outcome::Retry(reason),
            Delivery::Never(reason) => Outcome::GiveUp(reason),
        }
    }

    /// Writes what became of a message into the record that holds it.
    pub(in crate::jobs) async fn settle<R: HoldsOutbox>(
        &self,
        port: &(impl Documents<R> + ?Sized),
        key: &Ref<R::Id>,
        message_id: &MessageId,
        outcome: Outcome,
    ) -> Result<(), Failure> {
        let now = self.core.clock.now();
        let [jitter] = crate::domain::entropy::make_bytes(&*self.core.entropy);
        let changed = change(port, key, |record: &mut R| {
            let account_id = record.account_id();
            let outbox = record.outbox_mut();
            let kind = outbox.get(message_id).map(|entry| entry.kind);
            let state = match outcome {
                Outcome::Done => {
                    outbox.complete(message_id);
                    None
                }
                Outcome::Retry(reason) => outbox.fail(message_id, now, jitter, Failed::ForNow(reason)),
                Outcome::GiveUp(reason) => outbox.fail(message_id, now, jitter, Failed::ForGood(reason)),
            };
            Change::Store((account_id, kind, state))
        })
        .await?;
        if let Outcome::Retry(reason) | Outcome::GiveUp(reason) = outcome {
            tracing::warn!(message = %message_id, reason, ?outcome, "a message was not delivered");
        }
        let Some((Some(account_id), Some(kind), state)) = changed.into_value() else {
            return Ok(());
        };
        let details = Details::of_message(message_id, kind);
        match (outcome, state) {
            (Outcome::Done, _) => self.note_sent(key, &account_id, details).await,
            (Outcome::Retry(reason) | Outcome::GiveUp(reason), Some(DeliveryState::Dead)) => {
                let (event, outcome) = (AuditEvent::MessageDead, AuditOutcome::Refused);
                let details = details.and_reason(reason);
                self.core
                    .note_with(&key.user_type, Some(&account_id), event, outcome, details)
                    .await;
            }
            (Outcome::Retry(_) | Outcome::GiveUp(_), _) => {}
        }
        Ok(())
    }

    /// Notes that a provider took a message.
    pub(in crate::jobs) async fn note_sent<I>(&self, key: &Ref<I>, account_id: &AccountId, details: Details) {
        let (event, outcome) = (AuditEvent::MessageSent, AuditOutcome::Success);
        self.core
            .note_with(&key.user_type, Some(account_id), event, outcome, details)
            .await;
    }

    async fn unexpected<R: HoldsOutbox>(
        &self,
        port: &(impl Documents<R> + ?Sized),
        key: &Ref<R::Id>,
        message_id: &MessageId,
        kind: MessageKind,
    ) -> Result<(), Failure> {
        tracing::error!(?kind, message = %message_id, "a message of this kind does not belong to this record");
        self.settle(port, key, message_id, Outcome::GiveUp("not a message of this record"))
            .await
    }
}

impl std::fmt::Debug for Deliverer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Deliverer")
    }
}
