//! Makes an account for somebody: its personal data, no password, and a mail with the link that sets the first one. Until
//! then nobody signs in to it, and its address counts as unverified.

use crate::{
    domain::{
        account::NewPerson,
        audit::{AuditEvent, Outcome},
        challenge::Purpose,
        ids::{AccountId, ChallengeId},
        message::MessageKind,
        role::Role,
    },
    service::{
        accounts::{find_verified, hand_over, message},
        admin::{
            authorize::Authorized,
            error::AdminError,
            grants::CreateAccount,
            summary::{AccountSummary, Facts},
        },
        core::Core,
        make_unclaimed::{Unclaimed, UnclaimedError, make_unclaimed},
    },
    storage::Unique,
};

impl From<UnclaimedError> for AdminError {
    fn from(error: UnclaimedError) -> Self {
        match error {
            UnclaimedError::Taken(Unique::Username) => Self::UsernameTaken,
            UnclaimedError::Taken(Unique::Email | Unique::Id) => Self::AddressTaken,
            UnclaimedError::Failure(failure) => failure.into(),
        }
    }
}

/// Makes it and mails the link. Another role than `user` takes the permission to assign it, and a fresh sign-in.
pub async fn invite(
    core: &Core,
    admin: &Authorized<CreateAccount>,
    person: &NewPerson,
    role: Role,
) -> Result<AccountSummary, AdminError> {
    if role != Role::User {
        admin.may_assign(core, &role)?;
        admin.must_be_fresh(core).await?;
    }
    let user_type = admin.population();
    let (message_id, entry) = message(core, MessageKind::Invitation);
    let unclaimed = Unclaimed {
        user_type,
        person,
        role: role.clone(),
        is_email_verified: false,
    };
    let key = make_unclaimed(core, unclaimed, |account, now| {
        let challenge_id = ChallengeId::make(now, &*core.entropy);
        account.challenge(Purpose::AcceptInvitation, challenge_id, now);
        account.outbox.push(&message_id, entry);
    })
    .await?;
    hand_over(core, &key, message_id);
    let (event, done) = (AuditEvent::AccountInvited, Outcome::Success);
    let details = admin.details().and_role(&role);
    core.note_with(user_type, Some(&key.id), event, done, details).await;
    invited(core, admin, &key.id).await
}

/// An account that was made by this before, as it is now: without facts, where it is gone.
pub async fn invited(
    core: &Core,
    admin: &Authorized<CreateAccount>,
    id: &AccountId,
) -> Result<AccountSummary, AdminError> {
    let found = find_verified(core, &admin.key(id)).await?;
    Ok(AccountSummary {
        id: id.clone(),
        facts: found.map(|(account, security)| Facts::of(&account, &security)),
    })
}
