//! Changes somebody else's profile, and their role. What holds for the owner holds here: another address takes effect when
//! its link is confirmed and the one before is told, another number is unverified. Another role, address or number needs a
//! fresh sign-in of the administrator; a role ends every session of the account.

use crate::{
    domain::{ids::AccountId, role::Role},
    service::{
        admin::{
            authorize::Authorized,
            error::{AdminError, Denial},
            grants::UpdateAccount,
            summary::{AccountSummary, Facts},
        },
        core::Core,
        update_profile::{Changing, Update, UpdateError, apply_update},
    },
};

/// Applies `update` and gives `role`, where there is one; answers the account as it is then, without personal data.
pub async fn update_account(
    core: &Core,
    admin: &Authorized<UpdateAccount>,
    id: &AccountId,
    update: &Update,
    role: Option<&Role>,
) -> Result<AccountSummary, AdminError> {
    let key = admin.key(id);
    let changing = Changing {
        by: admin.caller(),
        details: admin.details(),
        allow: &|security| {
            admin.may_change(core, &key, security)?;
            match role.filter(|role| **role != security.role) {
                Some(role) => admin.may_assign(core, role),
                None => Ok(()),
            }
        },
        role,
        key: key.clone(),
    };
    let (account, security) = apply_update(core, &changing, update).await?;
    Ok(AccountSummary {
        id: id.clone(),
        facts: Some(Facts::of(&account, &security)),
    })
}

impl From<UpdateError> for AdminError {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::VersionConflict => Self::VersionConflict,
            UpdateError::UsernameTaken => Self::UsernameTaken,
            UpdateError::PhoneIsSecondFactor => Self::PhoneIsSecondFactor,
            UpdateError::StaleSignIn => Self::StaleSignIn,
            UpdateError::Gone => Denial::NotFound.into(),
            UpdateError::Denied(denial) => denial.into(),
            UpdateError::Failure(failure) => failure.into(),
        }
    }
}
