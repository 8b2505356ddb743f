//! The audit of a user type, oldest first: all of it, of one account, of one event, since a moment. Reading it is an event of
//! its own.

use crate::{
    crypto::encoding::join,
    domain::{
        audit::{AuditEvent, Outcome},
        clock::Timestamp,
        ids::{AccountId, AuditId},
    },
    service::{
        admin::{
            authorize::Authorized,
            error::AdminError,
            grants::ReadAudit,
            page::{MOST, Page, Pages},
        },
        core::Core,
    },
    storage::audit::AuditRecord,
};

/// Entries that one request looks at, at most, where it asks for one event.
const LOOKED_AT: usize = 2_000;
/// Read at a time.
const BATCH: u32 = 200;

/// Which entries are wanted: those that fulfil all of it.
#[derive(Debug, Default)]
pub struct WantedEvents {
    /// About that account.
    pub account_id: Option<AccountId>,
    /// That event.
    pub event: Option<AuditEvent>,
    /// From that moment on.
    pub since: Option<Timestamp>,
}

impl WantedEvents {
    /// In one spelling, for the cursor.
    fn to_bytes(&self) -> Vec<u8> {
        join(&[
            self.account_id.as_ref().map_or("", AccountId::as_str).as_bytes(),
            self.event
                .map_or(String::new(), |event| format!("{event:?}"))
                .as_bytes(),
            &self.since.map_or(0, Timestamp::as_millis).to_be_bytes(),
        ])
    }
}

/// Those that are wanted, from after the cursor. A page may have fewer than `limit` though more come: of those that one
/// request looks at, few may be wanted.
pub async fn read_audit(
    core: &Core,
    admin: &Authorized<ReadAudit>,
    wanted: &WantedEvents,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page<AuditRecord>, AdminError> {
    let (user_type, limit) = (admin.population(), limit.clamp(1, MOST));
    let most = limit as usize;
    let bytes = wanted.to_bytes();
    let pages = Pages {
        list: "audit",
        filter: &bytes,
    };
    let begin = wanted.since.map(AuditId::first_at);
    let mut after: Option<AuditId> = pages.after(core, admin, cursor)?.or(begin);
    let batch = if wanted.event.is_some() { BATCH } else { limit };
    let (mut entries, mut seen) = (Vec::new(), 0);
    let is_last = loop {
        let account = wanted.account_id.as_ref();
        let found = core
            .stores
            .audit
            .list(user_type, account, after.as_ref(), batch)
            .await?;
        let is_short = found.len() < batch as usize;
        seen += found.len();
        let mut is_full = false;
        for entry in found {
            if entries.len() == most {
                is_full = true;
                break;
            }
            after = Some(entry.id.clone());
            if wanted.event.is_none_or(|event| event == entry.event) {
                entries.push(entry);
            }
        }
        if is_full || entries.len() == most || seen >= LOOKED_AT {
            break is_short && !is_full;
        }
        if is_short {
            break true;
        }
    };
    let next = match after.filter(|_| !is_last) {
        Some(after) => Some(pages.next(core, admin, after.as_str())?),
        None => None,
    };
    core.note_with(
        user_type,
        wanted.account_id.as_ref(),
        AuditEvent::AuditRead,
        Outcome::Success,
        admin.details(),
    )
    .await;
    Ok(Page { entries, next })
}
