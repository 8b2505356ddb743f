//! Deletes one's own account. The moment of deletion is one write that makes the account a tombstone; then its data
//! key goes, and with it everything that any copy of the database holds of the person; then the answer, with a signed
//! receipt. What is left (sessions, the tombstone) the worker removes. Every step may be repeated.

use std::time::Duration;

use crate::{
    crypto::{blind_index::IndexSlots, receipt::Receipt, record_mac::Factors},
    domain::{
        account::{AccountStatus, Role},
        audit::{AuditEvent, Outcome},
        message::MessageKind,
        password::Password,
    },
    service::{
        accounts::{ATTEMPTS, contended, find_verified, hand_over, message, sign},
        authenticate::Caller,
        check_password::{PasswordError, check_password},
        core::Core,
        failure::Failure,
        fresh::is_fresh,
        revoke,
    },
    storage::{Change, Changed, accounts::AccountRecord, change, revocations::Standing},
};

/// Why the account stays.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// Neither a password nor a fresh sign-in.
    #[error("the sign-in is too old")]
    StaleSignIn,
    /// The password is wrong.
    #[error("the password is not right")]
    WrongPassword,
    /// Too many wrong ones lately.
    #[error("too many tries")]
    TooManyTries {
        /// When one more may come.
        retry_after: Duration,
    },
    /// Somebody else deleted it a moment ago.
    #[error("the account is gone")]
    Gone,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Erases the caller's account, which [`prove_owner`] allowed; answers the receipt.
pub async fn erase_account(core: &Core, caller: &Caller) -> Result<String, EraseError> {
    let key = caller.key();
    for _ in 0..ATTEMPTS {
        let (_, security) = find_verified(core, &key).await?.ok_or(EraseError::Gone)?;
        if security.status == AccountStatus::Erased {
            return Err(EraseError::Gone);
        }
        let tombstone = sign(core, &key, &security, |next| {
            next.status = AccountStatus::Erased;
            next.role = Role::User;
            next.is_email_verified = false;
            next.is_phone_verified = false;
            next.password_hash = None;
            next.factors = Factors::default();
            next.epoch += 1;
            next.kept_session = None;
            next.slots = IndexSlots::unused(&key.id);
        })?;
        let (message_id, _) = message(core, MessageKind::Erase);
        let now = core.clock.now();
        let erased = change(&*core.stores.accounts, &key, |account: &mut AccountRecord| {
            if account.erase(security.rev_sec, tombstone.clone(), &message_id, now) {
                Change::Store(())
            } else {
                Change::Leave(())
            }
        })
        .await
        .map_err(Failure::from)?;
        match erased {
            Changed::Stored(()) => {
                let standing = Standing {
                    epoch: security.epoch + 1,
                    kept_session: None,
                    is_active: false,
                };
                revoke::account_moved_on(core, &key, &standing).await;
                let keys = core.stores.deks.find(&key).await.map_err(Failure::from)?;
                let keys = keys.map(|record| record.deks.into_keys().collect()).unwrap_or_default();
                core.vault.destroy(&key).await?;
                hand_over(core, &key, message_id);
                core.note(&key.user_type, &key.id, AuditEvent::AccountErased, Outcome::Success)
                    .await;
                let receipt = Receipt {
                    user_type: key.user_type,
                    account_id: key.id,
                    erased_at: now,
                    keys,
                };
                return Ok(core.signer.sign_receipt(&receipt).map_err(Failure::from)?);
            }
            Changed::Left(()) => {}
            Changed::Missing | Changed::Taken(_) => return Err(EraseError::Gone),
        }
    }
    Err(contended().into())
}

/// Whether the caller may erase the account: by its password, or by a fresh sign-in.
pub async fn prove_owner(core: &Core, caller: &Caller, password: Option<Password>) -> Result<(), EraseError> {
    let Some(password) = password else {
        return if is_fresh(core, caller).await? {
            Ok(())
        } else {
            Err(EraseError::StaleSignIn)
        };
    };
    Ok(check_password(core, caller, password, AuditEvent::AccountErased).await?)
}

impl From<PasswordError> for EraseError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Wrong => Self::WrongPassword,
            PasswordError::TooManyTries { retry_after } => Self::TooManyTries { retry_after },
            PasswordError::Gone => Self::Gone,
            PasswordError::Failure(failure) => failure.into(),
        }
    }
}
