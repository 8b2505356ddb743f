//! Create: makes a pending registration for any address and looks the address up nowhere, so that a stranger learns
//! nothing and the owner of an address keeps it. Which mail goes out, the worker decides.

use std::{sync::Arc, time::Duration};

use crate::{
    crypto::blind_index::BlindIndexer,
    domain::{
        account::NewPerson,
        audit::{AuditEvent, Outcome},
        ids::{AccountId, MessageId},
        message::MessageKind,
        password::Password,
        user_type::UserType,
    },
    service::{core::Core, email_filter, failure::Failure},
    storage::{
        Ref, SCHEMA,
        outbox::{MessageRef, Outbox, OutboxEntry},
        profile::SealedProfile,
        registrations::RegistrationRecord,
    },
    traces,
};

/// How long a registration waits for its link.
pub const LIFETIME: Duration = Duration::from_hours(24);

/// Why nothing was registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Usernames are public by nature: a taken one is told.
    #[error("the username is taken")]
    UsernameTaken,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Registers `person`; answers the id that the account will have, or that leads nowhere.
pub async fn register(
    core: &Core,
    user_type: &UserType,
    person: NewPerson,
    password: Password,
) -> Result<AccountId, RegisterError> {
    let keyring = core.keyring.current();
    let indexer = BlindIndexer::new(&keyring, user_type);
    if let Some(username) = &person.username {
        let candidates = indexer.find_username(username).map_err(Failure::from)?;
        let holder = core
            .stores
            .accounts
            .find_by_username(user_type, &candidates)
            .await
            .map_err(Failure::from)?;
        if holder.is_some() {
            return Err(RegisterError::UsernameTaken);
        }
    }
    let password_hash = core.hasher.hash(Arc::new(password)).await.map_err(Failure::from)?;

    let key = Ref::new(user_type, AccountId::make(core.clock.now(), &*core.entropy));
    let slots = indexer
        .slots(&key.id, &person.email, person.username.as_ref(), person.phone.as_ref())
        .map_err(Failure::from)?;
    email_filter::add(core, user_type, &key.id, &slots).await?;
    // Not before the address is in the filter: from now on it counts how long other servers have known of it.
    let now = core.clock.now();
    let keys = core.vault.make(&key).await?;
    let message_id = MessageId::make(now, &*core.entropy);
    let registration = RegistrationRecord {
        id: key.id.clone(),
        user_type: user_type.clone(),
        schema: SCHEMA,
        rev: 0,
        created_at: now,
        expires_at: now.plus(LIFETIME),
        sealed: SealedProfile::seal(&person, &keys),
        password_hash,
        slots,
        link_digest: None,
        outbox: Outbox::with(
            &message_id,
            OutboxEntry::new(MessageKind::ConfirmAddress, now).in_trace(traces::current()),
        ),
    };
    core.stores
        .registrations
        .insert(&registration)
        .await
        .map_err(Failure::from)?;
    core.hand_over.offer(MessageRef {
        message_id,
        account_id: Some(key.id.clone()),
        user_type: user_type.clone(),
    });
    core.note(user_type, &key.id, AuditEvent::RegistrationCreated, Outcome::Success)
        .await;
    Ok(key.id)
}
