//! From a bearer token to the account that stands behind it, right now.
//!
//! The session row and the account's epoch are the truth: a token whose session was ended, or whose account moved on,
//! is refused at once, also after a restart. Where servers share Redis they tell each other what they read of them a
//! moment ago and what ended; whatever is not known there is read.

use tokio::time::Instant;

use crate::{
    crypto::{
        record_mac::{RecordMac, Security},
        token_signer::{AccessClaims, TokenError},
    },
    domain::{
        audit::{AuditEvent, Details, Outcome},
        clock::Timestamp,
        ids::{AccountId, SessionId},
        user_type::UserType,
    },
    service::{core::Core, failure::Failure, revoke::standing, sessions::genuine},
    storage::{
        Ref, StoreError,
        accounts::AccountRecord,
        revocations::{LiveSession, READ, SessionState, Standing},
    },
};

/// Who is calling. Exists only after [`authenticate`].
#[derive(Debug)]
pub struct Caller {
    /// The account as read for this call.
    pub account: AccountRecord,
    /// Its verified part.
    pub security: Security,
    /// The session that the token belongs to.
    pub session_id: SessionId,
    /// The account's epoch when that session began.
    pub session_epoch: u64,
    /// When the person last proved who they are.
    pub authenticated_at: Timestamp,
}

impl Caller {
    /// The account's name.
    #[must_use]
    pub fn key(&self) -> Ref<AccountId> {
        Ref::new(&self.account.user_type, self.account.id.clone())
    }
}

/// Why the caller is nobody.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// Not a token of ours for this user type, expired, or its session is over: one answer for all.
    #[error("the access token is not valid")]
    InvalidToken,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<TokenError> for AuthenticateError {
    fn from(_: TokenError) -> Self {
        Self::InvalidToken
    }
}

/// Verifies an access token and everything behind it.
pub async fn authenticate(core: &Core, user_type: &UserType, token: &str) -> Result<Caller, AuthenticateError> {
    let claims = read_token(core, user_type, token).await?;
    find_caller(core, user_type, claims).await
}

/// The first half: what the token says by itself. Asks no store, but for the keys where it names an unknown one.
pub async fn read_token(core: &Core, user_type: &UserType, token: &str) -> Result<AccessClaims, AuthenticateError> {
    let verify = || core.signer.verify(user_type, token, core.clock.now());
    let verified = match verify() {
        Err(TokenError::UnknownKey) if core.keys.reread_for_unknown(core).await.map_err(Failure::from)? => verify(),
        verified => verified,
    };
    let claims = verified?;
    // Ours name none that the settings don't know: this is of before they changed.
    if core.knows_role(user_type, &claims.role) {
        Ok(claims)
    } else {
        Err(AuthenticateError::InvalidToken)
    }
}

/// Notes a token that is none of ours, or altered. One that is merely over is everyday business.
pub async fn note_if_forged(core: &Core, user_type: &UserType, token: &str) {
    if matches!(
        core.signer.verify(user_type, token, core.clock.now()),
        Err(TokenError::Invalid)
    ) {
        core.note_first(Some(user_type), AuditEvent::AccessTokenRefused, Details::default())
            .await;
    }
}

/// The second half: whether session and account still stand behind it.
pub async fn find_caller(core: &Core, user_type: &UserType, claims: AccessClaims) -> Result<Caller, AuthenticateError> {
    let key = Ref::new(user_type, claims.account_id);
    let session_key = Ref::new(user_type, claims.session_id);
    let known = async {
        let (session, _) = look(core, &session_key, &key).await?;
        read_unless_known(core, &session_key, session).await
    };
    let account = async { Ok(core.stores.accounts.find(&key).await.map_err(Failure::from)?) };
    let (session, account) = tokio::try_join!(known, account)?;
    let (Some(session), Some(account)) = (session, account) else {
        return Err(AuthenticateError::InvalidToken);
    };
    let Some(security) = verified(core, &key, &account).await else {
        return Err(AuthenticateError::InvalidToken);
    };
    if !stands(core, &session_key, &session, &key, &standing(&security)) {
        return Err(AuthenticateError::InvalidToken);
    }
    Ok(Caller {
        security,
        session_id: session_key.id,
        session_epoch: session.epoch,
        authenticated_at: session.authenticated_at,
        account,
    })
}

/// The same for somebody else's service, which needs no account: where servers share Redis, one round trip to it.
pub async fn verify_token(core: &Core, user_type: &UserType, token: &str) -> Result<AccessClaims, AuthenticateError> {
    let claims = match read_token(core, user_type, token).await {
        Ok(claims) => claims,
        Err(refused) => {
            note_if_forged(core, user_type, token).await;
            return Err(refused);
        }
    };
    let key = Ref::new(user_type, claims.account_id.clone());
    let session_key = Ref::new(user_type, claims.session_id.clone());
    let (session, known) = look(core, &session_key, &key).await?;
    let standing = async {
        match known {
            Some(known) => Ok(Some(known)),
            None => read_standing(core, &key).await,
        }
    };
    let found = tokio::try_join!(read_unless_known(core, &session_key, session), standing)?;
    match found {
        (Some(session), Some(standing)) if stands(core, &session_key, &session, &key, &standing) => Ok(claims),
        _ => Err(AuthenticateError::InvalidToken),
    }
}

/// What servers told each other; nothing where there is one server, or Redis is away.
async fn look(
    core: &Core,
    session: &Ref<SessionId>,
    account: &Ref<AccountId>,
) -> Result<(Option<LiveSession>, Option<Standing>), AuthenticateError> {
    let Some(revocations) = &core.revocations else {
        return Ok((None, None));
    };
    match revocations.look(session, account).await {
        Ok((Some(SessionState::Ended), _)) => Err(AuthenticateError::InvalidToken),
        Ok((Some(SessionState::Live(live)), standing)) => Ok((Some(live), standing)),
        Ok((None, standing)) => Ok((None, standing)),
        Err(error) => {
            tracing::debug!(%error, "a token is checked by the database");
            Ok((None, None))
        }
    }
}

/// The session as it is known, or from its row: what is over by the clock may have been renewed since it was known.
async fn read_unless_known(
    core: &Core,
    key: &Ref<SessionId>,
    known: Option<LiveSession>,
) -> Result<Option<LiveSession>, AuthenticateError> {
    if let Some(known) = known.filter(|known| is_on(known, core.clock.now())) {
        return Ok(Some(known));
    }
    let asked_at = Instant::now();
    let session = core.stores.sessions.find(key).await.map_err(Failure::from)?;
    let Some(session) = session.filter(|session| session.ended_at.is_none()) else {
        return Ok(None);
    };
    let Some(session) = genuine(core, session).await else {
        return Ok(None);
    };
    let live = LiveSession {
        account_id: session.account_id,
        epoch: session.epoch,
        authenticated_at: session.authenticated_at,
        idle_expires_at: session.idle_expires_at,
        expires_at: session.expires_at,
    };
    if let Some(revocations) = &core.revocations
        && asked_at.elapsed() < READ
    {
        forgo(revocations.remember_session(key, &live).await);
    }
    Ok(Some(live))
}

/// What the account stands behind, from its record.
async fn read_standing(core: &Core, key: &Ref<AccountId>) -> Result<Option<Standing>, AuthenticateError> {
    let asked_at = Instant::now();
    let Some(account) = core.stores.accounts.find(key).await.map_err(Failure::from)? else {
        return Ok(None);
    };
    let Some(security) = verified(core, key, &account).await else {
        return Ok(None);
    };
    let standing = standing(&security);
    if let Some(revocations) = &core.revocations
        && asked_at.elapsed() < READ
    {
        forgo(revocations.remember_standing(key, &standing).await);
    }
    Ok(Some(standing))
}

/// What the record's MAC covers; `None`, audited, where somebody changed it.
async fn verified(core: &Core, key: &Ref<AccountId>, account: &AccountRecord) -> Option<Security> {
    let keyring = core.keyring.current();
    let verified = RecordMac::new(&keyring).verify(&key.user_type, &key.id, account.security());
    if let Ok(security) = verified {
        return Some(security.clone());
    }
    core.note(&key.user_type, &key.id, AuditEvent::RecordTampered, Outcome::Refused)
        .await;
    None
}

/// Whether session and account belong together, and the account still stands behind it.
fn stands(
    core: &Core,
    session_key: &Ref<SessionId>,
    session: &LiveSession,
    account: &Ref<AccountId>,
    standing: &Standing,
) -> bool {
    session.account_id == account.id
        && is_on(session, core.clock.now())
        && standing.backs(&session_key.id, session.epoch)
}

fn is_on(session: &LiveSession, now: Timestamp) -> bool {
    now < session.expires_at && now < session.idle_expires_at
}

/// What is not remembered is read again.
fn forgo(remembered: Result<(), StoreError>) {
    if let Err(error) = remembered {
        tracing::debug!(%error, "a session is not remembered");
    }
}
