//! A new pair for a refresh token, which is used up by it.
//!
//! Fifty who present the same token at once get one and the same successor. One that was used before, once its
//! successor is too, ends the whole family: somebody has a copy.

use crate::{
    crypto::{record_mac::RecordMac, refresh_token::RefreshToken},
    domain::{
        audit::{AuditEvent, Details, Outcome},
        ids::{AccountId, SessionId},
        message::MessageKind,
        token::TokenDigest,
        user_type::UserType,
    },
    service::{
        accounts::{hand_over, message},
        core::Core,
        failure::Failure,
        revoke,
        sessions::{TokenPair, genuine, is_backed, pair},
    },
    storage::{
        Change, Changed, Ref,
        accounts::AccountRecord,
        change,
        sessions::{Rotation, SessionRecord},
    },
};

/// Why there is no new pair.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// Never issued here, of another user type, or its session is over.
    #[error("the refresh token is not valid")]
    InvalidToken,
    /// Used before: its session has been ended.
    #[error("the refresh token was used before")]
    Reused,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// The family of a token that was made here. Asks no store.
#[must_use]
pub fn family(core: &Core, token: &str) -> Option<SessionId> {
    let token = RefreshToken::parse(token, &core.keyring.current())?;
    Some(token.session_id().clone())
}

/// Uses `token` up.
pub async fn refresh(core: &Core, user_type: &UserType, token: &str) -> Result<TokenPair, RefreshError> {
    let refreshed = exchange(core, user_type, token).await;
    if matches!(refreshed, Err(RefreshError::InvalidToken)) {
        core.note_first(Some(user_type), AuditEvent::RefreshRefused, Details::default())
            .await;
    }
    refreshed
}

async fn exchange(core: &Core, user_type: &UserType, token: &str) -> Result<TokenPair, RefreshError> {
    let keyring = core.keyring.current();
    let token = RefreshToken::parse(token, &keyring).ok_or(RefreshError::InvalidToken)?;
    let key = Ref::new(user_type, token.session_id().clone());
    let session = core.stores.sessions.find(&key).await.map_err(Failure::from)?;
    let session = session.ok_or(RefreshError::InvalidToken)?;
    let session = genuine(core, session).await.ok_or(RefreshError::InvalidToken)?;

    let account_key = Ref::new(user_type, session.account_id.clone());
    let account = core.stores.accounts.find(&account_key).await.map_err(Failure::from)?;
    let account = account.ok_or(RefreshError::InvalidToken)?;
    let Ok(security) = RecordMac::new(&keyring).verify(user_type, &account.id, account.security()) else {
        core.note(user_type, &account.id, AuditEvent::RecordTampered, Outcome::Refused)
            .await;
        return Err(RefreshError::InvalidToken);
    };
    if !is_backed(&session, security) {
        return Err(RefreshError::InvalidToken);
    }

    let now = core.clock.now();
    let policy = core.settings(user_type).sessions;
    let successors: Vec<RefreshToken> = token.successors(&keyring).collect();
    let digests: Vec<TokenDigest> = successors.iter().map(RefreshToken::digest).collect();
    let presented = token.digest();
    let rotate = |session: &mut SessionRecord| {
        let idle_end = policy.idle_end(now, session.expires_at);
        session.rotate(&presented, &digests, now, idle_end)
    };
    // Before the family ends: who presents the token again is only told that it is over.
    let is_told = rotate(&mut session.clone()) == Rotation::Reused;
    if is_told {
        tell_owner(core, &account_key, &key).await?;
    }
    let changed = change(
        &*core.stores.sessions,
        &key,
        |session: &mut SessionRecord| match rotate(session) {
            rotation @ (Rotation::Rotated | Rotation::Reused) => Change::Store((rotation, session.clone())),
            rotation @ (Rotation::Repeated | Rotation::Over) => Change::Leave((rotation, session.clone())),
        },
    )
    .await
    .map_err(Failure::from)?;

    match changed.into_value() {
        Some((rotation @ (Rotation::Rotated | Rotation::Repeated), session)) => {
            let successor = successors
                .into_iter()
                .find(|successor| successor.digest() == session.current);
            let successor = successor.ok_or(RefreshError::InvalidToken)?;
            if matches!(rotation, Rotation::Rotated) {
                core.note(
                    user_type,
                    &session.account_id,
                    AuditEvent::TokensRefreshed,
                    Outcome::Success,
                )
                .await;
            }
            Ok(pair(core, &session, security, &successor, now)?)
        }
        Some((Rotation::Reused, session)) => {
            if !is_told {
                tell_owner(core, &account_key, &key).await?;
            }
            revoke::session_ended(core, &key).await;
            core.note(
                user_type,
                &session.account_id,
                AuditEvent::RefreshTokenReused,
                Outcome::Refused,
            )
            .await;
            Err(RefreshError::Reused)
        }
        Some((Rotation::Over, _)) | None => Err(RefreshError::InvalidToken),
    }
}

/// Queues the mail that tells of the reuse, in place of one that waits: many who reuse a token at once make one.
async fn tell_owner(core: &Core, account: &Ref<AccountId>, session: &Ref<SessionId>) -> Result<(), Failure> {
    let (message_id, mut notice) = message(core, MessageKind::RefreshTokenReused);
    notice.session = Some(session.id.clone());
    let told = change(&*core.stores.accounts, account, |record: &mut AccountRecord| {
        if record.sealed.is_none() {
            return Change::Leave(());
        }
        record.outbox.replace(&message_id, notice.clone());
        Change::Store(())
    })
    .await?;
    if matches!(told, Changed::Stored(())) {
        hand_over(core, account, message_id);
    }
    Ok(())
}
