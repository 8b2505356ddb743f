//! Makes an administrator's account, for the command line alone: the first one can come from nowhere else, and a super-admin
//! from nowhere else at all.
//!
//! It has no password until its link is used, which is that of a forgotten password: whoever holds it sets one. The
//! operator vouches for the address, which counts as verified.

use crate::{
    crypto::digest::link_digest,
    domain::{
        account::NewPerson,
        audit::{AuditEvent, Details, Outcome},
        challenge::Purpose,
        clock::Timestamp,
        ids::{AccountId, ChallengeId},
        private::Private,
        role::Role,
        token::LinkToken,
        user_type::UserType,
    },
    service::{
        core::Core,
        failure::Failure,
        make_unclaimed::{Unclaimed, UnclaimedError, make_unclaimed},
    },
};

/// Why no account was made.
#[derive(Debug, thiserror::Error)]
pub enum MakeAdminError {
    /// The address has an account of that user type.
    #[error("the address has an account already")]
    Taken,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<UnclaimedError> for MakeAdminError {
    fn from(error: UnclaimedError) -> Self {
        match error {
            UnclaimedError::Taken(_) => Self::Taken,
            UnclaimedError::Failure(failure) => failure.into(),
        }
    }
}

/// What it administers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Its own user type.
    UserType,
    /// Every user type, and what belongs to none.
    Everything,
}

/// How to get in.
#[derive(Debug)]
pub struct Invitation {
    /// The new account.
    pub id: AccountId,
    /// The token of the link that sets the first password, once.
    pub token: Private,
    /// When the link ends.
    pub expires_at: Timestamp,
}

/// Makes an account of `person` in `user_type` with the role of an administrator.
pub async fn make_admin(
    core: &Core,
    user_type: &UserType,
    person: NewPerson,
    reach: Reach,
) -> Result<Invitation, MakeAdminError> {
    let role = match reach {
        Reach::UserType => Role::Admin,
        Reach::Everything => Role::SuperAdmin,
    };
    let unclaimed = Unclaimed {
        user_type,
        person: &person,
        role: role.clone(),
        is_email_verified: true,
    };
    let purpose = Purpose::ResetPassword;
    let mut made = None;
    let key = make_unclaimed(core, unclaimed, |account, now| {
        let token = LinkToken::make(account.id.clone(), &*core.entropy);
        account.challenge(purpose, ChallengeId::make(now, &*core.entropy), now);
        if let Some(challenge) = account.challenges.get_mut(&purpose) {
            challenge.digest = Some(link_digest(user_type, purpose, &token));
            made = Some((token.expose(), challenge.expires_at));
        }
    })
    .await?;
    let (event, done) = (AuditEvent::AdminMade, Outcome::Success);
    let details = Details::of_actor("operator").and_role(&role);
    core.note_with(user_type, Some(&key.id), event, done, details).await;
    let (token, expires_at) = made.ok_or(Failure::Hash)?;
    Ok(Invitation {
        id: key.id,
        token,
        expires_at,
    })
}
