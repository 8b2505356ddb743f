//! What changes of an account's standing have in common: one conditional write, with what it causes, and every server told.

use crate::{
    crypto::record_mac::Security,
    domain::{
        audit::{AuditEvent, Outcome},
        ids::{AccountId, MessageId},
        message::MessageKind,
    },
    service::{
        accounts::{ATTEMPTS, contended, find_verified, hand_over, message, sign},
        admin::{
            authorize::Authorized,
            error::{AdminError, Denial},
            summary::{AccountSummary, Facts},
        },
        core::Core,
        revoke::{self, standing},
    },
    storage::{Change, Changed, accounts::AccountRecord, change, outbox::OutboxEntry},
};

/// What is to become of an account.
pub(super) struct Standing<'s> {
    /// What of its verified part; what is left as it is makes no write.
    pub alter: &'s (dyn Fn(&mut Security) + Sync),
    /// What else of its record, in the same write.
    pub touch: &'s (dyn Fn(&mut AccountRecord) + Sync),
    /// What its owner is told, in the same write.
    pub tell: Option<MessageKind>,
    /// What is noted of it.
    pub event: AuditEvent,
}

/// Changes it, and notes that where anything was changed; answers it as it is then.
pub(super) async fn change_standing<P>(
    core: &Core,
    admin: &Authorized<P>,
    id: &AccountId,
    wanted: &Standing<'_>,
) -> Result<AccountSummary, AdminError> {
    let key = admin.key(id);
    for _ in 0..ATTEMPTS {
        let (account, security) = find_verified(core, &key).await?.ok_or(Denial::NotFound)?;
        admin.may_change(core, &key, &security)?;
        let mut next = security.clone();
        (wanted.alter)(&mut next);
        if next == security {
            return Ok(summary(id, &account, &security));
        }
        let signed = sign(core, &key, &security, |slot| *slot = next.clone())?;
        let told: Option<(MessageId, OutboxEntry)> = wanted.tell.map(|kind| message(core, kind));
        let changed = change(&*core.stores.accounts, &key, |account: &mut AccountRecord| {
            if !account.replace_security(security.rev_sec, signed.clone()) {
                return Change::Leave(None);
            }
            (wanted.touch)(account);
            if let Some((id, entry)) = &told {
                account.outbox.push(id, entry.clone());
            }
            Change::Store(Some(account.clone()))
        })
        .await?;
        match changed {
            Changed::Stored(Some(account)) => {
                revoke::account_moved_on(core, &key, &standing(&next)).await;
                if let Some((id, _)) = told {
                    hand_over(core, &key, id);
                }
                let done = Outcome::Success;
                core.note_with(admin.population(), Some(id), wanted.event, done, admin.details())
                    .await;
                return Ok(summary(id, &account, &next));
            }
            Changed::Stored(None) | Changed::Left(_) => {}
            Changed::Missing | Changed::Taken(_) => return Err(Denial::NotFound.into()),
        }
    }
    Err(contended().into())
}

fn summary(id: &AccountId, account: &AccountRecord, security: &Security) -> AccountSummary {
    AccountSummary {
        id: id.clone(),
        facts: Some(Facts::of(account, security)),
    }
}
