//! What use cases that change an account have in common: read and verify, sign again, try again when somebody else
//! was faster.

use crate::{
    crypto::{
        data_key::DataKeys,
        record_mac::{RecordMac, Security, SignedSecurity},
    },
    domain::{
        account::AccountStatus,
        audit::{AuditEvent, Outcome},
        ids::{AccountId, MessageId},
    },
    service::{core::Core, failure::Failure},
    storage::{
        Ref, StoreError,
        accounts::AccountRecord,
        outbox::{MessageRef, OutboxEntry},
    },
    traces,
};

/// How often a change is tried against others of the same account.
pub(in crate::service) const ATTEMPTS: u32 = 8;

/// Reads an account and verifies what its MAC covers. A record that somebody changed behind the service's back is
/// audited and counts as none.
pub async fn find_verified(core: &Core, key: &Ref<AccountId>) -> Result<Option<(AccountRecord, Security)>, Failure> {
    let Some(account) = core.stores.accounts.find(key).await? else {
        return Ok(None);
    };
    let keyring = core.keyring.current();
    let verified = RecordMac::new(&keyring)
        .verify(&key.user_type, &key.id, account.security())
        .cloned();
    match verified {
        Ok(security) => Ok(Some((account, security))),
        Err(_) => {
            core.note(&key.user_type, &key.id, AuditEvent::RecordTampered, Outcome::Refused)
                .await;
            Ok(None)
        }
    }
}

/// The data keys of an account; `None` where it was erased meanwhile.
pub(in crate::service) async fn open_keys(core: &Core, key: &Ref<AccountId>) -> Result<Option<DataKeys>, Failure> {
    match core.opened(key, core.vault.open(key).await).await {
        Ok(keys) => Ok(Some(keys)),
        Err(Failure::NoDataKey(missing)) => match find_verified(core, key).await? {
            Some((_, security)) if security.status != AccountStatus::Erased => Err(missing.into()),
            _ => Ok(None),
        },
        Err(failure) => Err(failure),
    }
}

/// Signs the next revision of what the MAC covers.
pub(in crate::service) fn sign(
    core: &Core,
    key: &Ref<AccountId>,
    current: &Security,
    alter: impl FnOnce(&mut Security),
) -> Result<SignedSecurity, Failure> {
    let mut next = current.clone();
    alter(&mut next);
    next.rev_sec = current.rev_sec + 1;
    Ok(RecordMac::new(&core.keyring.current()).sign(&key.user_type, &key.id, next)?)
}

/// All other attempts lost against changes of the same account.
pub(in crate::service) fn contended() -> Failure {
    StoreError::Contended.into()
}

/// A message of an account, to be put into its outbox in the same write as what it is about.
pub(in crate::service) fn message(core: &Core, kind: crate::domain::message::MessageKind) -> (MessageId, OutboxEntry) {
    let now = core.clock.now();
    (
        MessageId::make(now, &*core.entropy),
        OutboxEntry::new(kind, now).in_trace(traces::current()),
    )
}

/// Hands a stored message over.
pub(in crate::service) fn hand_over(core: &Core, key: &Ref<AccountId>, message_id: MessageId) {
    core.hand_over.offer(MessageRef {
        message_id,
        account_id: Some(key.id.clone()),
        user_type: key.user_type.clone(),
    });
}
