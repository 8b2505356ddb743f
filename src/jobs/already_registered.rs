//! The mail to somebody whose address was registered again. The registration goes with it: it could never become an
//! account.

use minijinja::context;

use crate::{
    domain::{
        audit::Details,
        ids::{AccountId, MessageId},
        message::MessageKind,
    },
    jobs::{
        confirm_address::in_words,
        deliver::{Deliverer, Letter},
        outcome::Outcome,
    },
    service::{Failure, confirm::discard},
    storage::{Change, Ref, accounts::AccountRecord, change, registrations::RegistrationRecord},
};

/// Sends it to `holder`, under the holder's own name: the one in the registration is whatever a stranger typed in.
pub async fn run(
    deliverer: &Deliverer,
    holder: &AccountRecord,
    key: &Ref<AccountId>,
    message_id: &MessageId,
) -> Result<(), Failure> {
    let core = &deliverer.core;
    let now = core.clock.now();
    let taken = change(
        &*core.stores.registrations,
        key,
        |registration: &mut RegistrationRecord| match registration.outbox.take(message_id, now) {
            Some(entry) => Change::Store(Some(entry.made_at)),
            None => Change::Leave(None),
        },
    )
    .await?;
    let Some(Some(made_at)) = taken.into_value() else {
        return Ok(());
    };
    // Erased since it was found: nobody is left to write to, and the registration may become an account.
    let Some(sealed) = &holder.sealed else { return Ok(()) };
    let holder = Ref::new(&holder.user_type, holder.id.clone());
    let keys = core.opened(&holder, core.vault.open(&holder).await).await?;
    let person = core.opened(&holder, sealed.open(&keys)).await?;
    let values = context! {
        name => person.first_name.expose(),
        requested_at => in_words(made_at),
    };
    let letter = Letter {
        template: "mail_already_registered",
        id: message_id.clone(),
        to: person.email,
        made_at,
    };
    let outcome = deliverer.send(&key.user_type, letter, &values).await;
    if outcome == Outcome::Done {
        let details = Details::of_message(message_id, MessageKind::ConfirmAddress);
        deliverer.note_sent(key, &key.id, details).await;
        return discard(core, key).await;
    }
    deliverer
        .settle(&*core.stores.registrations, key, message_id, outcome)
        .await
}
