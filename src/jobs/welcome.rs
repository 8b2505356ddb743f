//! The mail to a new account.

use minijinja::context;

use crate::{
    domain::ids::{AccountId, MessageId},
    jobs::deliver::{Deliverer, Letter},
    service::Failure,
    storage::{Change, Ref, accounts::AccountRecord, change},
};

/// Sends it.
pub async fn run(deliverer: &Deliverer, key: &Ref<AccountId>, message_id: &MessageId) -> Result<(), Failure> {
    let core = &deliverer.core;
    let now = core.clock.now();
    let taken = change(&*core.stores.accounts, key, |account: &mut AccountRecord| match account
        .outbox
        .take(message_id, now)
    {
        Some(entry) => Change::Store(Some((account.sealed.clone(), entry.made_at))),
        None => Change::Leave(None),
    })
    .await?;
    // A tombstone has no person left to write to.
    let Some(Some((Some(sealed), made_at))) = taken.into_value() else {
        return Ok(());
    };
    let person = sealed.open(&core.vault.open(key).await?)?;
    let values = context! {
        name => person.first_name.expose(),
    };
    let letter = Letter {
        template: "registration",
        id: message_id.clone(),
        to: person.email,
        made_at,
    };
    let outcome = deliverer.send(&key.user_type, letter, &values).await;
    deliverer.settle(&*core.stores.accounts, key, message_id, outcome).await
}
