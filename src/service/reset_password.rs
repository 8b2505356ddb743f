//! Sets a new password, or the first one of an account that an administrator made, by a mailed link: one write uses the link
//! up, changes the password, ends every session and queues the notice. The place that the link was used from is then the only
//! one that the account knows, and wrong passwords from before hold up nobody who signs in with the new one.

use std::sync::Arc;

use crate::{
    crypto::{digest::link_digest, record_mac::Security},
    domain::{
        account::{AccountStatus, NewPerson},
        audit::{AuditEvent, Details, Outcome},
        challenge::Purpose,
        device::Device,
        message::MessageKind,
        password_rules::RefusedPassword,
        private::Private,
        token::{LinkToken, TokenDigest},
        user_type::UserType,
        username::Username,
    },
    service::{
        accounts::{ATTEMPTS, contended, find_verified, hand_over, message, open_keys, sign},
        choose_password::{ChooseError, choose_password},
        core::Core,
        devices,
        failure::Failure,
        revoke, throttle,
    },
    storage::{Change, Ref, accounts::AccountRecord, change, revocations::Standing},
};

/// Why the password stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// Garbled, used, expired, replaced by a later mail, or of another user type: one answer for all.
    #[error("the link is not valid")]
    LinkInvalid,
    /// The password breaks rules; the link was not used up.
    #[error("the password breaks rules")]
    Refused(RefusedPassword),
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

enum Step {
    Done,
    LinkGone,
    Overtaken,
}

/// Whether the link would be taken now; uses nothing up. Who opens an old link learns so before choosing a password.
pub async fn check_link(core: &Core, user_type: &UserType, token: &str) -> Result<(), ResetError> {
    let token = LinkToken::parse(token).ok_or(ResetError::LinkInvalid)?;
    let key = Ref::new(user_type, token.account_id().clone());
    let links = Links::of(user_type, &token);
    find_verified(core, &key)
        .await?
        .filter(|found| links.met_by(core, found).is_some())
        .map(|_| ())
        .ok_or(ResetError::LinkInvalid)
}

impl From<ChooseError> for ResetError {
    fn from(error: ChooseError) -> Self {
        match error {
            ChooseError::Refused(refused) => Self::Refused(refused),
            ChooseError::Failure(failure) => failure.into(),
        }
    }
}

/// Sets the password that was chosen. It is judged once the link proved whose it is: what others can guess of its owner
/// says little in it.
pub async fn reset_password(
    core: &Core,
    user_type: &UserType,
    token: &str,
    chosen: &Private,
    device: &Device,
) -> Result<(), ResetError> {
    let reset = follow(core, user_type, token, chosen, device).await;
    if matches!(reset, Err(ResetError::LinkInvalid)) {
        core.note_first(Some(user_type), AuditEvent::LinkRefused, Details::default())
            .await;
    }
    reset
}

async fn follow(
    core: &Core,
    user_type: &UserType,
    token: &str,
    chosen: &Private,
    device: &Device,
) -> Result<(), ResetError> {
    let token = LinkToken::parse(token).ok_or(ResetError::LinkInvalid)?;
    let key = Ref::new(user_type, token.account_id().clone());
    let links = Links::of(user_type, &token);
    let usable = |found: &(AccountRecord, Security)| links.met_by(core, found).is_some();
    // Before the hash: a garbled link must not cost one.
    let (account, security) = find_verified(core, &key)
        .await?
        .filter(usable)
        .ok_or(ResetError::LinkInvalid)?;
    let keys = open_keys(core, &key).await?.ok_or(ResetError::LinkInvalid)?;
    let sealed = account.sealed.as_ref().ok_or(ResetError::LinkInvalid)?;
    let person = core.opened(&key, sealed.open(&keys)).await?;
    let has_second_factor = security.factors.is_on();
    let password = choose_password(core, user_type, chosen, &person, has_second_factor).await?;
    let place = devices::place(core, &key, device)?;
    let password_hash = core.hasher.hash(Arc::new(password)).await.map_err(Failure::from)?;

    for _ in 0..ATTEMPTS {
        let found = find_verified(core, &key).await?.ok_or(ResetError::LinkInvalid)?;
        let (purpose, digest) = links.met_by(core, &found).ok_or(ResetError::LinkInvalid)?;
        let (_, security) = found;
        let signed = sign(core, &key, &security, |next| {
            next.password_hash = Some(password_hash.clone());
            // The link went to the address: an imported one is confirmed by it.
            next.is_email_verified = true;
            next.epoch += 1;
            next.kept_session = None;
        })?;
        let (message_id, entry) = message(core, MessageKind::PasswordChanged);
        let now = core.clock.now();
        let step = change(&*core.stores.accounts, &key, |account: &mut AccountRecord| {
            if !account.is_met(purpose, digest, now) {
                return Change::Leave(Step::LinkGone);
            }
            if !account.replace_security(security.rev_sec, signed.clone()) {
                return Change::Leave(Step::Overtaken);
            }
            account.challenges.remove(&Purpose::ResetPassword);
            account.challenges.remove(&Purpose::AcceptInvitation);
            account.challenges.remove(&Purpose::EmailSignIn);
            // Whoever was signed in may have asked for another address: with the session goes what they asked for.
            account.challenges.remove(&Purpose::ChangeAddress);
            if let Some(sealed) = &mut account.sealed {
                sealed.email_pending = None;
            }
            devices::forget_others(account, &place, now);
            account.outbox.push(&message_id, entry.clone());
            Change::Store(Step::Done)
        })
        .await
        .map_err(Failure::from)?;
        match step.into_value() {
            Some(Step::Done) => {
                let standing = Standing {
                    epoch: security.epoch + 1,
                    kept_session: None,
                    is_active: true,
                };
                revoke::account_moved_on(core, &key, &standing).await;
                hand_over(core, &key, message_id);
                let names = [Some(person.email.index_form()), username(&person)];
                let names: Vec<&str> = names.into_iter().flatten().collect();
                throttle::forget(core, user_type, &names, device.network.as_ref(), &place).await;
                core.note(user_type, &key.id, AuditEvent::PasswordReset, Outcome::Success)
                    .await;
                return Ok(());
            }
            Some(Step::Overtaken) => {}
            Some(Step::LinkGone) | None => return Err(ResetError::LinkInvalid),
        }
    }
    Err(contended().into())
}

fn username(person: &NewPerson) -> Option<&str> {
    person.username.as_ref().map(Username::index_form)
}

/// What a link's token may be good for.
struct Links([(Purpose, TokenDigest); 2]);

impl Links {
    fn of(user_type: &UserType, token: &LinkToken) -> Self {
        let purposes = [Purpose::ResetPassword, Purpose::AcceptInvitation];
        Self(purposes.map(|purpose| (purpose, link_digest(user_type, purpose, token))))
    }

    /// The one that the account waits for. An invitation is over with the first password, however that was set.
    fn met_by(&self, core: &Core, (account, security): &(AccountRecord, Security)) -> Option<(Purpose, &TokenDigest)> {
        let now = core.clock.now();
        let is_usable = |purpose| match purpose {
            Purpose::AcceptInvitation => security.password_hash.is_none(),
            _ => true,
        };
        let mut links = self.0.iter().filter(|_| security.status == AccountStatus::Active);
        let met = links.find(|(purpose, digest)| is_usable(*purpose) && account.is_met(*purpose, digest, now));
        met.map(|(purpose, digest)| (*purpose, digest))
    }
}
