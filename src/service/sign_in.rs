//! Sign in with an address or a username and a password.
//!
//! Known and unknown, right and wrong cost the same: the same look-ups and one password hash, of the account, of the
//! newest registration that waits, or of the decoy.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::{
    crypto::{
        blind_index::BlindIndexer,
        password_hasher::{Check, PasswordHash},
        record_mac::{RecordMac, Security},
    },
    domain::{
        account::AccountStatus,
        audit::{AuditEvent, Details, Outcome},
        device::Device,
        email::Email,
        ids::AccountId,
        password::Password,
        private::Private,
        second_factor::FirstFactor,
        session::AuthenticationMethod,
        user_type::UserType,
        username::Username,
    },
    service::{
        core::Core,
        devices, email_filter,
        failure::Failure,
        second_factor::due::{Due, due},
        sessions::{Beginning, Started, start},
        throttle::{self, ThrottleError, Trier, Try},
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
    /// Where from.
    pub device: Device,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Unknown, wrong, locked, or damaged: one answer for all.
    #[error("the credentials are not valid")]
    InvalidCredentials,
    /// Too many wrong ones lately, of this name from here, or of this name from anywhere: the same for one that nobody has.
    #[error("too many tries")]
    TooManyTries {
        /// When one more may come.
        retry_after: Duration,
    },
    /// The password is right, and the registration, or an imported account, waits for its link.
    #[error("the address is not confirmed yet")]
    EmailNotVerified,
    /// The password is right, and that is half of it.
    #[error("a second factor is due")]
    SecondFactorDue(Due),
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<ThrottleError> for SignInError {
    fn from(error: ThrottleError) -> Self {
        match error {
            ThrottleError::TooManyTries { retry_after } => Self::TooManyTries { retry_after },
            ThrottleError::Failure(failure) => failure.into(),
        }
    }
}

/// Signs in.
pub async fn sign_in(core: &Core, user_type: &UserType, attempt: SignIn) -> Result<Started, SignInError> {
    let (account, registration) = find(core, user_type, attempt.identifier.expose()).await?;
    let charged = charge(core, user_type, &attempt, account.as_ref()).await?;
    let password = Arc::new(attempt.password);
    let usable = match account {
        Some(account) => usable_security(core, account).await,
        None => None,
    };
    let Some((key, security, stored)) = usable else {
        let error = check_registration(core, registration, password).await?;
        if matches!(error, SignInError::EmailNotVerified) {
            charged.succeeded(core).await;
        }
        // As of an account: what is written costs time, too.
        refused(core, user_type, None).await;
        return Err(error);
    };
    match core
        .hasher
        .verify(Arc::clone(&password), stored)
        .await
        .map_err(Failure::from)?
    {
        Check::Mismatch => {
            refused(core, user_type, Some(&key.id)).await;
            Err(SignInError::InvalidCredentials)
        }
        Check::Match { is_outdated } => {
            charged.succeeded(core).await;
            if !security.is_email_verified {
                refused(core, user_type, Some(&key.id)).await;
                return Err(SignInError::EmailNotVerified);
            }
            if is_outdated {
                rehash(core, &key, &security, password).await?;
            }
            if let Some(due) = due(core, &key, &security, FirstFactor::Password, attempt.remember)? {
                let event = AuditEvent::SecondFactorAsked;
                core.note(user_type, &key.id, event, Outcome::Success).await;
                return Err(SignInError::SecondFactorDue(due));
            }
            let beginning = Beginning {
                account: &key,
                security: &security,
                methods: vec![AuthenticationMethod::Password],
                device: &attempt.device,
                remember: attempt.remember,
            };
            let Some(started) = start(core, beginning).await? else {
                return Err(SignInError::InvalidCredentials);
            };
            core.note(user_type, &key.id, AuditEvent::SignedIn, Outcome::Success)
                .await;
            Ok(started)
        }
    }
}

/// Charges the try to whoever makes it.
async fn charge(
    core: &Core,
    user_type: &UserType,
    attempt: &SignIn,
    account: Option<&AccountRecord>,
) -> Result<Try, SignInError> {
    let given = attempt.identifier.expose();
    let name = match (Email::parse(given), Username::parse(given)) {
        (Ok(email), _) => email.index_form().to_owned(),
        (_, Ok(username)) => username.index_form().to_owned(),
        // Nobody's, and nobody's name is as long.
        _ => given.chars().take(256).collect(),
    };
    let name = Zeroizing::new(name);
    let known = match account {
        Some(account) => devices::known(core, account, &attempt.device)?,
        None => None,
    };
    let trier = match &known {
        Some(digest) => Trier::KnownDevice { name: &name, digest },
        None => Trier::Stranger {
            name: &name,
            network: attempt.device.network.as_ref(),
        },
    };
    let charged = throttle::charge(core, user_type, &trier).await;
    if matches!(charged, Err(ThrottleError::TooManyTries { .. })) {
        core.note_first(Some(user_type), AuditEvent::TriesThrottled, Details::default())
            .await;
    }
    Ok(charged?)
}

async fn refused(core: &Core, user_type: &UserType, account: Option<&AccountId>) {
    let event = AuditEvent::SignInRefused;
    match account {
        Some(account) => core.note(user_type, account, event, Outcome::Refused).await,
        None => core.note_of_nobody(user_type, event, Outcome::Refused).await,
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
