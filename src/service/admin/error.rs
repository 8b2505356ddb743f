//! Why an administrator's request was not done.

use crate::service::failure::Failure;

/// What the grant alone doesn't allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// There is no such account, or it is erased, or somebody changed its record behind the service's back.
    #[error("there is no such account")]
    NotFound,
    /// It is the caller's own.
    #[error("the account is one's own")]
    OwnAccount,
    /// The account, or the role to be given, may more than the caller.
    #[error("the account, or the role, may more than who asks")]
    Outranked,
    /// The user type has no such role.
    #[error("there is no such role")]
    RoleUnknown,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Beyond what the caller may.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The sign-in is too old.
    #[error("the sign-in is too old")]
    StaleSignIn,
    /// The address has an account.
    #[error("the address has an account already")]
    AddressTaken,
    /// The username has an account.
    #[error("the username is taken")]
    UsernameTaken,
    /// The profile was changed since it was read.
    #[error("the profile has another version")]
    VersionConflict,
    /// The account's number is a second factor.
    #[error("the number is a second factor")]
    PhoneIsSecondFactor,
    /// The account waits for no link.
    #[error("no link is waited for")]
    NothingToResend,
    /// Garbled, over, or of another list, filter or caller.
    #[error("the cursor is not valid")]
    CursorInvalid,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<crate::storage::StoreError> for AdminError {
    fn from(error: crate::storage::StoreError) -> Self {
        Self::Failure(error.into())
    }
}

impl From<crate::crypto::keyring::MissingKey> for AdminError {
    fn from(error: crate::crypto::keyring::MissingKey) -> Self {
        Self::Failure(error.into())
    }
}
