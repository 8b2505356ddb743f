//! The mail with a registration's link.
//!
//! The link is made here, at the first try: its digest goes into the registration and the sealed token into the
//! message, in one write, so that every further try sends the same link under the same `Message-ID`.

use minijinja::context;

use crate::{
    crypto::{digest::link_digest, field::OutboxLink},
    domain::{challenge::Purpose, clock::Timestamp, ids::MessageId, private::Private, token::LinkToken},
    jobs::deliver::{Deliverer, Letter},
    service::{Failure, confirm::discard, register::LIFETIME},
    storage::{Change, Ref, change, registrations::RegistrationRecord},
};

/// Registrations that may wait for one address; the oldest goes.
const LIVE_PER_ADDRESS: usize = 3;

/// Sends it.
pub async fn run(
    deliverer: &Deliverer,
    registration: &RegistrationRecord,
    message_id: &MessageId,
) -> Result<(), Failure> {
    let core = &deliverer.core;
    let key = Ref::new(&registration.user_type, registration.id.clone());
    trim(deliverer, registration).await?;

    let keys = core.opened(&key, core.vault.open(&key).await).await?;
    let fresh = LinkToken::make(key.id.clone(), &*core.entropy);
    let digest = link_digest(&key.user_type, Purpose::ConfirmAddress, &fresh);
    let fresh_link = keys.seal::<OutboxLink>(&fresh.expose());
    let now = core.clock.now();
    let taken = change(
        &*core.stores.registrations,
        &key,
        |registration: &mut RegistrationRecord| {
            let Some(entry) = registration.outbox.take(message_id, now) else {
                return Change::Leave(None);
            };
            let link = entry.link.unwrap_or_else(|| {
                registration.link_digest = Some(digest);
                registration.outbox.stage_link(message_id, fresh_link.clone());
                fresh_link.clone()
            });
            Change::Store(Some((link, entry.made_at)))
        },
    )
    .await?;
    let Some(Some((link, made_at))) = taken.into_value() else {
        return Ok(());
    };

    let link = core.opened(&key, keys.open(&link)).await?;
    let person = core.opened(&key, registration.sealed.open(&keys)).await?;
    let values = context! {
        name => greeting(person.first_name.expose()),
        verification_url => verification_url(deliverer, &key.user_type.to_string(), &link),
        requested_at => in_words(made_at),
        expires_in_hours => (LIFETIME.as_secs() / 3600).to_string(),
    };
    let letter = Letter {
        template: "mail_email_verify",
        id: message_id.clone(),
        to: person.email,
        made_at,
    };
    let outcome = deliverer.send(&key.user_type, letter, &values).await;
    deliverer
        .settle(&*core.stores.registrations, &key, message_id, outcome)
        .await
}

/// At most three registrations wait for one address.
async fn trim(deliverer: &Deliverer, registration: &RegistrationRecord) -> Result<(), Failure> {
    let core = &deliverer.core;
    let waiting = core
        .stores
        .registrations
        .find_by_email(
            &registration.user_type,
            &registration.slots.email_candidates(),
            core.clock.now(),
        )
        .await?;
    for old in waiting.iter().skip(LIVE_PER_ADDRESS) {
        discard(core, &Ref::new(&old.user_type, old.id.clone())).await?;
    }
    Ok(())
}

fn verification_url(deliverer: &Deliverer, user_type: &str, token: &Private) -> String {
    format!("{}{user_type}/verify?token={}", deliverer.public_url, token.expose())
}

/// The name to greet a stranger by. Whoever registers chooses it and may not be who reads it: one that a mail client
/// would turn into a link is left out.
pub(in crate::jobs) fn greeting(name: &str) -> &str {
    let is_dotted_word = |word: &str| {
        word.split('.')
            .collect::<Vec<_>>()
            .windows(2)
            .any(|pair| pair.iter().all(|part| part.chars().count() > 1))
    };
    let looks_like_a_link = name.contains(['/', '@', ':']) || name.split_whitespace().any(is_dotted_word);
    if looks_like_a_link { "there" } else { name }
}

/// For people: `2026-01-31 09:05 UTC`.
pub(in crate::jobs) fn in_words(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} {} UTC", &text[..10], &text[11..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_become_a_link_is_not_mailed_to_a_stranger() {
        for name in ["O'Brien", "Dr. Ada", "J. R. R. Tolkien", "Ana María", "李"] {
            assert_eq!(greeting(name), name);
        }
        for name in [
            "http://evil.example",
            "visit evil.example now",
            "www.evil.example",
            "a@evil.example",
        ] {
            assert_eq!(greeting(name), "there");
        }
    }

    #[test]
    fn a_time_reads_as_people_write_it() {
        assert_eq!(
            in_words(Timestamp::from_millis(1_764_000_000_123)),
            "2025-11-24 16:00 UTC"
        );
    }
}
