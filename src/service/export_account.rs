//! Everything that is kept of an account, for its owner (GDPR, articles 15 and 20): opened for this one answer, stored
//! nowhere, noted in the audit.
//!
//! What lets somebody in is not among it: no password hash, digest, token, code or index value. Bounded: an account's
//! sessions are at most [`MOST_SESSIONS`], and its audit comes in parts of [`MOST_EVENTS`], each of which says where the next
//! begins.

use std::collections::BTreeSet;

use crate::{
    crypto::data_key::DataKeys,
    domain::{
        account::{AccountStatus, Profile},
        audit::{AuditEvent, Outcome},
        challenge::Purpose,
        clock::Timestamp,
        device::UserAgent,
        email::Email,
        ids::{AuditId, KekId, SessionId},
        message::{DeliveryState, MessageKind},
        network::Network,
        session::AuthenticationMethod,
        user_type::UserType,
    },
    service::{
        accounts::open_keys,
        authenticate::{AuthenticateError, Caller},
        core::Core,
        failure::Failure,
        profile::profile,
        sessions::is_backed,
    },
    storage::{Ref, audit::AuditRecord, known_devices::KnownDevices},
};

/// More sessions than an account gathers before those that are over are swept.
pub const MOST_SESSIONS: u32 = 2000;
/// Events of the audit in one export.
pub const MOST_EVENTS: usize = 10_000;
/// Read at a time.
const PAGE: u32 = 500;

/// One session, over or not.
#[derive(Debug)]
pub struct ExportedSession {
    /// Names it.
    pub id: SessionId,
    /// What the client called itself.
    pub agent: Option<UserAgent>,
    /// Where it was.
    pub network: Option<Network>,
    /// How the person proved who they are.
    pub methods: Vec<AuthenticationMethod>,
    /// When it began.
    pub created_at: Timestamp,
    /// When the person last proved who they are.
    pub authenticated_at: Timestamp,
    /// When its tokens were last renewed.
    pub seen_at: Timestamp,
    /// When it ends, unless it is used before.
    pub expires_at: Timestamp,
    /// When it was ended before its time.
    pub ended_at: Option<Timestamp>,
    /// Whether its tokens are good.
    pub is_live: bool,
}

/// A proof that somebody still waits for.
#[derive(Debug)]
pub struct ExportedChallenge {
    /// What for.
    pub purpose: Purpose,
    /// When it was asked for.
    pub made_at: Timestamp,
    /// Useless from then on.
    pub expires_at: Timestamp,
}

/// A message that no provider has taken yet.
#[derive(Debug)]
pub struct ExportedMessage {
    /// What it is about.
    pub kind: MessageKind,
    /// When the change was made.
    pub made_at: Timestamp,
    /// Not sent from then on.
    pub expires_at: Timestamp,
    /// Whether it waits, is leaving, or was given up.
    pub state: DeliveryState,
}

/// What is kept of one account.
#[derive(Debug)]
pub struct Export {
    /// When it was made.
    pub made_at: Timestamp,
    /// The population.
    pub user_type: UserType,
    /// The person.
    pub profile: Profile,
    /// A changed address that waits for its link.
    pub pending_email: Option<Email>,
    /// Whether it may be used.
    pub status: AccountStatus,
    /// Newest first.
    pub sessions: Vec<ExportedSession>,
    /// For each known device, when somebody signed in from it last. What tells it is a digest, which tells nothing.
    pub devices: Vec<Timestamp>,
    /// Pending.
    pub challenges: Vec<ExportedChallenge>,
    /// Pending.
    pub messages: Vec<ExportedMessage>,
    /// Numbers of the keys that seal the data.
    pub keys: Vec<String>,
    /// Ids of the keys that wrap those.
    pub wrapped_by: Vec<KekId>,
    /// What happened, oldest first.
    pub audit: Vec<AuditRecord>,
    /// The last of them, where there may be more.
    pub audit_next: Option<AuditId>,
}

/// Opens all of the caller's account; of its audit what comes after `after`. That the sign-in is fresh, who calls has made
/// sure.
pub async fn export_account(
    core: &Core,
    caller: &Caller,
    after: Option<&AuditId>,
) -> Result<Export, AuthenticateError> {
    let (key, now) = (caller.key(), core.clock.now());
    let keys = open_keys(core, &key).await?.ok_or(AuthenticateError::InvalidToken)?;
    let profile = profile(core, caller).await?;
    let account = &caller.account;
    let pending = account.sealed.as_ref().and_then(|sealed| sealed.email_pending.as_ref());
    let pending_email = pending.map(|sealed| keys.open(sealed)).transpose();
    let deks = core.stores.deks.find(&key).await.map_err(Failure::from)?;
    let deks = deks.ok_or(AuthenticateError::InvalidToken)?.deks;
    let wrapped_by: BTreeSet<_> = deks.values().map(|key| key.kek_id.clone()).collect();
    let challenges = account.challenges.iter().filter(|(_, one)| now < one.expires_at);
    let (audit, audit_next) = trail(core, caller, after).await?;
    let export = Export {
        made_at: now,
        user_type: key.user_type.clone(),
        pending_email: pending_email.map_err(Failure::from)?,
        status: caller.security.status,
        sessions: sessions(core, caller, &keys).await?,
        devices: account.devices.iter().flat_map(KnownDevices::seen_at).collect(),
        challenges: challenges
            .map(|(purpose, challenge)| ExportedChallenge {
                purpose: *purpose,
                made_at: challenge.made_at,
                expires_at: challenge.expires_at,
            })
            .collect(),
        messages: account
            .outbox
            .entries()
            .map(|entry| ExportedMessage {
                kind: entry.kind,
                made_at: entry.made_at,
                expires_at: entry.expires_at,
                state: entry.state,
            })
            .collect(),
        keys: deks.into_keys().collect(),
        wrapped_by: wrapped_by.into_iter().collect(),
        audit,
        audit_next,
        profile,
    };
    core.note(&key.user_type, &key.id, AuditEvent::AccountExported, Outcome::Success)
        .await;
    Ok(export)
}

/// Those that are stored, over or not. One that somebody wrote over is not among them: it is not the owner's data.
async fn sessions(core: &Core, caller: &Caller, keys: &DataKeys) -> Result<Vec<ExportedSession>, Failure> {
    let (now, keyring) = (core.clock.now(), core.keyring.current());
    let stored = core
        .stores
        .sessions
        .ids_of_account(&caller.key(), MOST_SESSIONS)
        .await?;
    let mut exported = Vec::with_capacity(stored.len());
    for id in stored {
        let key = Ref::new(&caller.account.user_type, id);
        let session = core.stores.sessions.find(&key).await?;
        let Some(session) = session.filter(|session| session.facts().is_signed_by(&keyring, &session.mac)) else {
            continue;
        };
        exported.push(ExportedSession {
            agent: session.agent.as_ref().map(|agent| keys.open(agent)).transpose()?,
            network: session.network.as_ref().map(|network| keys.open(network)).transpose()?,
            is_live: session.is_live(now) && is_backed(&session, &caller.security),
            created_at: session.created_at,
            authenticated_at: session.authenticated_at,
            seen_at: session.rotated_at.unwrap_or(session.created_at),
            expires_at: session.idle_expires_at.min(session.expires_at),
            ended_at: session.ended_at,
            methods: session.methods,
            id: session.id,
        });
    }
    exported.sort_by(|one, other| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
    Ok(exported)
}

/// Page by page, so many of them, and the last one where there may be more.
async fn trail(
    core: &Core,
    caller: &Caller,
    after: Option<&AuditId>,
) -> Result<(Vec<AuditRecord>, Option<AuditId>), Failure> {
    let key = caller.key();
    let mut trail: Vec<AuditRecord> = Vec::new();
    loop {
        let last = trail.last().map(|entry| &entry.id).or(after);
        let page = core.stores.audit.list(&key.user_type, Some(&key.id), last, PAGE);
        let page = page.await?;
        let is_last = page.len() < PAGE as usize;
        trail.extend(page);
        if is_last {
            return Ok((trail, None));
        }
        if trail.len() >= MOST_EVENTS {
            let next = trail.last().map(|entry| entry.id.clone());
            return Ok((trail, next));
        }
    }
}
