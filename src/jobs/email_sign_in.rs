//! The mail that signs in: the code, the link, or both, as the user type has it.
//!
//! One random token makes both. It is made at the first try: digests of code and link go into the challenge and the sealed
//! token into the message, in one write, and every further try sends the same.

use minijinja::context;

use crate::{
    crypto::{
        data_key::DataKeys,
        email_sign_in::{Bound, Shown, code_of, digest},
        field::OutboxLink,
        record_mac::Security,
    },
    domain::{
        challenge::Purpose,
        ids::{AccountId, ChallengeId, MessageId},
        private::Private,
        token::{LinkToken, TokenDigest},
    },
    jobs::{
        confirm_address::{greeting, in_words},
        deliver::{Deliverer, Letter},
        outcome::Outcome,
    },
    service::{Failure, accounts::find_verified, email_sign_in::may_sign_in},
    storage::{Change, Ref, accounts::AccountRecord, change, outbox::OutboxEntry, profile::SealedProfile},
};

/// Sends it.
pub async fn run(deliverer: &Deliverer, key: &Ref<AccountId>, message_id: &MessageId) -> Result<(), Failure> {
    let core = &deliverer.core;
    let accounts = &*core.stores.accounts;
    let Some((_, security)) = find_verified(core, key).await? else {
        return Ok(());
    };
    let keys = core.opened(key, core.vault.open(key).await).await?;
    let Some(taken) = take(deliverer, key, message_id, &security, &keys).await? else {
        return Ok(());
    };
    let link = core.opened(key, keys.open(&taken.link)).await?;
    let Some(token) = LinkToken::parse(link.expose()) else {
        let outcome = Outcome::GiveUp("what was to be sent can't be read");
        return deliverer.settle(accounts, key, message_id, outcome).await;
    };
    let person = core.opened(key, taken.sealed.open(&keys)).await?;
    let mailed = core.settings(&key.user_type).email_sign_in;
    let code = code_of(&key.user_type, &token);
    let url = format!(
        "{}{}/login/email/link?token={}",
        deliverer.public_url,
        key.user_type,
        link.expose()
    );
    let shown = |is_mailed: bool, text: &str| Private::new(if is_mailed { text } else { "" }.to_owned());
    let (code, url, token) = (
        shown(mailed.mails_code(), code.expose()),
        shown(mailed.mails_link(), &url),
        shown(mailed.mails_link(), link.expose()),
    );
    let values = context! {
        name => greeting(person.first_name.expose()),
        code => code.expose(),
        sign_in_url => url.expose(),
        // For templates whose link leads into an operator's own app.
        sign_in_token => token.expose(),
        requested_at => in_words(taken.entry.made_at),
        expires_in_minutes => (Purpose::EmailSignIn.lifetime().as_secs() / 60).to_string(),
    };
    let letter = Letter {
        template: "mail_sign_in",
        id: message_id.clone(),
        to: person.email,
        made_at: taken.entry.made_at,
    };
    let outcome = deliverer.send(&key.user_type, letter, &values).await;
    deliverer.settle(accounts, key, message_id, outcome).await
}

struct Taken {
    link: crate::crypto::sealed::Sealed<OutboxLink>,
    entry: OutboxEntry,
    sealed: SealedProfile,
}

async fn take(
    deliverer: &Deliverer,
    key: &Ref<AccountId>,
    message_id: &MessageId,
    security: &Security,
    keys: &DataKeys,
) -> Result<Option<Taken>, Failure> {
    let core = &deliverer.core;
    let mailed = core.settings(&key.user_type).email_sign_in;
    let challenge = ChallengeId::of_message(message_id);
    let fresh = LinkToken::make(key.id.clone(), &*core.entropy);
    let fresh_link = keys.seal::<OutboxLink>(&fresh.expose());
    let [code, link] = digests(deliverer, key, &challenge, security, fresh)?;
    let now = core.clock.now();
    let taken = change(&*core.stores.accounts, key, |account: &mut AccountRecord| {
        let Some(sealed) = account.sealed.clone() else {
            return Change::Leave(None);
        };
        let Some(entry) = account.outbox.take(message_id, now) else {
            return Change::Leave(None);
        };
        let waiting = account.challenges.get_mut(&Purpose::EmailSignIn);
        let waiting = waiting.filter(|one| one.id == challenge && now < one.expires_at);
        let (Some(waiting), true) = (waiting, may_sign_in(security) && mailed.is_on()) else {
            // Replaced, over, or withdrawn: it would lead nowhere.
            account.outbox.complete(message_id);
            return Change::Store(None);
        };
        let staged = entry.link.clone().unwrap_or_else(|| {
            waiting.digest = Some(code);
            waiting.link = mailed.mails_link().then_some(link);
            account.outbox.stage_link(message_id, fresh_link.clone());
            fresh_link.clone()
        });
        Change::Store(Some((staged, entry, sealed)))
    })
    .await?;
    let taken = taken.into_value().flatten();
    Ok(taken.map(|(link, entry, sealed)| Taken { link, entry, sealed }))
}

/// Of the code and of the link.
fn digests(
    deliverer: &Deliverer,
    key: &Ref<AccountId>,
    challenge: &ChallengeId,
    security: &Security,
    token: LinkToken,
) -> Result<[TokenDigest; 2], Failure> {
    let keyring = deliverer.core.keyring.current();
    let bound = Bound {
        user_type: &key.user_type,
        account: &key.id,
        challenge,
        epoch: security.epoch,
    };
    let code = Shown::Code(code_of(&key.user_type, &token));
    Ok([
        digest(&keyring, bound, &code)?,
        digest(&keyring, bound, &Shown::Link(token))?,
    ])
}
