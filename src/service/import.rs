//! Imports one account: it keeps its id and its password hash, and everything personal is sealed anew.
//!
//! Steps, each of which may be repeated: the address into the e-mail filter → the data key → the account (its unique slots
//! decide). A crash leaves a data key without an account at most; the next run takes it up. What is there already stays
//! as it is, whatever the source says by now; and who was erased since is not brought back.

use crate::{
    crypto::{
        blind_index::BlindIndexer,
        data_key::DataKeys,
        foreign_hash::ForeignHash,
        password_hasher::PasswordHash,
        record_mac::{Factors, RecordMac, Security},
    },
    domain::{
        account::{AccountStatus, NewPerson},
        attributes::parse_attributes,
        audit::{AuditEvent, Outcome},
        clock::Timestamp,
        ids::{AccountId, AuditId},
        import::{FieldNote, ImportedAccount},
        private::Refusal as _,
        role::Role,
        user_type::UserType,
    },
    service::{confirm::discard, core::Core, email_filter, failure::Failure},
    storage::{
        Inserted, Ref, StoreError, Unique,
        accounts::{AccountRecord, NewAccount},
        outbox::Outbox,
        profile::SealedProfile,
    },
};

/// Entries of the audit that are read at once.
const PAGE: u32 = 200;

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported {
    /// There is an account now; or would be, in a dry run.
    Made,
    /// It was imported before.
    AlreadyThere,
    /// It was imported before, and its owner has deleted it since.
    Erased,
    /// Another account has its id, address or username.
    Taken(Unique),
    /// It can't be an account.
    Invalid(Vec<FieldNote>),
}

/// Imports `account` into `user_type`; looks only, in a dry run. No account is announced to its owner.
pub async fn import(
    core: &Core,
    user_type: &UserType,
    account: ImportedAccount,
    is_dry: bool,
) -> Result<Imported, Failure> {
    let key = Ref::new(user_type, account.id.clone());
    let account = match judge(core, user_type, account) {
        Ok(account) => account,
        Err(invalid) => return Ok(Imported::Invalid(invalid)),
    };
    if let Some(found) = look(core, &key, &account.person).await? {
        return Ok(found);
    }
    if is_dry {
        return Ok(Imported::Made);
    }
    make(core, &key, account).await
}

/// An account whose hash and attributes were judged too.
struct Sound {
    person: NewPerson,
    password_hash: Option<PasswordHash>,
    is_email_verified: bool,
    is_phone_verified: bool,
    created_at: Option<Timestamp>,
}

fn judge(core: &Core, user_type: &UserType, account: ImportedAccount) -> Result<Sound, Vec<FieldNote>> {
    let mut invalid = Vec::new();
    let mut person = account.person;
    if let Some(object) = account.attributes {
        match parse_attributes(object, core.settings(user_type).attributes.as_ref()) {
            Ok(text) => person.attributes = Some(text),
            Err(refusal) => invalid.push(FieldNote::new("attributes", refusal.code())),
        }
    }
    let password_hash = account.password_hash.and_then(|text| {
        if let Err(refusal) = ForeignHash::parse(text.expose()) {
            invalid.push(FieldNote::new("password_hash", refusal.code()));
            return None;
        }
        Some(PasswordHash::from_stored(text.expose().to_owned()))
    });
    if !invalid.is_empty() {
        return Err(invalid);
    }
    Ok(Sound {
        is_email_verified: account.is_email_verified,
        is_phone_verified: account.is_phone_verified && person.phone.is_some(),
        created_at: account.created_at,
        person,
        password_hash,
    })
}

/// Why there is nothing to be made, if there is not.
async fn look(core: &Core, key: &Ref<AccountId>, person: &NewPerson) -> Result<Option<Imported>, Failure> {
    let accounts = &core.stores.accounts;
    let (emails, usernames) = {
        let keyring = core.keyring.current();
        let indexer = BlindIndexer::new(&keyring, &key.user_type);
        let username = person.username.as_ref();
        (
            indexer.find_email(&person.email)?,
            username.map(|username| indexer.find_username(username)).transpose()?,
        )
    };
    if let Some(found) = accounts.find(key).await? {
        let stored = found.security().slots().email_candidates();
        let is_same = stored.iter().any(|candidate| emails.contains(candidate));
        return Ok(Some(if found.sealed.is_none() {
            Imported::Erased
        } else if is_same || has_happened(core, key, AuditEvent::AddressChanged).await? {
            Imported::AlreadyThere
        } else {
            Imported::Taken(Unique::Id)
        }));
    }
    if has_happened(core, key, AuditEvent::AccountErased).await? {
        return Ok(Some(Imported::Erased));
    }
    if accounts.find_by_email(&key.user_type, &emails).await?.is_some() {
        return Ok(Some(Imported::Taken(Unique::Email)));
    }
    match usernames {
        Some(usernames) if accounts.find_by_username(&key.user_type, &usernames).await?.is_some() => {
            Ok(Some(Imported::Taken(Unique::Username)))
        }
        _ => Ok(None),
    }
}

/// Whether the audit, as far back as it is kept, has an account's `event`.
async fn has_happened(core: &Core, key: &Ref<AccountId>, event: AuditEvent) -> Result<bool, Failure> {
    let mut after: Option<AuditId> = None;
    loop {
        let audit = &core.stores.audit;
        let page = audit.list(&key.user_type, Some(&key.id), after.as_ref(), PAGE).await?;
        if page
            .iter()
            .any(|entry| entry.event == event && entry.outcome == Outcome::Success)
        {
            return Ok(true);
        }
        match page.into_iter().next_back() {
            Some(last) => after = Some(last.id),
            None => return Ok(false),
        }
    }
}

async fn make(core: &Core, key: &Ref<AccountId>, account: Sound) -> Result<Imported, Failure> {
    let person = &account.person;
    let slots = BlindIndexer::new(&core.keyring.current(), &key.user_type).slots(
        &key.id,
        &person.email,
        person.username.as_ref(),
        person.phone.as_ref(),
    )?;
    // Whoever imports waits for the last of them, once.
    email_filter::add(core, &key.user_type, &key.id, &slots).await?;
    let security = Security {
        status: AccountStatus::Active,
        role: Role::User,
        is_email_verified: account.is_email_verified,
        is_phone_verified: account.is_phone_verified,
        password_hash: account.password_hash.clone(),
        factors: Factors::default(),
        epoch: 0,
        kept_session: None,
        slots: slots.clone(),
        rev_sec: 0,
    };
    let now = core.clock.now();
    let security = RecordMac::new(&core.keyring.current()).sign(&key.user_type, &key.id, security)?;
    let keys = data_keys(core, key).await?;
    let record = AccountRecord::new(NewAccount {
        key: key.clone(),
        created_at: account.created_at.map_or(now, |at| at.min(now)),
        updated_at: now,
        sealed: SealedProfile::seal(person, &keys),
        security,
        outbox: Outbox::default(),
    });
    match core.stores.accounts.insert(&record).await? {
        // Asked after the insert, as where a link makes an account: another run may have removed the key meanwhile.
        Inserted::Stored if core.stores.deks.find(key).await?.is_none() => {
            core.stores.accounts.delete(key).await?;
            Err(StoreError::Contended.into())
        }
        Inserted::Stored => {
            core.note(&key.user_type, &key.id, AuditEvent::AccountImported, Outcome::Success)
                .await;
            if account.is_email_verified {
                // As where an account is made by its link: whoever waits for this address waits in vain.
                let registrations = &core.stores.registrations;
                let candidates = slots.email_candidates();
                for rival in registrations.find_by_email(&key.user_type, &candidates, now).await? {
                    discard(core, &Ref::new(&rival.user_type, rival.id)).await?;
                }
            }
            Ok(Imported::Made)
        }
        Inserted::Taken(Unique::Id) => Ok(Imported::AlreadyThere),
        Inserted::Taken(unique) => {
            // Another run may have made this very account, which lives by the same key.
            if core.stores.accounts.find(key).await?.is_some() {
                return Ok(Imported::AlreadyThere);
            }
            core.vault.destroy(key).await?;
            Ok(Imported::Taken(unique))
        }
    }
}

/// The account's data key: a new one, or what a crash left of the run before.
async fn data_keys(core: &Core, key: &Ref<AccountId>) -> Result<DataKeys, Failure> {
    if core.stores.deks.find(key).await?.is_some() {
        return core.vault.open(key).await;
    }
    core.vault.make(key).await
}
