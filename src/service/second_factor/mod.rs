//! The second factor: an authenticator app, codes by text where the user type allows them, and recovery codes.
//!
//! [`enrol`] shows a secret, [`confirm`] turns the app on by its first code and gives out recovery codes; [`text`] sends a
//! code, [`confirm_text`] turns texts on by one. [`due`] says at a sign-in whether a factor is due, [`verify`] is the second
//! half of the sign-in, [`prove`] compares what is shown, [`recovery_codes`] and [`disable`] are what its owner may do with
//! it.
//!
//! Every proof goes through `prove::prove`: a try is charged in a write of its own before anything is compared, and what was
//! right is used up in one conditional write.

pub mod confirm;
pub mod confirm_text;
pub mod disable;
pub mod due;
pub mod enrol;
pub mod prove;
pub mod recovery_codes;
pub mod text;
pub mod verify;

use crate::{
    crypto::record_mac::{Factors, Security},
    domain::{
        audit::{AuditEvent, Details, Outcome},
        ids::{AccountId, SessionId},
        message::MessageKind,
        second_factor::SecondFactor,
    },
    service::{
        accounts::{hand_over, message, sign},
        core::Core,
        failure::Failure,
        revoke,
    },
    storage::{Change, Changed, Ref, accounts::AccountRecord, change, revocations::Standing},
};

/// Other factors for an account.
struct NewFactors {
    factors: Factors,
    /// The session that goes on; every other one ends.
    kept_session: Option<SessionId>,
    /// What its owner is told.
    notice: MessageKind,
    /// What is noted.
    event: AuditEvent,
    /// Of which factor.
    factor: SecondFactor,
}

/// Replaces an account's factors in the write that ends its other sessions and queues the notice, together with what `also`
/// does to the record; where that answers `false`, nothing is stored. Whether it was stored: not where somebody changed what
/// the MAC covers since `security` was read.
async fn replace_factors(
    core: &Core,
    key: &Ref<AccountId>,
    security: &Security,
    new: NewFactors,
    also: impl Fn(&mut AccountRecord) -> bool + Send + Sync,
) -> Result<bool, Failure> {
    let signed = sign(core, key, security, |next| {
        next.factors = new.factors;
        next.epoch += 1;
        next.kept_session.clone_from(&new.kept_session);
    })?;
    let (message_id, entry) = message(core, new.notice);
    let changed = change(&*core.stores.accounts, key, |account: &mut AccountRecord| {
        if !also(account) || !account.replace_security(security.rev_sec, signed.clone()) {
            return Change::Leave(());
        }
        account.outbox.push(&message_id, entry.clone());
        Change::Store(())
    });
    if !matches!(changed.await?, Changed::Stored(())) {
        return Ok(false);
    }
    let standing = Standing {
        epoch: security.epoch + 1,
        kept_session: new.kept_session,
        is_active: true,
    };
    revoke::account_moved_on(core, key, &standing).await;
    hand_over(core, key, message_id);
    let details = Details::of_factor(new.factor);
    core.note_with(&key.user_type, Some(&key.id), new.event, Outcome::Success, details)
        .await;
    Ok(true)
}
