//! Mails to an account that only tell: welcome, the password was changed, the address was changed.

use minijinja::context;

use crate::{
    domain::{
        ids::{AccountId, MessageId},
        message::MessageKind,
    },
    jobs::{
        confirm_address::in_words,
        deliver::{Deliverer, Letter},
    },
    service::Failure,
    storage::{Change, Ref, accounts::AccountRecord, change},
};

/// The templates of a kind; `None` for kinds that are no notices.
#[must_use]
pub const fn template(kind: MessageKind) -> Option<&'static str> {
    match kind {
        MessageKind::Welcome => Some("registration"),
        MessageKind::PasswordChanged => Some("mail_password_changed"),
        MessageKind::AddressChanged => Some("mail_address_changed"),
        _ => None,
    }
}

/// Sends one, to the account's address or to the one that the message names.
pub async fn run(
    deliverer: &Deliverer,
    key: &Ref<AccountId>,
    message_id: &MessageId,
    template: &'static str,
) -> Result<(), Failure> {
    let core = &deliverer.core;
    let now = core.clock.now();
    let taken = change(&*core.stores.accounts, key, |account: &mut AccountRecord| match account
        .outbox
        .take(message_id, now)
    {
        Some(entry) => Change::Store(Some((account.sealed.clone(), entry))),
        None => Change::Leave(None),
    })
    .await?;
    // A tombstone has no person left to write to.
    let Some(Some((Some(sealed), entry))) = taken.into_value() else {
        return Ok(());
    };
    let keys = core.vault.open(key).await?;
    let person = sealed.open(&keys)?;
    let to = match &entry.to {
        Some(to) => keys.open(to)?,
        None => person.email,
    };
    let values = context! { name => person.first_name.expose(), changed_at => in_words(entry.made_at) };
    let letter = Letter {
        template,
        id: message_id.clone(),
        to,
        made_at: entry.made_at,
    };
    let outcome = deliverer.send(&key.user_type, letter, &values).await;
    deliverer.settle(&*core.stores.accounts, key, message_id, outcome).await
}
