//! Notes what happened. A note that can't be stored is logged and stops nobody: the act itself was done, or refused,
//! already.
//!
//! Whatever somebody can cause without end and without an account is noted by [`Core::note_first`]: the first of each
//! kind and origin in ten minutes, and no more than `MOST` of a kind a minute. The limits' own buckets count that.

use std::time::Duration;

use serde_json::json;

use crate::{
    crypto::kek::KekError,
    domain::{
        audit::{AuditEvent, Details, Outcome},
        clock::Timestamp,
        entropy::Entropy,
        ids::{AccountId, AuditId, MessageId},
        limits::Quota,
        network::Network,
        user_type::UserType,
    },
    service::{core::Core, failure::Failure, limits},
    storage::{Ref, audit::AuditRecord, limits::Spent},
};

/// Of one kind and origin.
const FIRST: Quota = Quota {
    burst: 1,
    period: Duration::from_mins(10),
};
/// Of one kind, wherever they come from.
const MOST: Quota = Quota {
    burst: 60,
    period: Duration::from_mins(1),
};

/// Takes what was noted as JSON lines, beside the store.
pub trait AuditLines: Send + Sync + 'static {
    /// Takes one line, without its end. Never waits.
    fn take(&self, line: String);
}

/// What happened, before it is noted.
#[derive(Clone, Debug)]
pub struct Happened {
    /// What.
    pub event: AuditEvent,
    /// How it ended.
    pub outcome: Outcome,
    /// The population, unless it is about the whole service.
    pub user_type: Option<UserType>,
    /// Whom it concerns.
    pub account_id: Option<AccountId>,
    /// What else.
    pub details: Details,
}

impl Happened {
    /// The entry that tells of it, made by the request that this task serves, if it serves one.
    #[must_use]
    pub fn entry(self, at: Timestamp, entropy: &dyn Entropy) -> AuditRecord {
        AuditRecord {
            id: AuditId::make(at, entropy),
            schema: crate::storage::SCHEMA,
            user_type: self.user_type,
            account_id: self.account_id,
            event: self.event,
            outcome: self.outcome,
            at,
            request_id: REQUEST_ID.try_with(Clone::clone).ok(),
            network: NETWORK.try_with(Clone::clone).ok().flatten(),
            details: self.details,
        }
    }
}

impl Core {
    /// Appends an entry about `account_id` of `user_type`.
    pub async fn note(&self, user_type: &UserType, account_id: &AccountId, event: AuditEvent, outcome: Outcome) {
        self.note_with(user_type, Some(account_id), event, outcome, Details::default())
            .await;
    }

    /// Appends an entry about nobody in particular.
    pub async fn note_of_nobody(&self, user_type: &UserType, event: AuditEvent, outcome: Outcome) {
        self.note_with(user_type, None, event, outcome, Details::default())
            .await;
    }

    /// Appends an entry with what else is to be known.
    pub async fn note_with(
        &self,
        user_type: &UserType,
        account_id: Option<&AccountId>,
        event: AuditEvent,
        outcome: Outcome,
        details: Details,
    ) {
        self.append(Happened {
            event,
            outcome,
            user_type: Some(user_type.clone()),
            account_id: account_id.cloned(),
            details,
        })
        .await;
    }

    /// Appends an entry about the whole service, whatever its populations.
    pub async fn note_of_service(&self, event: AuditEvent, outcome: Outcome, details: Details) {
        self.append(Happened {
            event,
            outcome,
            user_type: None,
            account_id: None,
            details,
        })
        .await;
    }

    /// Appends the entry that tells of `message`'s making, to be found again by the message.
    pub async fn note_message(
        &self,
        user_type: &UserType,
        account_id: &AccountId,
        event: AuditEvent,
        message: &MessageId,
    ) {
        let happened = Happened {
            event,
            outcome: Outcome::Success,
            user_type: Some(user_type.clone()),
            account_id: Some(account_id.clone()),
            details: Details::default(),
        };
        let mut entry = happened.entry(self.clock.now(), &*self.entropy);
        entry.id = AuditId::of_message(message);
        self.store(entry).await;
    }

    /// Appends an entry about a refusal that can be had without end: the first from the caller's network in a while, and
    /// not too many of all.
    pub async fn note_first(&self, user_type: Option<&UserType>, event: AuditEvent, details: Details) {
        let network = NETWORK.try_with(Clone::clone).ok().flatten();
        let origin = network.as_ref().map_or("-", Network::as_str);
        let kind = format!("audit {event:?} {}", details.get("route").unwrap_or_default());
        let scope = user_type.map_or("", UserType::as_str);
        for (subject, quota) in [(origin, FIRST), ("", MOST)] {
            match limits::count(self, scope, &kind, subject, quota).await {
                Ok(Spent::Allowed { .. }) => {}
                Ok(Spent::Refused { .. }) => return,
                Err(error) => {
                    tracing::warn!(%error, ?event, "a refusal was not noted");
                    return;
                }
            }
        }
        self.append(Happened {
            event,
            outcome: Outcome::Refused,
            user_type: user_type.cloned(),
            account_id: None,
            details,
        })
        .await;
    }

    /// What a field, or the key of an account's fields, holds. One that does not open is noted, the first of an account in a
    /// while: whoever tries again, a job by itself, meets it again.
    pub async fn opened<T, E: Into<Failure>>(
        &self,
        owner: &Ref<AccountId>,
        opened: Result<T, E>,
    ) -> Result<T, Failure> {
        let failure = match opened {
            Ok(plain) => return Ok(plain),
            Err(error) => error.into(),
        };
        if matches!(failure, Failure::CannotOpen(_) | Failure::Kek(KekError::Damaged)) {
            let (scope, kind) = (owner.user_type.as_str(), "audit field_damaged");
            let counted = limits::count(self, scope, kind, owner.id.as_str(), FIRST).await;
            if !matches!(counted, Ok(Spent::Refused { .. })) {
                let (event, outcome) = (AuditEvent::FieldDamaged, Outcome::Refused);
                self.note(&owner.user_type, &owner.id, event, outcome).await;
            }
        }
        Err(failure)
    }

    async fn append(&self, happened: Happened) {
        self.store(happened.entry(self.clock.now(), &*self.entropy)).await;
    }

    async fn store(&self, entry: AuditRecord) {
        if let Some(lines) = &self.audit_lines {
            lines.take(entry_line(&entry));
        }
        if let Err(error) = self.stores.audit.append(&entry).await {
            tracing::error!(%error, event = ?entry.event, "an audit entry was not stored");
        }
    }
}

/// An entry as a line of JSON, as streams carry it.
#[must_use]
pub fn entry_line(entry: &AuditRecord) -> String {
    json!({
        "audit": "entry",
        "id": entry.id,
        "at": entry.at.to_string(),
        "event": entry.event,
        "outcome": entry.outcome,
        "user_type": entry.user_type,
        "account_id": entry.account_id,
        "network": entry.network,
        "request_id": entry.request_id,
        "details": entry.details,
    })
    .to_string()
}

tokio::task_local! {
    /// The id of the HTTP request that this task serves.
    pub static REQUEST_ID: String;
    /// Where that came from.
    pub static NETWORK: Option<Network>;
}
