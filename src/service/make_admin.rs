//! Makes an administrator's account, for the command line alone: the first one can come from nowhere else.
//!
//! It has no password until its link is used, which is that of a forgotten password: whoever holds it sets one. The
//! operator vouches for the address, which counts as verified.

use crate::{
    crypto::{
        blind_index::{BlindIndexer, Candidate},
        digest::link_digest,
        record_mac::{Factors, RecordMac, Security},
    },
    domain::{
        account::{AccountStatus, NewPerson},
        audit::{AuditEvent, Outcome},
        challenge::Purpose,
        clock::Timestamp,
        ids::{AccountId, ChallengeId},
        private::Private,
        role::Role,
        token::LinkToken,
        user_type::UserType,
    },
    service::{confirm::discard, core::Core, email_filter, failure::Failure},
    storage::{
        Inserted, Ref,
        accounts::{AccountRecord, NewAccount},
        outbox::Outbox,
        profile::SealedProfile,
    },
};

/// Why no account was made.
#[derive(Debug, thiserror::Error)]
pub enum MakeAdminError {
    /// The address has an account of that user type.
    #[error("the address has an account already")]
    Taken,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// How to get in.
#[derive(Debug)]
pub struct Invitation {
    /// The new account.
    pub id: AccountId,
    /// The token of the link that sets the first password, once.
    pub token: Private,
    /// When the link ends.
    pub expires_at: Timestamp,
}

/// Makes an account of `person` with the role of an administrator of `user_type`.
pub async fn make_admin(core: &Core, user_type: &UserType, person: NewPerson) -> Result<Invitation, MakeAdminError> {
    let keyring = core.keyring.current();
    let indexer = BlindIndexer::new(&keyring, user_type);
    let candidates = indexer.find_email(&person.email).map_err(Failure::from)?;
    let holder = core.stores.accounts.find_by_email(user_type, &candidates).await;
    if holder.map_err(Failure::from)?.is_some() {
        return Err(MakeAdminError::Taken);
    }
    let now = core.clock.now();
    let key = Ref::new(user_type, AccountId::make(now, &*core.entropy));
    let security = Security {
        status: AccountStatus::Active,
        role: Role::Admin,
        is_email_verified: true,
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
        sealed: SealedProfile::seal(&person, &keys),
        security,
        outbox: Outbox::default(),
    });
    let purpose = Purpose::ResetPassword;
    let token = LinkToken::make(key.id.clone(), &*core.entropy);
    account.challenge(purpose, ChallengeId::make(now, &*core.entropy), now);
    let challenge = account.challenges.get_mut(&purpose);
    let expires_at = challenge.map_or(now, |challenge| {
        challenge.digest = Some(link_digest(user_type, purpose, &token));
        challenge.expires_at
    });
    match core.stores.accounts.insert(&account).await.map_err(Failure::from)? {
        Inserted::Stored => {
            discard_rivals(core, user_type, &candidates, now).await?;
            core.note(user_type, &key.id, AuditEvent::AdminMade, Outcome::Success)
                .await;
            Ok(Invitation {
                id: key.id,
                token: token.expose(),
                expires_at,
            })
        }
        Inserted::Taken(_) => {
            core.vault.destroy(&key).await?;
            Err(MakeAdminError::Taken)
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
