//! Sends a code to the verified phone: to show it as a second factor, or to turn that on.
//!
//! A code is good for what it was asked for alone: the sign-in that waits, or the session. What guards texts
//! ([`text_guard`](crate::service::text_guard)) counts it as it counts codes that verify a number.

use crate::{
    crypto::{digest::code_matches, record_mac::Security},
    domain::{
        audit::AuditEvent,
        challenge::{Challenge, CodeFor, Purpose},
        clock::Timestamp,
        code::OtpCode,
        ids::{AccountId, ChallengeId},
        message::MessageKind,
        token::TokenDigest,
        user_type::UserType,
    },
    service::{
        accounts::{ATTEMPTS, contended, open_keys},
        core::Core,
        failure::Failure,
        phone_codes::SendCodeError,
        second_factor::enrol::{EnrolError, Enroller},
        text_codes::{TextCode, ask_for, may_send},
        text_guard::{Admitted, admit},
    },
    storage::{
        Ref,
        accounts::AccountRecord,
        limits::{Quota, Spent},
    },
};

/// Why codes by text are no second factor of the account.
#[derive(Debug, thiserror::Error)]
pub enum NoTextFactor {
    /// They are not turned on.
    #[error("codes by text are not turned on")]
    NotEnabled,
    /// The user type does not allow them.
    #[error("codes by text are no second factor of this user type")]
    NotAllowed,
    /// There is no number, or it was never verified.
    #[error("the number is not verified")]
    NotVerified,
}

/// Why no code is sent.
#[derive(Debug, thiserror::Error)]
pub enum SendTextError {
    /// There is nothing to show or to turn on.
    #[error(transparent)]
    NoFactor(#[from] NoTextFactor),
    /// Nobody for whom one would be sent.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// Number, limits, and what else holds texts back.
    #[error(transparent)]
    Send(#[from] SendCodeError),
}

impl From<Failure> for SendTextError {
    fn from(failure: Failure) -> Self {
        Self::Enrol(failure.into())
    }
}

/// Sends one; answers what the limits of texts said. `client` is the address of the client, as limits count it.
pub async fn send_text(core: &Core, who: &Enroller<'_>, client: &str) -> Result<Vec<(Quota, Spent)>, SendTextError> {
    let mut admitted = None;
    let sent = store_text(core, who, client, &mut admitted).await;
    let limits = match admitted {
        Some(admitted) => admitted.settle(core, &who.key().user_type, sent.is_ok()).await,
        None => Vec::new(),
    };
    sent.map(|()| limits)
}

async fn store_text(
    core: &Core,
    who: &Enroller<'_>,
    client: &str,
    admitted: &mut Option<Admitted>,
) -> Result<(), SendTextError> {
    let key = who.key();
    if core.settings(&key.user_type).is_texting_off {
        return Err(SendCodeError::Off.into());
    }
    let code = TextCode {
        purpose: Purpose::SecondFactor,
        kind: MessageKind::SecondFactorCode,
        event: AuditEvent::SecondFactorCodeRequested,
        good_for: Some(who.wanted()),
    };
    for _ in 0..ATTEMPTS {
        let (account, security) = who.waiting(core).await?;
        may_ask(core, who, &security).await?;
        let keys = open_keys(core, &key).await?.ok_or(EnrolError::Gone)?;
        let sealed = account.sealed.as_ref().and_then(|sealed| sealed.phone.as_ref());
        let phone = core
            .opened(&key, keys.open(sealed.ok_or(NoTextFactor::NotVerified)?))
            .await?;
        may_send(core, &account, Purpose::SecondFactor, &phone)?;
        if admitted.is_none() {
            *admitted = Some(admit(core, &key, client, &phone).await.map_err(SendCodeError::from)?);
        }
        // To the number that was looked at, or not at all.
        let asked = ask_for(core, &key, &code, |account| {
            account.security().rev_sec() == security.rev_sec
        });
        if asked.await?.is_some() {
            return Ok(());
        }
    }
    Err(contended().into())
}

/// Whether there is something that a code could show or turn on.
async fn may_ask(core: &Core, who: &Enroller<'_>, security: &Security) -> Result<(), SendTextError> {
    if security.factors.texts {
        return Ok(());
    }
    if matches!(who, Enroller::SigningIn(_, half) if !half.enrols) {
        return Err(NoTextFactor::NotEnabled.into());
    }
    if !who.is_fresh(core).await? {
        return Err(EnrolError::StaleSignIn.into());
    }
    Ok(may_turn_on(core, &who.key().user_type, security)?)
}

/// Whether codes by text may become a second factor of the account.
pub(super) fn may_turn_on(core: &Core, user_type: &UserType, security: &Security) -> Result<(), NoTextFactor> {
    if !core.settings(user_type).allows_text_factor {
        return Err(NoTextFactor::NotAllowed);
    }
    if !security.is_phone_verified {
        return Err(NoTextFactor::NotVerified);
    }
    Ok(())
}

/// A code that was sent, and a try of it charged.
#[derive(Debug)]
pub(super) struct SentText {
    challenge: ChallengeId,
    digest: TokenDigest,
    /// When it was asked for.
    pub made_at: Timestamp,
}

impl SentText {
    /// Charges a try; nothing where none was sent for `wanted`, or that is over.
    pub(super) fn charge(account: &mut AccountRecord, wanted: &CodeFor, now: Timestamp) -> Option<Self> {
        let challenge = account.challenges.get_mut(&Purpose::SecondFactor)?;
        Some(Self {
            digest: challenge.charge_for(wanted, now)?,
            challenge: challenge.id.clone(),
            made_at: challenge.made_at,
        })
    }

    /// Whether `code` is what was sent; in constant time.
    pub(super) fn is_met_by(&self, core: &Core, key: &Ref<AccountId>, code: &OtpCode) -> bool {
        let keyring = core.keyring.current();
        code_matches(&keyring, &key.user_type, &key.id, &self.challenge, code, &self.digest)
    }

    /// Whether nobody used it, and no other was sent since.
    pub(super) fn is_pending(&self, account: &AccountRecord) -> bool {
        let is_this = |one: &Challenge| one.id == self.challenge && one.digest == Some(self.digest);
        account.challenges.get(&Purpose::SecondFactor).is_some_and(is_this)
    }

    /// Uses it up, and gives the account's try back; `false` where it is not pending any more.
    pub(super) fn use_up(&self, account: &mut AccountRecord) -> bool {
        let is_pending = self.is_pending(account);
        if is_pending {
            account.void(Purpose::SecondFactor);
            account.codes.get_or_insert_default().give_back();
        }
        is_pending
    }
}
