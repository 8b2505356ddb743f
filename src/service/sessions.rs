//! What a successful sign-in hands out, and what a refresh hands out again.

use std::time::Duration;

use crate::{
    crypto::{record_mac::Security, refresh_token::RefreshToken, token_signer::AccessClaims},
    domain::{
        audit::{AuditEvent, Outcome},
        clock::Timestamp,
        device::Device,
        ids::{AccountId, SessionId, TokenId},
        private::Private,
        session::AuthenticationMethod,
        token::AccessToken,
    },
    service::{
        accounts::open_keys,
        authenticate::Caller,
        core::Core,
        devices::{self, Noted},
        failure::Failure,
        revoke::{self, standing},
    },
    storage::{Change, Changed, Ref, SCHEMA, change, sessions::SessionRecord},
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

/// What a sign-in began.
#[derive(Debug)]
pub struct Started {
    /// The tokens.
    pub pair: TokenPair,
    /// By which the device is known the next time; `None` where it is known by its place.
    pub device: Option<Private>,
}

/// How a session begins.
#[derive(Debug)]
pub(in crate::service) struct Beginning<'b> {
    /// Whose.
    pub account: &'b Ref<AccountId>,
    /// As it was read together with the credential.
    pub security: &'b Security,
    /// How the person proved who they are.
    pub methods: Vec<AuthenticationMethod>,
    /// Where from.
    pub device: &'b Device,
    /// Whether for long.
    pub remember: bool,
}

/// Starts a session with the epoch that was read together with the credential; the account takes note of the device, and
/// its owner is told of one that it does not know. `None` where the account was erased meanwhile: looked up again once the
/// session is stored, so that either the erasure finds the session, or this finds the erasure.
pub(in crate::service) async fn start(core: &Core, beginning: Beginning<'_>) -> Result<Option<Started>, Failure> {
    let Beginning {
        account,
        security,
        methods,
        device,
        remember,
    } = beginning;
    let Some(keys) = open_keys(core, account).await? else {
        return Ok(None);
    };
    let now = core.clock.now();
    let policy = core.settings(&account.user_type).sessions;
    let id = SessionId::make(now, &*core.entropy);
    let refresh = RefreshToken::make(id.clone(), &core.keyring.current(), &*core.entropy)?;
    let expires_at = policy.absolute_end(now, remember);
    let mut session = SessionRecord {
        id,
        user_type: account.user_type.clone(),
        schema: SCHEMA,
        rev: 0,
        account_id: account.id.clone(),
        epoch: security.epoch,
        created_at: now,
        authenticated_at: now,
        methods,
        agent: device.agent.as_ref().map(|agent| keys.seal(agent)),
        network: device.network.as_ref().map(|network| keys.seal(network)),
        generation: 0,
        current: refresh.digest(),
        parent: None,
        rotated_at: None,
        idle_expires_at: policy.idle_end(now, expires_at),
        expires_at,
        ended_at: None,
        mac: Vec::new(),
    };
    session.mac = session.facts().sign(&core.keyring.current())?;
    core.stores.sessions.insert(&session).await?;
    let device = match devices::note(core, account, device, &session.id).await? {
        Noted::ByToken(token) => Some(token),
        Noted::ByPlace => None,
        Noted::AccountGone => {
            let key = Ref::new(&session.user_type, session.id.clone());
            core.stores.sessions.delete(&key).await?;
            return Ok(None);
        }
    };
    end_oldest(core, account, policy.most).await?;
    let pair = pair(core, &session, security, &refresh, now)?;
    Ok(Some(Started { pair, device }))
}

/// Ends what is past the number that an account may have. Listed after the insert, so that of many sign-ins at once the
/// last one finds all.
async fn end_oldest(core: &Core, account: &Ref<AccountId>, most: u32) -> Result<(), Failure> {
    /// More than ever begin between two looks; what is left then, the next sign-in ends.
    const MORE: u32 = 64;
    let (now, sessions) = (core.clock.now(), &*core.stores.sessions);
    let listed = sessions.of_account(account, most.saturating_add(MORE)).await?;
    let past = listed.into_iter().skip(most as usize);
    for old in past {
        let key = Ref::new(&account.user_type, old.id);
        let ended = change(sessions, &key, |session: &mut SessionRecord| {
            if session.end(now) {
                Change::Store(())
            } else {
                Change::Leave(())
            }
        });
        if matches!(ended.await?, Changed::Stored(())) {
            revoke::session_ended(core, &key).await;
            core.note(
                &account.user_type,
                &account.id,
                AuditEvent::OldSessionsEnded,
                Outcome::Success,
            )
            .await;
        }
    }
    Ok(())
}

/// The pair that goes with the session as it stands now.
pub(in crate::service) fn pair(
    core: &Core,
    session: &SessionRecord,
    security: &Security,
    refresh: &RefreshToken,
    now: Timestamp,
) -> Result<TokenPair, Failure> {
    let (access, expires_in) = access_token(core, session, security, now)?;
    Ok(TokenPair {
        access,
        expires_in,
        refresh: refresh.expose(),
        refresh_expires_in: session.idle_expires_at.since(now),
    })
}

/// An access token of the session as it stands now, and how long it lasts.
pub(in crate::service) fn access_token(
    core: &Core,
    session: &SessionRecord,
    security: &Security,
    now: Timestamp,
) -> Result<(AccessToken, Duration), Failure> {
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
        scope: core.permissions(&session.user_type, &security.role).to_scope(),
        role: core.role_in_tokens(&session.user_type, &security.role),
    })?;
    Ok((access, expires_at.since(now)))
}

/// The session, if it is as it was made; one that somebody wrote over is audited and counts as none.
pub(in crate::service) async fn genuine(core: &Core, session: SessionRecord) -> Option<SessionRecord> {
    if session.facts().is_signed_by(&core.keyring.current(), &session.mac) {
        return Some(session);
    }
    let event = AuditEvent::RecordTampered;
    core.note(&session.user_type, &session.account_id, event, Outcome::Refused)
        .await;
    None
}

/// Whether the account still stands behind the session: in use, and of the session's epoch, or the one session that
/// outlived the last change.
pub(in crate::service) fn is_backed(session: &SessionRecord, security: &Security) -> bool {
    standing(security).backs(&session.id, session.epoch)
}

/// The same of somebody who is signed in, when the account was read again.
pub(in crate::service) fn is_session_backed(caller: &Caller, security: &Security) -> bool {
    standing(security).backs(&caller.session_id, caller.session_epoch)
}
