//! What an export holds, field by field.

use std::collections::BTreeMap;

use poem_openapi::Object;
use serde::Serialize;

use crate::{
    domain::clock::Timestamp,
    http::dto::profile::ProfileSchema,
    service::export_account::{Export, ExportedChallenge, ExportedMessage, ExportedSession},
    storage::audit::AuditRecord,
};

/// Everything that is kept of an account. Times are RFC 3339, UTC.
#[derive(Object)]
#[oai(rename = "Export")]
pub struct ExportSchema {
    /// Of this document's shape: 1.
    format: u32,
    /// When it was made.
    exported_at: String,
    /// Of which population the account is.
    user_type: String,
    /// The person, as `GET /` shows them.
    profile: ProfileSchema,
    /// A changed address that waits for its link.
    email_pending: Option<String>,
    /// `active` or `locked`.
    status: String,
    /// Every session that is still stored, over or not, newest first.
    sessions: Vec<SessionExport>,
    /// The devices that the account was signed in from.
    devices: Vec<DeviceExport>,
    /// Proofs that are waited for: links and codes that were sent. What they are is not kept, only digests.
    challenges: Vec<ChallengeExport>,
    /// Messages that no provider has taken yet.
    messages: Vec<MessageExport>,
    /// What seals the data at rest.
    keys: KeysExport,
    /// What happened, oldest first: 10,000 events at most.
    audit: Vec<EventExport>,
    /// Where there may be more: goes back as `audit_after`.
    audit_next: Option<String>,
}

/// A session.
#[derive(Object)]
struct SessionExport {
    /// Names it.
    id: String,
    /// What the client called itself when the session began.
    user_agent: Option<String>,
    /// The network that it began from: the first 24 bits of an IPv4 address, 48 of an IPv6 one.
    network: Option<String>,
    /// How you proved who you are (RFC 8176).
    methods: Vec<String>,
    /// When it began.
    first_seen_at: String,
    /// When its tokens were last renewed.
    last_seen_at: String,
    /// When you last proved who you are.
    authenticated_at: String,
    /// When it ends, unless it is used before.
    expires_at: String,
    /// When it was ended before its time.
    ended_at: Option<String>,
    /// Whether its tokens are good.
    is_live: bool,
}

/// A device that is known. What it is known by is a keyed digest, which tells nothing of it.
#[derive(Object)]
struct DeviceExport {
    /// When somebody signed in from it last, to the day.
    last_seen_at: String,
}

/// A proof that is waited for.
#[derive(Object)]
struct ChallengeExport {
    /// `change_address`, `reset_password`, `verify_phone`, `confirm_address`, `accept_invitation` or `email_sign_in`.
    purpose: String,
    /// When it was asked for.
    made_at: String,
    /// Useless from then on.
    expires_at: String,
}

/// A message on its way.
#[derive(Object)]
struct MessageExport {
    /// What it is about.
    kind: String,
    /// When the change was made that it tells of.
    made_at: String,
    /// Not sent from then on.
    expires_at: String,
    /// `pending`, `sending` or `dead`: given up.
    state: String,
}

/// Keys, by name alone.
#[derive(Object)]
struct KeysExport {
    /// Numbers of the account's own data keys.
    data_keys: Vec<String>,
    /// Ids of the keys that wrap them.
    wrapped_by: Vec<String>,
}

/// An event of the audit.
#[derive(Object)]
pub(in crate::http) struct EventExport {
    /// Names it.
    id: String,
    /// When.
    at: String,
    /// What.
    event: String,
    /// `success` or `refused`.
    outcome: String,
    /// The network that it came from.
    network: Option<String>,
    /// The request that caused it.
    request_id: Option<String>,
    /// What else is known of it: ids, numbers and fixed words, by name.
    details: BTreeMap<String, String>,
}

/// A stored name: part of the format, and the same in the audit, the database and here.
pub(in crate::http) fn name(value: &impl Serialize) -> String {
    let name = serde_json::to_value(value).ok();
    name.and_then(|name| name.as_str().map(str::to_owned))
        .unwrap_or_default()
}

impl From<Export> for ExportSchema {
    fn from(export: Export) -> Self {
        Self {
            format: 1,
            exported_at: export.made_at.to_string(),
            user_type: export.user_type.to_string(),
            profile: export.profile.into(),
            email_pending: export.pending_email.map(|email| email.expose().to_owned()),
            status: export.status.as_str().to_owned(),
            sessions: export.sessions.into_iter().map(Into::into).collect(),
            devices: export.devices.into_iter().map(Into::into).collect(),
            challenges: export.challenges.into_iter().map(Into::into).collect(),
            messages: export.messages.into_iter().map(Into::into).collect(),
            keys: KeysExport {
                data_keys: export.keys,
                wrapped_by: export.wrapped_by.iter().map(ToString::to_string).collect(),
            },
            audit: export.audit.into_iter().map(Into::into).collect(),
            audit_next: export.audit_next.map(|id| id.to_string()),
        }
    }
}

impl From<ExportedSession> for SessionExport {
    fn from(session: ExportedSession) -> Self {
        Self {
            id: session.id.to_string(),
            user_agent: session.agent.map(|agent| agent.expose().to_owned()),
            network: session.network.map(|network| network.as_str().to_owned()),
            methods: session.methods.iter().map(name).collect(),
            first_seen_at: session.created_at.to_string(),
            last_seen_at: session.seen_at.to_string(),
            authenticated_at: session.authenticated_at.to_string(),
            expires_at: session.expires_at.to_string(),
            ended_at: session.ended_at.map(|at| at.to_string()),
            is_live: session.is_live,
        }
    }
}

impl From<Timestamp> for DeviceExport {
    fn from(seen_at: Timestamp) -> Self {
        Self {
            last_seen_at: seen_at.to_string(),
        }
    }
}

impl From<ExportedChallenge> for ChallengeExport {
    fn from(challenge: ExportedChallenge) -> Self {
        Self {
            purpose: challenge.purpose.as_str().to_owned(),
            made_at: challenge.made_at.to_string(),
            expires_at: challenge.expires_at.to_string(),
        }
    }
}

impl From<ExportedMessage> for MessageExport {
    fn from(message: ExportedMessage) -> Self {
        Self {
            kind: message.kind.as_str().to_owned(),
            made_at: message.made_at.to_string(),
            expires_at: message.expires_at.to_string(),
            state: name(&message.state),
        }
    }
}

impl From<AuditRecord> for EventExport {
    fn from(entry: AuditRecord) -> Self {
        Self {
            id: entry.id.to_string(),
            at: entry.at.to_string(),
            event: name(&entry.event),
            outcome: name(&entry.outcome),
            network: entry.network.map(|network| network.as_str().to_owned()),
            request_id: entry.request_id,
            details: entry.details.into_map(),
        }
    }
}
