//! The mailed link: looked at as often as one likes, used once, and then it shows the code. It signs nobody in.

use std::time::Duration;

use crate::{
    crypto::{
        email_sign_in::{Bound, Shown, code_of, matches},
        record_mac::Security,
    },
    domain::{
        audit::{AuditEvent, Details, Outcome},
        challenge::Purpose,
        email_sign_in::SignInCode,
        token::{LinkToken, TokenDigest},
        user_type::UserType,
    },
    service::{
        accounts::find_verified, confirm::ConfirmError, core::Core, email_sign_in::may_sign_in, failure::Failure,
    },
    storage::{Change, Changed, Ref, accounts::AccountRecord, change},
};

/// A code to be typed in where the sign-in was asked for.
#[derive(Debug)]
pub struct ShownCode {
    /// The digits.
    pub code: SignInCode,
    /// How long it is good still.
    pub expires_in: Duration,
}

/// Whether the link would be taken now; uses nothing up.
pub async fn check_link(core: &Core, user_type: &UserType, token: &str) -> Result<(), ConfirmError> {
    let token = LinkToken::parse(token).ok_or(ConfirmError::LinkInvalid)?;
    let key = Ref::new(user_type, token.account_id().clone());
    let (account, security) = find_verified(core, &key).await?.ok_or(ConfirmError::LinkInvalid)?;
    pending(core, user_type, &account, &security, token)
        .map(|_| ())
        .ok_or(ConfirmError::LinkInvalid)
}

/// Uses the link up and shows its code.
pub async fn show_code(core: &Core, user_type: &UserType, token: &str) -> Result<ShownCode, ConfirmError> {
    let shown = use_up(core, user_type, token).await;
    if matches!(shown, Err(ConfirmError::LinkInvalid)) {
        core.note_first(Some(user_type), AuditEvent::LinkRefused, Details::default())
            .await;
    }
    shown
}

async fn use_up(core: &Core, user_type: &UserType, token: &str) -> Result<ShownCode, ConfirmError> {
    let token = LinkToken::parse(token).ok_or(ConfirmError::LinkInvalid)?;
    let code = code_of(user_type, &token);
    let key = Ref::new(user_type, token.account_id().clone());
    let (account, security) = find_verified(core, &key).await?.ok_or(ConfirmError::LinkInvalid)?;
    let link = pending(core, user_type, &account, &security, token).ok_or(ConfirmError::LinkInvalid)?;
    let now = core.clock.now();
    let used = change(&*core.stores.accounts, &key, |account: &mut AccountRecord| {
        let waiting = account.challenges.get_mut(&Purpose::EmailSignIn);
        match waiting.filter(|one| one.link == Some(link) && now < one.expires_at) {
            Some(waiting) => {
                waiting.link = None;
                Change::Store(Some(waiting.expires_at.since(now)))
            }
            None => Change::Leave(None),
        }
    });
    match used.await.map_err(Failure::from)? {
        Changed::Stored(Some(expires_in)) => {
            core.note(user_type, &key.id, AuditEvent::EmailSignInCodeShown, Outcome::Success)
                .await;
            Ok(ShownCode { code, expires_in })
        }
        _ => Err(ConfirmError::LinkInvalid),
    }
}

/// What the account waits for, where this token is it.
fn pending(
    core: &Core,
    user_type: &UserType,
    account: &AccountRecord,
    security: &Security,
    token: LinkToken,
) -> Option<TokenDigest> {
    let waiting = account.challenges.get(&Purpose::EmailSignIn)?;
    let link = waiting.link.filter(|_| core.clock.now() < waiting.expires_at)?;
    let bound = Bound {
        user_type,
        account: &account.id,
        challenge: &waiting.id,
        epoch: security.epoch,
    };
    let is_it = matches(&core.keyring.current(), bound, &Shown::Link(token), &link);
    (is_it && may_sign_in(security)).then_some(link)
}
