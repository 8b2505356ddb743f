//! Shows the secret of an authenticator app. It counts for nothing until its first code confirms it.

use crate::{
    crypto::{
        record_mac::Security,
        second_factor_token::FirstHalf,
        totp::{otpauth_uri, typed_secret},
    },
    domain::{
        account::AccountStatus,
        challenge::CodeFor,
        clock::Timestamp,
        code::TotpSecret,
        ids::{AccountId, SessionId},
        private::Private,
        second_factor::ENROLMENT,
        user_type::UserType,
    },
    service::{
        accounts::{find_verified, open_keys},
        authenticate::Caller,
        core::Core,
        failure::Failure,
        fresh::is_fresh,
        sessions::is_session_backed,
    },
    storage::{Change, Ref, accounts::AccountRecord, change},
};

/// Who enrols, or asks for a code by text.
#[derive(Debug)]
pub enum Enroller<'e> {
    /// Somebody who is signed in.
    SignedIn(&'e Caller),
    /// Somebody whose sign-in waits for it.
    SigningIn(&'e UserType, FirstHalf),
}

/// What an app is given.
#[derive(Debug)]
pub struct Enrolment {
    /// To be typed in.
    pub secret: Private,
    /// To be shown as a QR code.
    pub uri: Private,
    /// The first code must come before.
    pub expires_at: Timestamp,
}

/// Why nothing is shown.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The sign-in is too old to change what proves who one is.
    #[error("the sign-in is too old")]
    StaleSignIn,
    /// The sign-in that waits is over, or needs no enrolment any more.
    #[error("the first half of the sign-in is not valid")]
    TokenInvalid,
    /// The account is gone, or the session over.
    #[error("the account is gone")]
    Gone,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl Enroller<'_> {
    /// Whose account.
    pub(in crate::service) fn key(&self) -> Ref<AccountId> {
        match self {
            Self::SignedIn(caller) => caller.key(),
            Self::SigningIn(user_type, half) => Ref::new(user_type, half.account_id.clone()),
        }
    }

    /// The account as it is now, if they may still enrol.
    pub(super) async fn account(&self, core: &Core) -> Result<(AccountRecord, Security), EnrolError> {
        match self {
            Self::SigningIn(_, half) if !half.enrols => Err(EnrolError::TokenInvalid),
            _ => self.waiting(core).await,
        }
    }

    /// The account as it is now, if what they began still stands: the session, or a sign-in that waits, for an enrolment or
    /// for a proof.
    pub(super) async fn waiting(&self, core: &Core) -> Result<(AccountRecord, Security), EnrolError> {
        let found = find_verified(core, &self.key()).await?;
        match self {
            Self::SignedIn(caller) => found
                .filter(|(_, security)| is_session_backed(caller, security))
                .ok_or(EnrolError::Gone),
            Self::SigningIn(_, half) => found
                .filter(|(_, security)| {
                    let is_due = half.enrols != security.factors.is_on();
                    is_due && security.epoch == half.epoch && security.status == AccountStatus::Active
                })
                .ok_or(EnrolError::TokenInvalid),
        }
    }

    /// What a code by text that they ask for is good for.
    pub(super) fn wanted(&self) -> CodeFor {
        match self {
            Self::SignedIn(caller) => CodeFor::Session(caller.session_id.clone()),
            Self::SigningIn(_, half) => CodeFor::SignIn(half.expires_at),
        }
    }

    /// The session that goes on when the factors change.
    pub(super) fn kept_session(&self) -> Option<SessionId> {
        match self {
            Self::SignedIn(caller) => Some(caller.session_id.clone()),
            Self::SigningIn(..) => None,
        }
    }

    /// Whether the proof of who they are is young enough.
    pub(in crate::service) async fn is_fresh(&self, core: &Core) -> Result<bool, Failure> {
        match self {
            Self::SignedIn(caller) => is_fresh(core, caller).await,
            Self::SigningIn(..) => Ok(true),
        }
    }
}

/// Makes a secret and keeps it until its first code; `issuer` is what the app calls the service. The one before, if it was
/// never confirmed, is worth nothing any more; one that is in use goes on until then.
pub async fn enrol(core: &Core, who: &Enroller<'_>, issuer: &str) -> Result<Enrolment, EnrolError> {
    if !who.is_fresh(core).await? {
        return Err(EnrolError::StaleSignIn);
    }
    let key = who.key();
    let (account, _) = who.account(core).await?;
    let keys = open_keys(core, &key).await?.ok_or(EnrolError::Gone)?;
    let sealed = account.sealed.as_ref().ok_or(EnrolError::Gone)?;
    let person = core.opened(&key, sealed.open(&keys)).await?;
    let secret = TotpSecret::make(&*core.entropy);
    let pending = keys.seal(&secret);
    let expires_at = core.clock.now().plus(ENROLMENT);
    let stored = change(&*core.stores.accounts, &key, |account: &mut AccountRecord| {
        let Some(sealed) = &mut account.sealed else {
            return Change::Leave(false);
        };
        sealed.totp_pending = Some(pending.clone());
        account.codes.get_or_insert_default().enrol_until = Some(expires_at);
        Change::Store(true)
    });
    if stored.await.map_err(Failure::from)?.into_value() != Some(true) {
        return Err(EnrolError::Gone);
    }
    let uri = otpauth_uri(&secret, issuer, person.email.expose()).ok_or(EnrolError::Gone)?;
    Ok(Enrolment {
        secret: typed_secret(&secret),
        uri,
        expires_at,
    })
}
