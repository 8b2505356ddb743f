//! Sign in with an address or a username and a password.
//!
//! Known and unknown, right and wrong cost the same: the same look-ups and one password hash, of the account, of the
//! newest registration that waits, or of the decoy.

use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    crypto::{
        blind_index::BlindIndexer,
        password_hasher::{Check, PasswordHash},
        record_mac::{RecordMac, Security},
    },
    domain::{
        account::AccountStatus,
        audit::{AuditEvent, Outcome},
        email::Email,
        ids::AccountId,
        password::Password,
        private::Private,
        session::AuthenticationMethod,
        user_type::UserType,
        username::Username,
    },
    service::{
        core::Core,
        email_filter,
        failure::Failure,
        sessions::{TokenPair, start},
    },
    storage::{Change, Ref, accounts::AccountRecord, change, registrations::RegistrationRecord},
};

/// What a person types in.
#[derive(Debug)]
pub struct SignIn {
    /// Address or username.
    pub identifier: Private,
    /// Password.
    pub password: Password,
    /// Keep the session for long.
    pub remember: bool,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Unknown, wrong, locked, or damaged: one answer for all.
    #[error("the credentials are not valid")]
    InvalidCredentials,
    /// The password is right, and the registration waits for its link.
    #[error("the address is not confirmed yet")]
    EmailNotVerified,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Signs in.
pub async fn sign_in(core: &Core, user_type: &UserType, attempt: SignIn) -> Result<TokenPair, SignInError> {
    let (account, registration) = find(core, user_type, attempt.identifier.expose()).await?;
    let password = Arc::new(attempt.password);
    let usable = match account {
        Some(account) => usable_security(core, account).await,
        None => None,
    };
    let Some((key, security, stored)) = usable else {
        let refusal = check_registration(core, registration, password).await?;
        core.note_of_nobody(user_type, AuditEvent::SignInRefused, Outcome::Refused)
            .await;
        return Err(refusal);
    };
    match core
        .hasher
        .verify(Arc::clone(&password), stored)
        .await
        .map_err(Failure::from)?
    {
        Check::Mismatch => {
            core.note(user_type, &key.id, AuditEvent::SignInRefused, Outcome::Refused)
                .await;
            Err(SignInError::InvalidCredentials)
        }
        Check::Match { is_outdated } => {
            if is_outdated {
                rehash(core, &key, &security, password).await?;
            }
            let methods = vec![AuthenticationMethod::Password];
            let Some(pair) = start(core, &key, &security, methods, attempt.remember).await? else {
                return Err(SignInError::InvalidCredentials);
            };
            core.note(user_type, &key.id, AuditEvent::SignedIn, Outcome::Success)
                .await;
            Ok(pair)
        }
    }
}

async fn find(
    core: &Core,
    user_type: &UserType,
    identifier: &str,
) -> Result<(Option<AccountRecord>, Option<RegistrationRecord>), Failure> {
    let keyring = core.keyring.current();
    let indexer = BlindIndexer::new(&keyring, user_type);
    // Usernames hold no `@`, so that an identifier is one or the other.
    if let Ok(email) = Email::parse(identifier) {
        let candidates = indexer.find_email(&email)?;
        if email_filter::is_surely_unknown(core, user_type, &candidates)?
            && let Some(took) = core.look_ups.draw(&*core.entropy)
        {
            email_filter::wait_as_a_look_up(took).await?;
            return Ok((None, None));
        }
        let began = Instant::now();
        let (account, registrations) = tokio::try_join!(
            core.stores.accounts.find_by_email(user_type, &candidates),
            core.stores
                .registrations
                .find_by_email(user_type, &candidates, core.clock.now()),
        )
        .inspect_err(|_| core.look_ups.forget())?;
        core.look_ups.note(began.elapsed());
        let registration = registrations.into_iter().next();
        if account.is_none() && registration.is_none() {
            email_filter::note_false_positive();
        }
        return Ok((account, registration));
    }
    match Username::parse(identifier) {
        Ok(username) => {
            let candidates = indexer.find_username(&username)?;
            Ok((
                core.stores.accounts.find_by_username(user_type, &candidates).await?,
                None,
            ))
        }
        Err(_) => Ok((None, None)),
    }
}

async fn usable_security(core: &Core, account: AccountRecord) -> Option<(Ref<AccountId>, Security, PasswordHash)> {
    let key = Ref::new(&account.user_type, account.id.clone());
    let keyring = core.keyring.current();
    let Ok(security) = RecordMac::new(&keyring).verify(&key.user_type, &key.id, account.security()) else {
        core.note(&key.user_type, &key.id, AuditEvent::RecordTampered, Outcome::Refused)
            .await;
        return None;
    };
    let stored = security
        .password_hash
        .clone()
        .filter(|_| security.status == AccountStatus::Active)?;
    Some((key, security.clone(), stored))
}

async fn check_registration(
    core: &Core,
    registration: Option<RegistrationRecord>,
    password: Arc<Password>,
) -> Result<SignInError, Failure> {
    let Some(registration) = registration else {
        core.hasher.verify_decoy(password).await?;
        return Ok(SignInError::InvalidCredentials);
    };
    match core.hasher.verify(password, registration.password_hash).await? {
        Check::Match { .. } => Ok(SignInError::EmailNotVerified),
        Check::Mismatch => Ok(SignInError::InvalidCredentials),
    }
}

/// Replaces an outdated hash, unless the password was changed meanwhile: then the change wins.
async fn rehash(
    core: &Core,
    key: &Ref<AccountId>,
    security: &Security,
    password: Arc<Password>,
) -> Result<(), Failure> {
    let password_hash = Some(core.hasher.hash(password).await?);
    let replacement = Security {
        password_hash,
        rev_sec: security.rev_sec + 1,
        ..security.clone()
    };
    let signed = RecordMac::new(&core.keyring.current()).sign(&key.user_type, &key.id, replacement)?;
    let changed = change(&*core.stores.accounts, key, |account: &mut AccountRecord| {
        if account.replace_security(security.rev_sec, signed.clone()) {
            Change::Store(true)
        } else {
            Change::Leave(false)
        }
    })
    .await?;
    if changed.into_value() == Some(true) {
        core.note(&key.user_type, &key.id, AuditEvent::PasswordRehashed, Outcome::Success)
            .await;
    }
    Ok(())
}
