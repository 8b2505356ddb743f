//! Confirms the address that an imported account came with: nobody had before. Until then its password is checked, and
//! opens nothing.

use crate::{
    crypto::record_mac::Security,
    domain::{
        account::AccountStatus,
        audit::{AuditEvent, Outcome},
        challenge::Purpose,
        ids::AccountId,
        token::TokenDigest,
    },
    service::{
        accounts::{ATTEMPTS, contended, find_verified, sign},
        confirm::Confirmed,
        core::Core,
        failure::Failure,
    },
    storage::{Change, Changed, Ref, accounts::AccountRecord, change},
};

/// Confirms it, if the link's `digest` is the one that was mailed; `None` where it is not.
pub(in crate::service) async fn confirm_own(
    core: &Core,
    key: &Ref<AccountId>,
    digest: &TokenDigest,
) -> Result<Option<Confirmed>, Failure> {
    for _ in 0..ATTEMPTS {
        let now = core.clock.now();
        let usable = |(account, security): &(AccountRecord, Security)| {
            security.status == AccountStatus::Active && account.is_met(Purpose::ConfirmAddress, digest, now)
        };
        let Some((_, security)) = find_verified(core, key).await?.filter(usable) else {
            return Ok(None);
        };
        let signed = sign(core, key, &security, |next| next.is_email_verified = true)?;
        let changed = change(&*core.stores.accounts, key, |account: &mut AccountRecord| {
            if !account.is_met(Purpose::ConfirmAddress, digest, now) {
                return Change::Leave(false);
            }
            if !account.replace_security(security.rev_sec, signed.clone()) {
                return Change::Leave(true);
            }
            account.challenges.remove(&Purpose::ConfirmAddress);
            account.version += 1;
            account.updated_at = now;
            Change::Store(true)
        })
        .await?;
        match changed {
            Changed::Stored(_) => {
                core.note(&key.user_type, &key.id, AuditEvent::AccountConfirmed, Outcome::Success)
                    .await;
                return Ok(Some(Confirmed::Now));
            }
            Changed::Left(true) => {}
            Changed::Left(false) | Changed::Missing | Changed::Taken(_) => return Ok(None),
        }
    }
    Err(contended())
}
