//! Makes an account that nobody has a password of yet: an administrator's from the command line, or one that an
//! administrator invites. A mailed or printed link sets the first one.

use crate::{
    crypto::{
        blind_index::{BlindIndexer, Candidate},
        record_mac::{Factors, RecordMac, Security},
    },
    domain::{
        account::{AccountStatus, NewPerson},
        clock::Timestamp,
        ids::AccountId,
        role::Role,
        user_type::UserType,
    },
    service::{confirm::discard, core::Core, email_filter, failure::Failure},
    storage::{
        Inserted, Ref, Unique,
        accounts::{AccountRecord, NewAccount},
        outbox::Outbox,
        profile::SealedProfile,
    },
};

/// Why no account was made.
#[derive(Debug, thiserror::Error)]
pub(in crate::service) enum UnclaimedError {
    /// Another account of that user type has it.
    #[error("the value is taken")]
    Taken(Unique),
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// The account to be made.
#[derive(Debug)]
pub(in crate::service) struct Unclaimed<'u> {
    /// The population.
    pub user_type: &'u UserType,
    /// Whose.
    pub person: &'u NewPerson,
    /// What it may do.
    pub role: Role,
    /// Whether somebody vouches for the address.
    pub is_email_verified: bool,
}

/// Makes it, with what `equip` puts into the record: the link, or the message that brings it.
pub(in crate::service) async fn make_unclaimed(
    core: &Core,
    unclaimed: Unclaimed<'_>,
    equip: impl FnOnce(&mut AccountRecord, Timestamp),
) -> Result<Ref<AccountId>, UnclaimedError> {
    let Unclaimed { user_type, person, .. } = unclaimed;
    let keyring = core.keyring.current();
    let indexer = BlindIndexer::new(&keyring, user_type);
    let candidates = indexer.find_email(&person.email).map_err(Failure::from)?;
    let holder = core.stores.accounts.find_by_email(user_type, &candidates).await;
    if holder.map_err(Failure::from)?.is_some() {
        return Err(UnclaimedError::Taken(Unique::Email));
    }
    let now = core.clock.now();
    let key = Ref::new(user_type, AccountId::make(now, &*core.entropy));
    let security = Security {
        status: AccountStatus::Active,
        role: unclaimed.role,
        is_email_verified: unclaimed.is_email_verified,
        is_phone_verified: false,
        password_hash: None,
        factors: Factors::default(),
        epoch: 0,
        kept_session: None,
        slots: indexer
            .slots(&key.id, &person.email, person.username.as_ref(), person.phone.as_ref())
            .map_err(Failure::from)?,
        rev_sec: 0,
    };
    // Usable at once, at every server: not before none of them would deny it.
    let added = email_filter::add(core, user_type, &key.id, &security.slots).await?;
    email_filter::wait_until_known(core, added, now).await;
    let security = RecordMac::new(&keyring)
        .sign(user_type, &key.id, security)
        .map_err(Failure::from)?;
    let keys = core.vault.make(&key).await?;
    let mut account = AccountRecord::new(NewAccount {
        key: key.clone(),
        created_at: now,
        updated_at: now,
        sealed: SealedProfile::seal(person, &keys),
        security,
        outbox: Outbox::default(),
    });
    equip(&mut account, now);
    match core.stores.accounts.insert(&account).await.map_err(Failure::from)? {
        Inserted::Stored => {
            discard_rivals(core, user_type, &candidates, now).await?;
            Ok(key)
        }
        Inserted::Taken(unique) => {
            core.vault.destroy(&key).await?;
            Err(UnclaimedError::Taken(unique))
        }
    }
}

/// Whoever registered the address before waits for its link in vain, and their password opens nothing.
async fn discard_rivals(
    core: &Core,
    user_type: &UserType,
    candidates: &[Candidate],
    now: Timestamp,
) -> Result<(), Failure> {
    for rival in core
        .stores
        .registrations
        .find_by_email(user_type, candidates, now)
        .await?
    {
        discard(core, &Ref::new(user_type, rival.id)).await?;
    }
    Ok(())
}
