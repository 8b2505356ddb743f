//! Mails to an account that only tell: welcome, the password was changed, the address was changed, somebody signed in from
//! a new device, a token was used twice, the second factor was changed or its recovery code used.
//! a new device, a token was used twice, an administrator did something to it.

use minijinja::{Value, context};

use crate::{
    crypto::{data_key::DataKeys, session_link::session_link},
    domain::{
        ids::{AccountId, MessageId},
        message::MessageKind,
    },
    jobs::{
        confirm_address::in_words,
        deliver::{Deliverer, Letter},
    },
    service::Failure,
    storage::{Change, Ref, accounts::AccountRecord, change, outbox::OutboxEntry},
};

/// The templates of a kind; `None` for kinds that are no notices.
#[must_use]
pub const fn template(kind: MessageKind) -> Option<&'static str> {
    match kind {
        MessageKind::Welcome => Some("registration"),
        MessageKind::PasswordChanged => Some("mail_password_changed"),
        MessageKind::AddressChanged => Some("mail_address_changed"),
        MessageKind::NewDevice => Some("mail_new_device"),
        MessageKind::RefreshTokenReused => Some("mail_token_reused"),
        MessageKind::SecondFactorOn => Some("mail_second_factor_on"),
        MessageKind::SecondFactorOff => Some("mail_second_factor_off"),
        MessageKind::SecondFactorChanged => Some("mail_second_factor_changed"),
        MessageKind::RecoveryCodeUsed => Some("mail_recovery_code_used"),
        MessageKind::RecoveryCodesReplaced => Some("mail_recovery_codes_replaced"),
        MessageKind::AccountLocked => Some("mail_account_locked"),
        MessageKind::AccountUnlocked => Some("mail_account_unlocked"),
        MessageKind::FactorsReset => Some("mail_factors_reset"),
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
    let keys = core.opened(key, core.vault.open(key).await).await?;
    let person = core.opened(key, sealed.open(&keys)).await?;
    let to = match &entry.to {
        Some(to) => core.opened(key, keys.open(to)).await?,
        None => person.email,
    };
    let values = context! {
        name => person.first_name.expose(),
        changed_at => in_words(entry.made_at),
        ..about_session(deliverer, key, &entry, &keys).await?
    };
    let letter = Letter {
        template,
        id: message_id.clone(),
        to,
        made_at: entry.made_at,
    };
    let outcome = deliverer.send(&key.user_type, letter, &values).await;
    deliverer.settle(&*core.stores.accounts, key, message_id, outcome).await
}

/// What a mail says of the session that it tells of: its device, and, as long as it is on, the link that ends it.
async fn about_session(
    deliverer: &Deliverer,
    key: &Ref<AccountId>,
    entry: &OutboxEntry,
    keys: &DataKeys,
) -> Result<Value, Failure> {
    let core = &deliverer.core;
    let Some(id) = &entry.session else {
        return Ok(context! {});
    };
    let session = core.stores.sessions.find(&Ref::new(&key.user_type, id.clone())).await?;
    let Some(session) = session else {
        return Ok(context! { device => "", network => "", end_url => "" });
    };
    let agent = session.agent.as_ref().map(|agent| keys.open(agent)).transpose();
    let network = session.network.as_ref().map(|network| keys.open(network)).transpose();
    let (agent, network) = (core.opened(key, agent).await?, core.opened(key, network).await?);
    let end_url = if session.is_live(core.clock.now()) {
        let token = session_link(&key.user_type, id, &core.keyring.current())?;
        let (base, user_type) = (&deliverer.public_url, &key.user_type);
        format!("{base}{user_type}/end-session?token={}", token.expose())
    } else {
        String::new()
    };
    Ok(context! {
        device => agent.as_ref().map_or("", |agent| agent.expose()),
        network => network.as_ref().map_or("", |network| network.as_str()),
        end_url,
    })
}
