//! Mails to an account that carry a link: a new password, another address, the address of one that was imported.
//!
//! As with a registration's, the link is made at the first try: its digest goes into the challenge and the sealed
//! token into the message, in one write, and every further try sends the same.

use minijinja::{Value, context};

use crate::{
    crypto::{blind_index::BlindIndexer, data_key::DataKeys, digest::link_digest, field::OutboxLink},
    domain::{
        account::NewPerson,
        challenge::Purpose,
        ids::{AccountId, MessageId},
        private::Private,
        token::LinkToken,
    },
    jobs::{
        confirm_address::{greeting, in_words},
        deliver::{Deliverer, Letter},
        outcome::Outcome,
    },
    service::Failure,
    storage::{Change, Ref, accounts::AccountRecord, change, outbox::OutboxEntry, profile::SealedProfile},
};

struct Taken {
    link: Private,
    entry: OutboxEntry,
    sealed: SealedProfile,
}

async fn take(
    deliverer: &Deliverer,
    key: &Ref<AccountId>,
    message_id: &MessageId,
    purpose: Purpose,
    keys: &DataKeys,
) -> Result<Option<Taken>, Failure> {
    let core = &deliverer.core;
    let fresh = LinkToken::make(key.id.clone(), &*core.entropy);
    let digest = link_digest(&key.user_type, purpose, &fresh);
    let fresh_link = keys.seal::<OutboxLink>(&fresh.expose());
    let now = core.clock.now();
    let taken = change(&*core.stores.accounts, key, |account: &mut AccountRecord| {
        let Some(sealed) = account.sealed.clone() else {
            return Change::Leave(None);
        };
        let Some(entry) = account.outbox.take(message_id, now) else {
            return Change::Leave(None);
        };
        let Some(challenge) = account
            .challenges
            .get_mut(&purpose)
            .filter(|challenge| now < challenge.expires_at)
        else {
            // Used, or over: the link would lead nowhere.
            account.outbox.complete(message_id);
            return Change::Store(None);
        };
        let link = entry.link.clone().unwrap_or_else(|| {
            challenge.digest = Some(digest);
            account.outbox.stage_link(message_id, fresh_link.clone());
            fresh_link.clone()
        });
        Change::Store(Some((link, entry, sealed)))
    })
    .await?;
    match taken.into_value().flatten() {
        Some((link, entry, sealed)) => Ok(Some(Taken {
            link: core.opened(key, keys.open(&link)).await?,
            entry,
            sealed,
        })),
        None => Ok(None),
    }
}

/// Mails the link of `purpose` to the account's own address; `values` are the template's.
async fn mail_own(
    deliverer: &Deliverer,
    key: &Ref<AccountId>,
    message_id: &MessageId,
    (purpose, template): (Purpose, &'static str),
    values: impl FnOnce(&NewPerson, &Taken) -> Value + Send,
) -> Result<(), Failure> {
    let core = &deliverer.core;
    let keys = core.opened(key, core.vault.open(key).await).await?;
    let Some(taken) = take(deliverer, key, message_id, purpose, &keys).await? else {
        return Ok(());
    };
    let person = core.opened(key, taken.sealed.open(&keys)).await?;
    let values = values(&person, &taken);
    let letter = Letter {
        template,
        id: message_id.clone(),
        to: person.email,
        made_at: taken.entry.made_at,
    };
    let outcome = deliverer.send(&key.user_type, letter, &values).await;
    deliverer.settle(&*core.stores.accounts, key, message_id, outcome).await
}

/// The link that sets a new password.
pub async fn reset_password(
    deliverer: &Deliverer,
    key: &Ref<AccountId>,
    message_id: &MessageId,
) -> Result<(), Failure> {
    let purpose = Purpose::ResetPassword;
    let mail = (purpose, "mail_password_reset");
    mail_own(deliverer, key, message_id, mail, |person, taken| {
        context! {
            name => person.first_name.expose(),
            reset_url => url(deliverer, key, "reset_password_form", &taken.link),
            requested_at => in_words(taken.entry.made_at),
            expires_in_minutes => (purpose.lifetime().as_secs() / 60).to_string(),
        }
    })
    .await
}

/// The link that sets the first password of an account that an administrator made.
pub async fn invitation(deliverer: &Deliverer, key: &Ref<AccountId>, message_id: &MessageId) -> Result<(), Failure> {
    let purpose = Purpose::AcceptInvitation;
    let mail = (purpose, "mail_invitation");
    mail_own(deliverer, key, message_id, mail, |person, taken| {
        context! {
            name => greeting(person.first_name.expose()),
            invitation_url => url(deliverer, key, "reset_password_form", &taken.link),
            requested_at => in_words(taken.entry.made_at),
            expires_in_hours => (purpose.lifetime().as_secs() / 3600).to_string(),
        }
    })
    .await
}

/// The link that confirms the address an imported account came with.
pub async fn confirm_address(
    deliverer: &Deliverer,
    key: &Ref<AccountId>,
    message_id: &MessageId,
) -> Result<(), Failure> {
    let purpose = Purpose::ConfirmAddress;
    let mail = (purpose, "mail_email_verify");
    mail_own(deliverer, key, message_id, mail, |person, taken| {
        context! {
            name => greeting(person.first_name.expose()),
            verification_url => url(deliverer, key, "verify", &taken.link),
            requested_at => in_words(taken.entry.made_at),
            expires_in_hours => (purpose.lifetime().as_secs() / 3600).to_string(),
        }
    })
    .await
}

/// The link that confirms another address, to that address; where it has an account, its owner is told instead, and
/// the change comes to nothing.
pub async fn change_address(
    deliverer: &Deliverer,
    key: &Ref<AccountId>,
    message_id: &MessageId,
) -> Result<(), Failure> {
    let core = &deliverer.core;
    let keys = core.opened(key, core.vault.open(key).await).await?;
    let purpose = Purpose::ChangeAddress;
    let Some(taken) = take(deliverer, key, message_id, purpose, &keys).await? else {
        return Ok(());
    };
    let accounts = &*core.stores.accounts;
    let Some(to) = &taken.entry.to else {
        return deliverer
            .settle(
                accounts,
                key,
                message_id,
                Outcome::GiveUp("a change without an address"),
            )
            .await;
    };
    let to = core.opened(key, keys.open(to)).await?;
    let made_at = taken.entry.made_at;
    let candidates = BlindIndexer::new(&core.keyring.current(), &key.user_type).find_email(&to)?;
    let holder = accounts
        .find_by_email(&key.user_type, &candidates)
        .await?
        .filter(|holder| holder.id != key.id);
    let (template, values) = match holder {
        Some(holder) => {
            let holder_key = Ref::new(&key.user_type, holder.id.clone());
            let Some(sealed) = &holder.sealed else { return Ok(()) };
            let keys = core.opened(&holder_key, core.vault.open(&holder_key).await).await?;
            let person = core.opened(&holder_key, sealed.open(&keys)).await?;
            let values = context! { name => person.first_name.expose(), requested_at => in_words(made_at) };
            ("mail_already_registered", values)
        }
        None => {
            let person = core.opened(key, taken.sealed.open(&keys)).await?;
            let values = context! {
                name => greeting(person.first_name.expose()),
                verification_url => url(deliverer, key, "verify", &taken.link),
                requested_at => in_words(made_at),
                expires_in_hours => (purpose.lifetime().as_secs() / 3600).to_string(),
            };
            ("mail_address_change", values)
        }
    };
    let letter = Letter {
        template,
        id: message_id.clone(),
        to,
        made_at,
    };
    let outcome = deliverer.send(&key.user_type, letter, &values).await;
    deliverer.settle(accounts, key, message_id, outcome).await
}

fn url(deliverer: &Deliverer, key: &Ref<AccountId>, route: &str, link: &Private) -> String {
    format!(
        "{}{}/{route}?token={}",
        deliverer.public_url,
        key.user_type,
        link.expose()
    )
}
