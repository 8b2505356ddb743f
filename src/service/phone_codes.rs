//! Codes to a phone: asked for, charged, compared.
//!
//! A try is charged in a write of its own before the code is compared, so that a thousand who guess at once get five
//! comparisons between them.

use std::time::Duration;

use crate::{
    crypto::{blind_index::BlindIndexer, digest::code_matches},
    domain::{
        audit::{AuditEvent, Outcome},
        challenge::{Challenge, Purpose},
        clock::Timestamp,
        code::OtpCode,
        ids::ChallengeId,
        message::MessageKind,
        phone::Phone,
    },
    service::{
        accounts::{ATTEMPTS, contended, find_verified, hand_over, message, open_keys, sign},
        authenticate::Caller,
        core::Core,
        failure::Failure,
        fresh::is_fresh,
        text_guard::{Admitted, GuardError, admit, is_served, note_verified},
    },
    storage::{
        Change,
        accounts::AccountRecord,
        change,
        limits::{Quota, Spent},
    },
};

/// Why no code is sent.
#[derive(Debug, thiserror::Error)]
pub enum SendCodeError {
    /// Nobody is configured to send texts.
    #[error("texts are switched off")]
    Off,
    /// The profile has no number.
    #[error("there is no number")]
    NoPhone,
    /// Not a number that takes texts.
    #[error("the number takes no texts")]
    NotTextable,
    /// The last one was sent a moment ago.
    #[error("too soon")]
    TooSoon {
        /// One in so long.
        pause: Duration,
        /// How long to wait.
        retry_after: Duration,
    },
    /// Its country is not texted.
    #[error("numbers of this country are not texted")]
    NotServed,
    /// What guards texts lets it through not now.
    #[error(transparent)]
    Held(GuardError),
    /// The sign-in is too old to enrol another number.
    #[error("the sign-in is too old")]
    StaleSignIn,
    /// The account is gone.
    #[error("the account is gone")]
    Gone,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// A code that is on its way.
#[derive(Debug)]
pub struct SentCode {
    /// Its name.
    pub challenge: ChallengeId,
    /// What the limits of texts said.
    pub limits: Vec<(Quota, Spent)>,
}

impl SendCodeError {
    fn too_soon(challenge: &Challenge, now: Timestamp) -> Self {
        Self::TooSoon {
            pause: challenge.may_repeat_at().since(challenge.made_at),
            retry_after: challenge.may_repeat_at().since(now),
        }
    }
}

impl From<GuardError> for SendCodeError {
    fn from(error: GuardError) -> Self {
        match error {
            GuardError::Failure(failure) => failure.into(),
            held => Self::Held(held),
        }
    }
}

/// Asks for a code to the account's number, or to another that becomes the account's, unverified. `client` is the address
/// of the caller's client, as limits count it.
pub async fn send_code(
    core: &Core,
    caller: &Caller,
    client: &str,
    enrol: Option<&Phone>,
) -> Result<SentCode, SendCodeError> {
    let mut admitted = None;
    let sent = store_code(core, caller, client, enrol, &mut admitted).await;
    let limits = admitted.as_mut().map(|admitted| std::mem::take(&mut admitted.limits));
    match (admitted, &sent) {
        (Some(admitted), Ok(_)) => admitted.sent(core, &caller.account.user_type).await,
        (Some(admitted), Err(_)) => admitted.take_back(core).await,
        (None, _) => {}
    }
    Ok(SentCode {
        challenge: sent?,
        limits: limits.unwrap_or_default(),
    })
}

async fn store_code(
    core: &Core,
    caller: &Caller,
    client: &str,
    enrol: Option<&Phone>,
    admitted: &mut Option<Admitted>,
) -> Result<ChallengeId, SendCodeError> {
    let key = caller.key();
    if core.settings(&key.user_type).is_texting_off {
        return Err(SendCodeError::Off);
    }
    let keys = open_keys(core, &key).await?.ok_or(SendCodeError::Gone)?;
    for _ in 0..ATTEMPTS {
        let (account, security) = find_verified(core, &key).await?.ok_or(SendCodeError::Gone)?;
        let sealed = account.sealed.as_ref().ok_or(SendCodeError::Gone)?;
        let person = core.opened(&key, sealed.open(&keys)).await?;
        let is_other =
            enrol.is_some_and(|phone| person.phone.as_ref().is_none_or(|own| own.expose() != phone.expose()));
        if is_other && !is_fresh(core, caller).await? {
            return Err(SendCodeError::StaleSignIn);
        }
        let phone = enrol.or(person.phone.as_ref()).ok_or(SendCodeError::NoPhone)?;
        if !phone.is_textable() {
            return Err(SendCodeError::NotTextable);
        }
        if !is_served(core, phone) {
            return Err(SendCodeError::NotServed);
        }
        let now = core.clock.now();
        let last = account.challenges.get(&Purpose::VerifyPhone);
        if let Some(last) = last.filter(|last| now < last.may_repeat_at()) {
            return Err(SendCodeError::too_soon(last, now));
        }
        if admitted.is_none() {
            *admitted = Some(admit(core, caller, client, phone).await?);
        }
        let enrolled = if is_other {
            let keyring = core.keyring.current();
            let slots = BlindIndexer::new(&keyring, &key.user_type)
                .slots(&key.id, &person.email, person.username.as_ref(), Some(phone))
                .map_err(Failure::from)?;
            let signed = sign(core, &key, &security, |next| {
                next.slots = slots;
                next.is_phone_verified = false;
            })?;
            Some((signed, keys.seal(phone)))
        } else {
            None
        };
        let (message_id, entry) = message(core, MessageKind::PhoneCode);
        let id = ChallengeId::make(now, &*core.entropy);
        let step = change(&*core.stores.accounts, &key, |stored: &mut AccountRecord| {
            if let Some(last) = stored.challenges.get(&Purpose::VerifyPhone)
                && now < last.may_repeat_at()
            {
                return Change::Leave(Step::TooSoon(SendCodeError::too_soon(last, now)));
            }
            if let Some((signed, sealed_phone)) = &enrolled {
                let is_stored = stored.replace_security(security.rev_sec, signed.clone());
                let Some(sealed) = stored.sealed.as_mut().filter(|_| is_stored) else {
                    return Change::Leave(Step::Overtaken);
                };
                sealed.phone = Some(sealed_phone.clone());
                stored.version += 1;
                stored.updated_at = now;
            }
            stored.challenge(Purpose::VerifyPhone, id.clone(), now);
            stored.outbox.replace(&message_id, entry.clone());
            Change::Store(Step::Done)
        })
        .await
        .map_err(Failure::from)?;
        match step.into_value() {
            Some(Step::Done) => {
                core.note_message(&key.user_type, &key.id, AuditEvent::PhoneCodeRequested, &message_id)
                    .await;
                hand_over(core, &key, message_id);
                return Ok(id);
            }
            Some(Step::TooSoon(refused)) => return Err(refused),
            Some(Step::Overtaken) => {}
            None => return Err(SendCodeError::Gone),
        }
    }
    Err(contended().into())
}

enum Step {
    Done,
    TooSoon(SendCodeError),
    Overtaken,
}

/// Why the number stays unverified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyCodeError {
    /// Wrong, late, replaced by a later one, or one try too many: one answer for all.
    #[error("the code is not valid")]
    Refused,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Verifies the number by the code that was sent for `challenge`.
pub async fn verify_code(
    core: &Core,
    caller: &Caller,
    challenge: &ChallengeId,
    code: &OtpCode,
) -> Result<(), VerifyCodeError> {
    let key = caller.key();
    let now = core.clock.now();
    let charge = |account: &mut AccountRecord| {
        let pending = account
            .challenges
            .get_mut(&Purpose::VerifyPhone)
            .filter(|pending| pending.id == *challenge);
        pending.and_then(|pending| pending.charge(now))
    };
    // Tried on what was read for this call first: who has no try left must not queue for the record.
    let digest = if charge(&mut caller.account.clone()).is_some() {
        let charged = change(
            &*core.stores.accounts,
            &key,
            |account: &mut AccountRecord| match charge(account) {
                Some(digest) => Change::Store(Some(digest)),
                None => Change::Leave(None),
            },
        );
        charged.await.map_err(Failure::from)?.into_value().flatten()
    } else {
        None
    };
    let is_right = digest.is_some_and(|digest| {
        code_matches(
            &core.keyring.current(),
            &key.user_type,
            &key.id,
            challenge,
            code,
            &digest,
        )
    });
    if !is_right {
        core.note(&key.user_type, &key.id, AuditEvent::PhoneCodeRefused, Outcome::Refused)
            .await;
        return Err(VerifyCodeError::Refused);
    }
    for _ in 0..ATTEMPTS {
        let Some((_, security)) = find_verified(core, &key).await? else {
            return Err(VerifyCodeError::Refused);
        };
        let signed = sign(core, &key, &security, |next| next.is_phone_verified = true)?;
        let consumed = change(&*core.stores.accounts, &key, |account: &mut AccountRecord| {
            // Of the same code still: another number since then has voided it.
            let is_pending = account
                .challenges
                .get(&Purpose::VerifyPhone)
                .is_some_and(|pending| pending.id == *challenge && pending.digest == digest);
            if !is_pending {
                return Change::Leave(false);
            }
            if !account.replace_security(security.rev_sec, signed.clone()) {
                return Change::Leave(true);
            }
            account.void(Purpose::VerifyPhone);
            account.version += 1;
            account.updated_at = now;
            Change::Store(true)
        })
        .await
        .map_err(Failure::from)?;
        match consumed {
            crate::storage::Changed::Stored(_) => {
                core.note(&key.user_type, &key.id, AuditEvent::PhoneVerified, Outcome::Success)
                    .await;
                count_verified(core, caller).await;
                return Ok(());
            }
            crate::storage::Changed::Left(true) => {}
            _ => return Err(VerifyCodeError::Refused),
        }
    }
    Err(contended().into())
}

/// Tells the guard of texts that a code came back. Done is done: where the number can't be opened any more, nothing is told.
async fn count_verified(core: &Core, caller: &Caller) {
    let pending = caller.account.challenges.get(&Purpose::VerifyPhone);
    let sealed = caller.account.sealed.as_ref().and_then(|sealed| sealed.phone.as_ref());
    let (Some(pending), Some(sealed)) = (pending, sealed) else {
        return;
    };
    let key = caller.key();
    if let Ok(Some(keys)) = open_keys(core, &key).await
        && let Ok(phone) = core.opened(&key, keys.open(sealed)).await
    {
        note_verified(core, &phone, pending.made_at).await;
    }
}
