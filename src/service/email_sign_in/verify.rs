//! The end of a sign-in by mail: the challenge of the device that asked, and what the mail brought.

use crate::{
    crypto::{
        blind_index::BlindIndexer,
        email_sign_in::{Bound, Challenge, Shown, matches},
        record_mac::{RecordMac, Security},
    },
    domain::{
        audit::{AuditEvent, Details, Outcome},
        challenge::Purpose,
        device::Device,
        email::Email,
        ids::{AccountId, ChallengeId},
        private::Private,
        second_factor::FirstFactor,
        token::TokenDigest,
        user_type::UserType,
    },
    service::{
        accounts::{ATTEMPTS, contended},
        core::Core,
        email_sign_in::may_sign_in,
        failure::Failure,
        second_factor::due::{Due, due},
        sessions::{Beginning, Started, start},
        vault::request_keys,
    },
    storage::{Change, Changed, Ref, accounts::AccountRecord, change, requests::RequestRecord},
};

/// What a device shows.
#[derive(Debug)]
pub struct EmailSignInAttempt {
    /// What it was given when it asked.
    pub challenge: Private,
    /// What the mail brought; `None` where that can't be any.
    pub shown: Option<Shown>,
    /// Keep the session for long.
    pub remember: bool,
    /// Where from.
    pub device: Device,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum EmailSignInError {
    /// Wrong, late, used, replaced, one try too many, another device's challenge, or nobody's: one answer for all.
    #[error("the code is not valid")]
    Refused,
    /// It is right, and half of it.
    #[error("a second factor is due")]
    SecondFactorDue(Due),
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Signs in.
pub async fn verify_email_sign_in(
    core: &Core,
    user_type: &UserType,
    attempt: EmailSignInAttempt,
) -> Result<Started, EmailSignInError> {
    let Some((request, email)) = open(core, user_type, &attempt.challenge)? else {
        core.note_first(Some(user_type), AuditEvent::SignInRefused, Details::default())
            .await;
        return Err(EmailSignInError::Refused);
    };
    if !charge(core, &request).await? {
        core.note_of_nobody(user_type, AuditEvent::SignInRefused, Outcome::Refused)
            .await;
        return Err(EmailSignInError::Refused);
    }
    // As often for an address that nobody has.
    let candidates = BlindIndexer::new(&core.keyring.current(), user_type)
        .find_email(&email)
        .map_err(Failure::from)?;
    let found = core.stores.accounts.find_by_email(user_type, &candidates).await;
    let found = found.map_err(Failure::from)?;
    let challenge = ChallengeId::of_message(&request.id);
    let account_id = found.as_ref().map(|account| account.id.clone());
    let signed_in = match (found, &attempt.shown) {
        (Some(account), Some(shown)) => use_up(core, account, &challenge, shown).await?,
        _ => None,
    };
    let Some((key, security)) = signed_in else {
        let event = AuditEvent::SignInRefused;
        match account_id {
            Some(id) => core.note(user_type, &id, event, Outcome::Refused).await,
            None => core.note_of_nobody(user_type, event, Outcome::Refused).await,
        }
        return Err(EmailSignInError::Refused);
    };
    let first = FirstFactor::Mail;
    if let Some(due) = due(core, &key, &security, first, attempt.remember)? {
        let event = AuditEvent::SecondFactorAsked;
        core.note(user_type, &key.id, event, Outcome::Success).await;
        return Err(EmailSignInError::SecondFactorDue(due));
    }
    let beginning = Beginning {
        account: &key,
        security: &security,
        methods: vec![first.method()],
        device: &attempt.device,
        remember: attempt.remember,
    };
    let started = start(core, beginning).await?.ok_or(EmailSignInError::Refused)?;
    core.note(user_type, &key.id, AuditEvent::SignedIn, Outcome::Success)
        .await;
    Ok(started)
}

/// Which request the challenge was given for, and about which address; `None` where it is none of ours.
fn open(
    core: &Core,
    user_type: &UserType,
    challenge: &Private,
) -> Result<Option<(Ref<crate::domain::ids::MessageId>, Email)>, Failure> {
    let Some(challenge) = Challenge::split(challenge.expose()) else {
        return Ok(None);
    };
    let request = Ref::new(user_type, challenge.request.clone());
    let keys = request_keys(&core.keyring.current(), &request)?;
    Ok(challenge.open(&keys).map(|email| (request, email)))
}

/// Before anything is compared: of a thousand who guess at once, five are compared.
async fn charge(core: &Core, key: &Ref<crate::domain::ids::MessageId>) -> Result<bool, Failure> {
    let now = core.clock.now();
    let charge = |request: &mut RequestRecord| {
        if request.charge(now) {
            Change::Store(())
        } else {
            Change::Leave(())
        }
    };
    // Tried on what is read first: who has no try left must not queue for the record.
    let Some(mut request) = core.stores.requests.find(key).await? else {
        return Ok(false);
    };
    if matches!(charge(&mut request), Change::Leave(())) {
        return Ok(false);
    }
    let charged = change(&*core.stores.requests, key, charge).await?;
    Ok(matches!(charged, Changed::Stored(())))
}

/// Compares, and uses up what was right, in one write that nobody else's has gone before: of many at once one does.
async fn use_up(
    core: &Core,
    mut account: AccountRecord,
    challenge: &ChallengeId,
    shown: &Shown,
) -> Result<Option<(Ref<AccountId>, Security)>, Failure> {
    let key = Ref::new(&account.user_type, account.id.clone());
    for _ in 0..ATTEMPTS {
        let Some((security, kept)) = compared(core, &key, &account, challenge, shown).await else {
            return Ok(None);
        };
        let now = core.clock.now();
        let used = change(&*core.stores.accounts, &key, |account: &mut AccountRecord| {
            // Of the same code still, and of the account as it was compared.
            let is_kept = pending(account, challenge, shown, now) == Some(kept);
            if !is_kept {
                return Change::Leave(false);
            }
            if account.security().rev_sec() != security.rev_sec {
                return Change::Leave(true);
            }
            account.void(Purpose::EmailSignIn);
            Change::Store(true)
        });
        match used.await? {
            Changed::Stored(_) => return Ok(Some((key, security))),
            Changed::Left(true) => {}
            Changed::Left(false) | Changed::Missing | Changed::Taken(_) => return Ok(None),
        }
        match core.stores.accounts.find(&key).await? {
            Some(again) => account = again,
            None => return Ok(None),
        }
    }
    Err(contended())
}

/// What the account's MAC covers and the digest that was met, where what is shown is right.
async fn compared(
    core: &Core,
    key: &Ref<AccountId>,
    account: &AccountRecord,
    challenge: &ChallengeId,
    shown: &Shown,
) -> Option<(Security, TokenDigest)> {
    let keyring = core.keyring.current();
    let Ok(security) = RecordMac::new(&keyring).verify(&key.user_type, &key.id, account.security()) else {
        core.note(&key.user_type, &key.id, AuditEvent::RecordTampered, Outcome::Refused)
            .await;
        return None;
    };
    let kept = pending(account, challenge, shown, core.clock.now())?;
    let bound = Bound {
        user_type: &key.user_type,
        account: &key.id,
        challenge,
        epoch: security.epoch,
    };
    let is_right = matches(&keyring, bound, shown, &kept) && may_sign_in(security);
    is_right.then(|| (security.clone(), kept))
}

/// What the account waits for of that challenge, in time.
fn pending(
    account: &AccountRecord,
    challenge: &ChallengeId,
    shown: &Shown,
    now: crate::domain::clock::Timestamp,
) -> Option<TokenDigest> {
    let waiting = account.challenges.get(&Purpose::EmailSignIn)?;
    let waiting = (waiting.id == *challenge && now < waiting.expires_at).then_some(waiting)?;
    match shown {
        Shown::Code(_) => waiting.digest,
        Shown::Link(_) => waiting.link,
    }
}
