//! Codes to a phone: asked for, charged, compared.
//!
//! A try is charged in a write of its own before the code is compared, so that a thousand who guess at once get five
//! comparisons between them.

use std::time::Duration;

use crate::{
    crypto::{blind_index::BlindIndexer, digest::code_matches},
    domain::{
        audit::{AuditEvent, Outcome},
        challenge::Purpose,
        code::OtpCode,
        ids::ChallengeId,
        message::MessageKind,
        phone::Phone,
    },
    service::{
        accounts::{ATTEMPTS, contended, find_verified, open_keys, sign},
        authenticate::Caller,
        core::Core,
        failure::Failure,
        fresh::is_fresh,
        text_codes::{TextCode, ask_for, may_send, note_came_back},
        text_guard::{Admitted, GuardError, admit},
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
    /// The number is a second factor: another one takes its place once that is turned off.
    #[error("the number is a second factor")]
    IsSecondFactor,
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
    let limits = match admitted {
        Some(admitted) => admitted.settle(core, &caller.account.user_type, sent.is_ok()).await,
        None => Vec::new(),
    };
    Ok(SentCode {
        challenge: sent?,
        limits,
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
    let code = TextCode {
        purpose: Purpose::VerifyPhone,
        kind: MessageKind::PhoneCode,
        event: AuditEvent::PhoneCodeRequested,
        good_for: None,
    };
    for _ in 0..ATTEMPTS {
        let (account, security) = find_verified(core, &key).await?.ok_or(SendCodeError::Gone)?;
        let sealed = account.sealed.as_ref().ok_or(SendCodeError::Gone)?;
        let person = core.opened(&key, sealed.open(&keys)).await?;
        let is_other =
            enrol.is_some_and(|phone| person.phone.as_ref().is_none_or(|own| own.expose() != phone.expose()));
        if is_other && security.factors.texts {
            return Err(SendCodeError::IsSecondFactor);
        }
        if is_other && !is_fresh(core, caller).await? {
            return Err(SendCodeError::StaleSignIn);
        }
        let phone = enrol.or(person.phone.as_ref()).ok_or(SendCodeError::NoPhone)?;
        may_send(core, &account, Purpose::VerifyPhone, phone)?;
        if admitted.is_none() {
            *admitted = Some(admit(core, &key, client, phone).await?);
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
        let now = core.clock.now();
        let asked = ask_for(core, &key, &code, |stored| {
            let Some((signed, sealed_phone)) = &enrolled else {
                return true;
            };
            let is_stored = stored.replace_security(security.rev_sec, signed.clone());
            let Some(sealed) = stored.sealed.as_mut().filter(|_| is_stored) else {
                return false;
            };
            sealed.phone = Some(sealed_phone.clone());
            stored.void(Purpose::SecondFactor);
            stored.version += 1;
            stored.updated_at = now;
            true
        });
        if let Some(id) = asked.await? {
            return Ok(id);
        }
    }
    Err(contended().into())
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
                if let Some(pending) = caller.account.challenges.get(&Purpose::VerifyPhone) {
                    note_came_back(core, &key, &caller.account, pending.made_at).await;
                }
                return Ok(());
            }
            crate::storage::Changed::Left(true) => {}
            _ => return Err(VerifyCodeError::Refused),
        }
    }
    Err(contended().into())
}
