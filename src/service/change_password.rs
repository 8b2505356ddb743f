//! Changes one's own password: one write sets it, ends every other session and queues the notice.

use std::sync::Arc;

use crate::{
    domain::{
        audit::{AuditEvent, Outcome},
        challenge::Purpose,
        message::MessageKind,
        password::Password,
        password_rules::RefusedPassword,
        private::Private,
    },
    service::{
        accounts::{ATTEMPTS, contended, find_verified, hand_over, message, open_keys, sign},
        authenticate::Caller,
        check_password::{PasswordError, check_password},
        choose_password::{ChooseError, choose_password},
        core::Core,
        failure::Failure,
        revoke,
        sessions::is_session_backed,
    },
    storage::{Change, Changed, accounts::AccountRecord, change, revocations::Standing},
};

/// Why the password stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// The one in use is not shown.
    #[error(transparent)]
    NotShown(#[from] PasswordError),
    /// The new one breaks rules.
    #[error("the new password breaks rules")]
    Refused(RefusedPassword),
}

impl From<Failure> for ChangePasswordError {
    fn from(failure: Failure) -> Self {
        Self::NotShown(failure.into())
    }
}

impl From<ChooseError> for ChangePasswordError {
    fn from(error: ChooseError) -> Self {
        match error {
            ChooseError::Refused(refused) => Self::Refused(refused),
            ChooseError::Failure(failure) => failure.into(),
        }
    }
}

/// Sets `new` for somebody who knows `current`. Of two changes at once that were shown the same password, one is made: the
/// other is told that its password is not right, as it would be a moment later.
pub async fn change_password(
    core: &Core,
    caller: &Caller,
    current: Password,
    new: &Private,
) -> Result<(), ChangePasswordError> {
    let key = caller.key();
    check_password(core, caller, current, AuditEvent::PasswordChanged).await?;
    let keys = open_keys(core, &key).await?.ok_or(PasswordError::Gone)?;
    let sealed = caller.account.sealed.as_ref().ok_or(PasswordError::Gone)?;
    let person = core.opened(&key, sealed.open(&keys)).await?;
    let has_second_factor = caller.security.factors.is_on();
    let new = choose_password(core, &key.user_type, new, &person, has_second_factor).await?;
    let password_hash = core.hasher.hash(Arc::new(new)).await.map_err(Failure::from)?;
    for _ in 0..ATTEMPTS {
        let (_, security) = find_verified(core, &key).await?.ok_or(PasswordError::Gone)?;
        if security.password_hash != caller.security.password_hash {
            return Err(PasswordError::Wrong.into());
        }
        if !is_session_backed(caller, &security) {
            return Err(PasswordError::Gone.into());
        }
        let kept_session = Some(caller.session_id.clone());
        let signed = sign(core, &key, &security, |next| {
            next.password_hash = Some(password_hash.clone());
            next.epoch += 1;
            next.kept_session.clone_from(&kept_session);
        })?;
        let (message_id, entry) = message(core, MessageKind::PasswordChanged);
        let changed = change(&*core.stores.accounts, &key, |account: &mut AccountRecord| {
            if !account.replace_security(security.rev_sec, signed.clone()) {
                return Change::Leave(());
            }
            // What another session asked for goes with it, and so does what was mailed for the password before.
            account.challenges.remove(&Purpose::ResetPassword);
            account.challenges.remove(&Purpose::ChangeAddress);
            if let Some(sealed) = &mut account.sealed {
                sealed.email_pending = None;
            }
            account.outbox.push(&message_id, entry.clone());
            Change::Store(())
        })
        .await
        .map_err(Failure::from)?;
        match changed {
            Changed::Stored(()) => {
                let standing = Standing {
                    epoch: security.epoch + 1,
                    kept_session,
                    is_active: true,
                };
                revoke::account_moved_on(core, &key, &standing).await;
                hand_over(core, &key, message_id);
                core.note(&key.user_type, &key.id, AuditEvent::PasswordChanged, Outcome::Success)
                    .await;
                return Ok(());
            }
            Changed::Left(()) => {}
            Changed::Missing | Changed::Taken(_) => return Err(PasswordError::Gone.into()),
        }
    }
    Err(contended().into())
}
