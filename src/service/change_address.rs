//! Confirms a changed address by its link: one write makes it the account's address, with slots and flag, uses the
//! link up and queues the notice to the address before. Until then it reserves nothing.

use crate::{
    crypto::{blind_index::BlindIndexer, digest::link_digest, record_mac::Security},
    domain::{
        account::AccountStatus,
        audit::{AuditEvent, Outcome},
        challenge::Purpose,
        message::MessageKind,
        token::LinkToken,
    },
    service::{
        accounts::{ATTEMPTS, contended, find_verified, hand_over, message, open_keys, sign},
        confirm::{ConfirmError, Confirmed},
        core::Core,
        email_filter,
        failure::Failure,
    },
    storage::{Change, Changed, Ref, accounts::AccountRecord, change, email_filter::Added},
};

/// Confirms the address that `token` was mailed to. Anything that is not a live link of a change is `LinkInvalid`,
/// an address that somebody else has by now too.
pub async fn confirm_change(
    core: &Core,
    user_type: &crate::domain::user_type::UserType,
    token: &LinkToken,
) -> Result<Confirmed, ConfirmError> {
    let key = Ref::new(user_type, token.account_id().clone());
    let digest = link_digest(user_type, Purpose::ChangeAddress, token);
    for _ in 0..ATTEMPTS {
        let now = core.clock.now();
        let usable = |(account, security): &(AccountRecord, Security)| {
            security.status == AccountStatus::Active && account.is_met(Purpose::ChangeAddress, &digest, now)
        };
        let (account, security) = find_verified(core, &key)
            .await?
            .filter(usable)
            .ok_or(ConfirmError::LinkInvalid)?;
        let sealed = account.sealed.as_ref().ok_or(ConfirmError::LinkInvalid)?;
        let pending = sealed.email_pending.as_ref().ok_or(ConfirmError::LinkInvalid)?;

        let keys = open_keys(core, &key).await?.ok_or(ConfirmError::LinkInvalid)?;
        let new = core.opened(&key, keys.open(pending)).await?;
        let old = core.opened(&key, keys.open(&sealed.email)).await?;
        let slots = {
            let keyring = core.keyring.current();
            let indexer = BlindIndexer::new(&keyring, user_type);
            let own = indexer.slots(&key.id, &new, None, None).map_err(Failure::from)?;
            security.slots.clone().with_email_of(own)
        };
        // Since when the address may have been there, by somebody else's registration, is not known.
        email_filter::add(core, user_type, &key.id, &slots).await?;
        email_filter::wait_until_known(core, Added::Newly, now).await;
        let signed = sign(core, &key, &security, |next| {
            next.slots = slots;
            next.is_email_verified = true;
        })?;
        let (message_id, mut notice) = message(core, MessageKind::AddressChanged);
        notice.to = Some(keys.seal(&old));
        let resealed = keys.seal(&new);
        let changed = change(&*core.stores.accounts, &key, |account: &mut AccountRecord| {
            if account.sealed.is_none() || !account.is_met(Purpose::ChangeAddress, &digest, now) {
                return Change::Leave(false);
            }
            if !account.replace_security(security.rev_sec, signed.clone()) {
                return Change::Leave(true);
            }
            if let Some(sealed) = &mut account.sealed {
                sealed.email = resealed.clone();
                sealed.email_pending = None;
            }
            account.challenges.remove(&Purpose::ChangeAddress);
            // A link to the address before sets no password any more.
            account.challenges.remove(&Purpose::ResetPassword);
            account.challenges.remove(&Purpose::AcceptInvitation);
            account.challenges.remove(&Purpose::EmailSignIn);
            account.outbox.push(&message_id, notice.clone());
            account.version += 1;
            account.updated_at = now;
            Change::Store(true)
        })
        .await
        .map_err(Failure::from)?;
        match changed {
            Changed::Stored(_) => {
                hand_over(core, &key, message_id);
                core.note(user_type, &key.id, AuditEvent::AddressChanged, Outcome::Success)
                    .await;
                return Ok(Confirmed::Now);
            }
            Changed::Left(true) => {}
            Changed::Left(false) | Changed::Missing | Changed::Taken(_) => return Err(ConfirmError::LinkInvalid),
        }
    }
    Err(contended().into())
}
