//! One's own sessions, each with the device it began on.

use crate::{
    domain::{clock::Timestamp, device::UserAgent, ids::SessionId, network::Network},
    service::{accounts::open_keys, authenticate::Caller, core::Core, failure::Failure, sessions::is_backed},
    storage::sessions::SessionRecord,
};

/// More than an account may have.
const MOST: u32 = 2000;

/// One of them.
#[derive(Debug)]
pub struct SessionView {
    /// Names it.
    pub id: SessionId,
    /// What the client called itself.
    pub agent: Option<UserAgent>,
    /// Where it was.
    pub network: Option<Network>,
    /// When it began.
    pub created_at: Timestamp,
    /// When its tokens were last renewed.
    pub seen_at: Timestamp,
    /// When the person last proved who they are.
    pub authenticated_at: Timestamp,
    /// When it ends, unless it is used before.
    pub expires_at: Timestamp,
    /// Whether it is the one that asks.
    pub is_current: bool,
}

/// Newest first.
pub async fn list_sessions(core: &Core, caller: &Caller) -> Result<Vec<SessionView>, Failure> {
    let key = caller.key();
    let Some(keys) = open_keys(core, &key).await? else {
        return Ok(Vec::new());
    };
    let mut views = Vec::new();
    for session in own_sessions(core, caller).await? {
        let agent = session.agent.as_ref().map(|agent| keys.open(agent)).transpose();
        let network = session.network.as_ref().map(|network| keys.open(network)).transpose();
        views.push(SessionView {
            agent: core.opened(&key, agent).await?,
            network: core.opened(&key, network).await?,
            created_at: session.created_at,
            seen_at: session.rotated_at.unwrap_or(session.created_at),
            authenticated_at: session.authenticated_at,
            expires_at: session.idle_expires_at.min(session.expires_at),
            is_current: session.id == caller.session_id,
            id: session.id,
        });
    }
    Ok(views)
}

/// Those that are on, newest first. One that somebody wrote over is not among them: it would not open.
pub(in crate::service) async fn own_sessions(core: &Core, caller: &Caller) -> Result<Vec<SessionRecord>, Failure> {
    let (now, keyring) = (core.clock.now(), core.keyring.current());
    let mut sessions = core.stores.sessions.of_account(&caller.key(), MOST).await?;
    sessions.retain(|session| {
        let is_genuine = session.facts().is_signed_by(&keyring, &session.mac);
        is_genuine && session.is_live(now) && is_backed(session, &caller.security)
    });
    Ok(sessions)
}
