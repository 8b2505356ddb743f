//! What a successful sign-in hands out, and what a refresh hands out again.

use std::time::Duration;

use crate::{
    crypto::{record_mac::Security, refresh_token::RefreshToken, token_signer::AccessClaims},
    domain::{
        clock::Timestamp,
        ids::{AccountId, SessionId, TokenId},
        private::Private,
        session::AuthenticationMethod,
        token::AccessToken,
    },
    service::{core::Core, failure::Failure, revoke::standing},
    storage::{Ref, SCHEMA, sessions::SessionRecord},
};

/// The answer to a sign-in.
#[derive(Debug)]
pub struct TokenPair {
    /// The short-lived bearer.
    pub access: AccessToken,
    /// How long it lasts.
    pub expires_in: Duration,
    /// The single-use renewal.
    pub refresh: Private,
    /// How long it lasts unused.
    pub refresh_expires_in: Duration,
}

/// Starts a session of `account` with the epoch that was read together with the credential. `None` where the account
/// was erased meanwhile: looked up again once the session is stored, so that either the erasure finds the session, or
/// this finds the erasure.
pub(in crate::service) async fn start(
    core: &Core,
    account: &Ref<AccountId>,
    security: &Security,
    methods: Vec<AuthenticationMethod>,
    remember: bool,
) -> Result<Option<TokenPair>, Failure> {
    let now = core.clock.now();
    let policy = core.settings(&account.user_type).sessions;
    let id = SessionId::make(now, &*core.entropy);
    let refresh = RefreshToken::make(id.clone(), &core.keyring.current(), &*core.entropy)?;
    let expires_at = policy.absolute_end(now, remember);
    let session = SessionRecord {
        id,
        user_type: account.user_type.clone(),
        schema: SCHEMA,
        rev: 0,
        account_id: account.id.clone(),
        epoch: security.epoch,
        created_at: now,
        authenticated_at: now,
        methods,
        generation: 0,
        current: refresh.digest(),
        parent: None,
        rotated_at: None,
        idle_expires_at: policy.idle_end(now, expires_at),
        expires_at,
        ended_at: None,
    };
    core.stores.sessions.insert(&session).await?;
    if core
        .stores
        .accounts
        .find(account)
        .await?
        .is_none_or(|account| account.sealed.is_none())
    {
        let key = Ref::new(&session.user_type, session.id.clone());
        core.stores.sessions.delete(&key).await?;
        return Ok(None);
    }
    Ok(Some(pair(core, &session, security, &refresh, now)?))
}

/// The pair that goes with the session as it stands now.
pub(in crate::service) fn pair(
    core: &Core,
    session: &SessionRecord,
    security: &Security,
    refresh: &RefreshToken,
    now: Timestamp,
) -> Result<TokenPair, Failure> {
    let lifetime = core.settings(&session.user_type).sessions.access_lifetime;
    let expires_at = now.plus(lifetime).min(session.expires_at);
    let access = core.signer.sign(&AccessClaims {
        user_type: session.user_type.clone(),
        account_id: session.account_id.clone(),
        session_id: session.id.clone(),
        token_id: TokenId::make(now, &*core.entropy),
        issued_at: now,
        expires_at,
        authenticated_at: session.authenticated_at,
        methods: session.methods.clone(),
        role: security.role,
    })?;
    Ok(TokenPair {
        access,
        expires_in: expires_at.since(now),
        refresh: refresh.expose(),
        refresh_expires_in: session.idle_expires_at.since(now),
    })
}

/// Whether the account still stands behind the session: in use, and of the session's epoch, or the one session that
/// outlived the last change.
pub(in crate::service) fn is_backed(session: &SessionRecord, security: &Security) -> bool {
    standing(security).backs(&session.id, session.epoch)
}
