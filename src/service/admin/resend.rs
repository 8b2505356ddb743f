//! Mails again what somebody waits for: the invitation of an account without a password, the link of one whose address
//! nobody confirmed, or that of a registration. The link that was mailed before stops working.

use crate::{
    domain::{
        account::AccountStatus,
        audit::{AuditEvent, Outcome},
        challenge::Purpose,
        ids::{AccountId, ChallengeId, MessageId},
        message::MessageKind,
    },
    service::{
        accounts::{find_verified, hand_over, message},
        admin::{
            authorize::Authorized,
            error::{AdminError, Denial},
            grants::CreateAccount,
        },
        core::Core,
        failure::Failure,
    },
    storage::{
        Change, Changed, Ref, accounts::AccountRecord, change, outbox::OutboxEntry, registrations::RegistrationRecord,
    },
};

/// Queues it.
pub async fn resend(core: &Core, admin: &Authorized<CreateAccount>, id: &AccountId) -> Result<(), AdminError> {
    let key = admin.key(id);
    let Some((_, security)) = find_verified(core, &key).await? else {
        return resend_registration(core, admin, &key).await;
    };
    admin.may_change(core, &key, &security)?;
    let (purpose, kind, event) = match (security.status, &security.password_hash) {
        (AccountStatus::Active, None) => (
            Purpose::AcceptInvitation,
            MessageKind::Invitation,
            AuditEvent::AccountInvited,
        ),
        (AccountStatus::Active, Some(_)) if !security.is_email_verified => (
            Purpose::ConfirmAddress,
            MessageKind::ConfirmAddress,
            AuditEvent::ConfirmationRequested,
        ),
        _ => return Err(AdminError::NothingToResend),
    };
    let (message_id, entry) = message(core, kind);
    let now = core.clock.now();
    let challenge_id = ChallengeId::make(now, &*core.entropy);
    let changed = change(&*core.stores.accounts, &key, |account: &mut AccountRecord| {
        // Locked, or claimed, meanwhile: what changed that has put an end to its links.
        if account.sealed.is_none() || account.security().rev_sec() != security.rev_sec {
            return Change::Leave(());
        }
        account.challenge(purpose, challenge_id.clone(), now);
        account.outbox.replace(&message_id, entry.clone());
        Change::Store(())
    });
    match changed.await? {
        Changed::Stored(()) => {
            done(core, admin, &key, message_id, event).await;
            Ok(())
        }
        Changed::Left(()) => Err(AdminError::NothingToResend),
        Changed::Missing | Changed::Taken(_) => Err(Denial::NotFound.into()),
    }
}

async fn resend_registration(
    core: &Core,
    admin: &Authorized<CreateAccount>,
    key: &Ref<AccountId>,
) -> Result<(), AdminError> {
    let registrations = &*core.stores.registrations;
    let (message_id, entry): (MessageId, OutboxEntry) = message(core, MessageKind::ConfirmAddress);
    let now = core.clock.now();
    // A record that somebody changed is none of the registration's either.
    if core.stores.accounts.find(key).await.map_err(Failure::from)?.is_some() {
        return Err(Denial::NotFound.into());
    }
    let changed = change(registrations, key, |registration: &mut RegistrationRecord| {
        if now >= registration.expires_at || registration.is_link_used() {
            return Change::Leave(());
        }
        registration.outbox.replace(&message_id, entry.clone());
        Change::Store(())
    });
    match changed.await? {
        Changed::Stored(()) => {
            done(core, admin, key, message_id, AuditEvent::ConfirmationRequested).await;
            Ok(())
        }
        Changed::Left(()) | Changed::Missing | Changed::Taken(_) => Err(Denial::NotFound.into()),
    }
}

async fn done(
    core: &Core,
    admin: &Authorized<CreateAccount>,
    key: &Ref<AccountId>,
    message_id: MessageId,
    event: AuditEvent,
) {
    hand_over(core, key, message_id);
    core.note_with(&key.user_type, Some(&key.id), event, Outcome::Success, admin.details())
        .await;
}
