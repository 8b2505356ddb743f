//! Ends sessions of one's own: one, all others, or the one that a mail told of.

use crate::{
    crypto::session_link::linked_session,
    domain::{
        audit::{AuditEvent, Outcome},
        ids::{AccountId, SessionId},
        user_type::UserType,
    },
    service::{
        accounts::{ATTEMPTS, contended, find_verified, sign},
        authenticate::Caller,
        core::Core,
        failure::Failure,
        list_sessions::own_sessions,
        revoke,
        sessions::{is_backed, is_session_backed},
    },
    storage::{Change, Changed, Ref, accounts::AccountRecord, change, revocations::Standing, sessions::SessionRecord},
};

/// Why nothing was ended.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// No session of the caller's that is on.
    #[error("there is no such session")]
    NotFound,
    /// A link that was never issued here for this user type.
    #[error("the link is not valid")]
    LinkInvalid,
    /// The caller's own session ended meanwhile.
    #[error("the session is over")]
    Gone,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Ends one of the caller's sessions. Somebody else's is none.
pub async fn end_session(core: &Core, caller: &Caller, id: &SessionId) -> Result<(), EndError> {
    let key = Ref::new(&caller.account.user_type, id.clone());
    let session = core.stores.sessions.find(&key).await.map_err(Failure::from)?;
    let is_own = |session: &SessionRecord| {
        session.account_id == caller.account.id
            && session.is_live(core.clock.now())
            && is_backed(session, &caller.security)
    };
    session.filter(is_own).ok_or(EndError::NotFound)?;
    end(core, &key).await?;
    note(core, &key, &caller.account.id, AuditEvent::SessionEnded).await;
    Ok(())
}

/// Ends all of the caller's sessions but the one that asks, by one write to the account; answers how many were on.
pub async fn end_other_sessions(core: &Core, caller: &Caller) -> Result<usize, EndError> {
    let key = caller.key();
    let others = own_sessions(core, caller).await?;
    let others: Vec<_> = others.into_iter().filter(|one| one.id != caller.session_id).collect();
    for _ in 0..ATTEMPTS {
        let (_, security) = find_verified(core, &key).await?.ok_or(EndError::Gone)?;
        if !is_session_backed(caller, &security) {
            return Err(EndError::Gone);
        }
        let kept_session = Some(caller.session_id.clone());
        let signed = sign(core, &key, &security, |next| {
            next.epoch += 1;
            next.kept_session.clone_from(&kept_session);
        })?;
        let changed = change(&*core.stores.accounts, &key, |account: &mut AccountRecord| {
            if account.replace_security(security.rev_sec, signed.clone()) {
                Change::Store(())
            } else {
                Change::Leave(())
            }
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
                core.note(
                    &key.user_type,
                    &key.id,
                    AuditEvent::OtherSessionsEnded,
                    Outcome::Success,
                )
                .await;
                return Ok(others.len());
            }
            Changed::Left(()) => {}
            Changed::Missing | Changed::Taken(_) => return Err(EndError::Gone),
        }
    }
    Err(contended().into())
}

/// Whether the link is one of ours; ends nothing.
pub fn check_session_link(core: &Core, user_type: &UserType, token: &str) -> Result<SessionId, EndError> {
    linked_session(user_type, token, &core.keyring.current()).ok_or(EndError::LinkInvalid)
}

/// Ends the session that a mail told of. One that is over already stays so.
pub async fn end_linked_session(core: &Core, user_type: &UserType, token: &str) -> Result<(), EndError> {
    let key = Ref::new(user_type, check_session_link(core, user_type, token)?);
    if let Some(account) = end(core, &key).await? {
        note(core, &key, &account, AuditEvent::SessionEnded).await;
    }
    Ok(())
}

/// Ends a session; answers whose it was, if this ended it.
async fn end(core: &Core, key: &Ref<SessionId>) -> Result<Option<AccountId>, Failure> {
    let now = core.clock.now();
    let ended = change(&*core.stores.sessions, key, |session: &mut SessionRecord| {
        if session.end(now) {
            Change::Store(Some(session.account_id.clone()))
        } else {
            Change::Leave(None)
        }
    })
    .await?;
    // Also one that was over: who ended it may have died before the others were told.
    revoke::session_ended(core, key).await;
    Ok(ended.into_value().flatten())
}

async fn note(core: &Core, key: &Ref<SessionId>, account: &AccountId, event: AuditEvent) {
    core.note(&key.user_type, account, event, Outcome::Success).await;
}
