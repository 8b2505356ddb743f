//! Confirm: makes the account from the registration whose link was used, and discards the others of that address.
//!
//! Steps, each of which may be repeated: mark the registration as used → insert the account (its unique slots decide)
//! → discard the rivals → delete the registration. A crash between any two is ended by the next click or by the sweep.
//!
//! The mark is why an account always has its data key. Whoever discards a registration withdraws it first, by a
//! conditional write that a mark refuses, and only then removes the key; and no click marks one that is withdrawn.

use crate::{
    crypto::{
        digest::link_digest,
        record_mac::{Factors, RecordMac, Security},
    },
    domain::{
        account::AccountStatus,
        audit::{AuditEvent, Details, Outcome},
        challenge::Purpose,
        clock::Timestamp,
        ids::{AccountId, MessageId},
        message::MessageKind,
        role::Role,
        token::{LinkToken, TokenDigest},
        user_type::UserType,
    },
    service::{change_address::confirm_change, confirm_own::confirm_own, core::Core, email_filter, failure::Failure},
    storage::{
        Change, Inserted, Ref, Unique,
        accounts::{AccountRecord, NewAccount},
        change,
        outbox::{MessageRef, Outbox, OutboxEntry},
        registrations::RegistrationRecord,
    },
    traces,
};

/// What the click did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// It made the account.
    Now,
    /// The address was confirmed before, by this link or another.
    Already,
}

/// Why the click did nothing.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// Garbled, used, expired, replaced by a later mail, or of another user type: one answer for all.
    #[error("the link is not valid")]
    LinkInvalid,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Confirms the registration, the imported account, or the change of address, that `token` belongs to.
pub async fn confirm(core: &Core, user_type: &UserType, token: &str) -> Result<Confirmed, ConfirmError> {
    let confirmed = follow(core, user_type, token).await;
    if matches!(confirmed, Err(ConfirmError::LinkInvalid)) {
        core.note_first(Some(user_type), AuditEvent::LinkRefused, Details::default())
            .await;
    }
    confirmed
}

async fn follow(core: &Core, user_type: &UserType, token: &str) -> Result<Confirmed, ConfirmError> {
    let token = LinkToken::parse(token).ok_or(ConfirmError::LinkInvalid)?;
    let key = Ref::new(user_type, token.account_id().clone());
    let digest = link_digest(user_type, Purpose::ConfirmAddress, &token);
    match use_link(core, &key, &digest).await? {
        Some(registration) => make_account(core, registration).await?.ok_or(ConfirmError::LinkInvalid),
        None => match confirm_own(core, &key, &digest).await? {
            Some(confirmed) => Ok(confirmed),
            None => confirm_change(core, user_type, &token).await,
        },
    }
}

/// Marks the registration as used; `None` where the link is not valid. That is found out by reading first: garbage must
/// not take the store's write lock.
async fn use_link(
    core: &Core,
    key: &Ref<AccountId>,
    digest: &TokenDigest,
) -> Result<Option<RegistrationRecord>, Failure> {
    let (registrations, now) = (&*core.stores.registrations, core.clock.now());
    let found = registrations.find(key).await?;
    if !found.is_some_and(|registration| registration.is_confirmed_by(digest, now)) {
        return Ok(None);
    }
    let used = change(registrations, key, |registration: &mut RegistrationRecord| {
        if !registration.is_confirmed_by(digest, now) {
            return Change::Leave(None);
        }
        registration.use_link();
        Change::Store(Some(registration.clone()))
    })
    .await?;
    Ok(used.into_value().flatten())
}

/// Makes the account of a registration whose link was used. Also what the sweep does with one that a crash left. `None`
/// where it came too late: another click made the account, and its owner has erased it since.
pub(in crate::service) async fn make_account(
    core: &Core,
    mut registration: RegistrationRecord,
) -> Result<Option<Confirmed>, Failure> {
    let key = Ref::new(&registration.user_type, registration.id.clone());
    let message_id = MessageId::make(core.clock.now(), &*core.entropy);
    // Again, for the filter may have been rebuilt or emptied since.
    let added = email_filter::add(core, &key.user_type, &key.id, &registration.slots).await?;
    email_filter::wait_until_known(core, added, registration.created_at).await;
    let inserted = loop {
        let account = new_account(core, &key, &registration, &message_id)?;
        match core.stores.accounts.insert(&account).await? {
            // Lost between create and confirmation: the account is made without it. At most once, for an unused
            // slot holds the account's own id, which nobody else can take.
            Inserted::Taken(Unique::Username) if !is_own(core, &key, &registration).await? => {
                registration.sealed.username = None;
                registration.slots = registration.slots.without_username(&key.id);
            }
            inserted => break inserted,
        }
    };
    match inserted {
        // Asked after the insert: what was erased until then lost its data key before its place was free.
        Inserted::Stored if core.stores.deks.find(&key).await?.is_none() => {
            core.stores.accounts.delete(&key).await?;
            core.stores.registrations.delete(&key).await?;
            Ok(None)
        }
        Inserted::Stored => {
            core.hand_over.offer(MessageRef {
                message_id,
                account_id: Some(key.id.clone()),
                user_type: key.user_type.clone(),
            });
            core.note(&key.user_type, &key.id, AuditEvent::AccountConfirmed, Outcome::Success)
                .await;
            end_with_rivals(core, &registration).await?;
            Ok(Some(Confirmed::Now))
        }
        Inserted::Taken(_) => {
            end_with_rivals(core, &registration).await?;
            Ok(Some(Confirmed::Already))
        }
    }
}

fn new_account(
    core: &Core,
    key: &Ref<AccountId>,
    registration: &RegistrationRecord,
    message_id: &MessageId,
) -> Result<AccountRecord, Failure> {
    let security = Security {
        status: AccountStatus::Active,
        role: Role::User,
        is_email_verified: true,
        is_phone_verified: false,
        password_hash: Some(registration.password_hash.clone()),
        factors: Factors::default(),
        epoch: 0,
        kept_session: None,
        slots: registration.slots.clone(),
        rev_sec: 0,
    };
    let now = core.clock.now();
    Ok(AccountRecord::new(NewAccount {
        key: key.clone(),
        created_at: registration.created_at,
        updated_at: now,
        sealed: registration.sealed.clone(),
        security: RecordMac::new(&core.keyring.current()).sign(&key.user_type, &key.id, security)?,
        outbox: Outbox::with(
            message_id,
            OutboxEntry::new(MessageKind::Welcome, now).in_trace(traces::current()),
        ),
    }))
}

/// Whether the username is held by the very account that an earlier click made.
async fn is_own(core: &Core, key: &Ref<AccountId>, registration: &RegistrationRecord) -> Result<bool, Failure> {
    let candidates = registration.slots.username_candidates();
    let holder = core
        .stores
        .accounts
        .find_by_username(&key.user_type, &candidates)
        .await?;
    Ok(holder.is_some_and(|account| account.id == key.id))
}

/// Discards the rivals of a registration whose address has an account now, and then deletes the registration itself:
/// as long as it is there, the next click and the sweep know that there is work left.
async fn end_with_rivals(core: &Core, registration: &RegistrationRecord) -> Result<(), Failure> {
    // Also those that are over: a crash may have left one between its withdrawal and its removal.
    const AT_ANY_TIME: Timestamp = Timestamp::from_millis(0);
    let candidates = registration.slots.email_candidates();
    let rivals = core
        .stores
        .registrations
        .find_by_email(&registration.user_type, &candidates, AT_ANY_TIME)
        .await?;
    for rival in rivals.iter().filter(|rival| rival.id != registration.id) {
        discard(core, &Ref::new(&rival.user_type, rival.id.clone())).await?;
    }
    let key = Ref::new(&registration.user_type, registration.id.clone());
    remove(core, &key, |_| true).await
}

/// Removes a registration and its data key; unless its link was used, for then whoever uses it ends it.
pub async fn discard(core: &Core, key: &Ref<AccountId>) -> Result<(), Failure> {
    remove(core, key, |registration| !registration.is_link_used()).await
}

/// Withdraws the registration if it `may` go, and only then destroys its data key, unless an account of that id lives
/// by it. The registration goes last: what a crash leaves is found again by it.
async fn remove(core: &Core, key: &Ref<AccountId>, may: fn(&RegistrationRecord) -> bool) -> Result<(), Failure> {
    let (registrations, now) = (&*core.stores.registrations, core.clock.now());
    if core.stores.accounts.find(key).await?.is_none() {
        let withdrawn = change(registrations, key, |registration: &mut RegistrationRecord| {
            if !may(registration) {
                return Change::Leave(false);
            }
            registration.withdraw(now);
            Change::Store(true)
        })
        .await?;
        if withdrawn.into_value() != Some(true) {
            return Ok(());
        }
        core.vault.destroy(key).await?;
    }
    registrations.delete(key).await?;
    Ok(())
}
