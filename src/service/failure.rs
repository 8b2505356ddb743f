//! What may go wrong in any use case through nobody's fault but the installation's.

use crate::{
    crypto::{
        data_key::NoDataKey, kek::KekError, keyring::MissingKey, password_hasher::HashError, record_mac::Tampered,
        sealed::CannotOpen,
    },
    storage::StoreError,
};

/// Not the caller's doing. The texts are for the operator's log; a caller learns that it failed, and whether coming
/// back may help.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key provider.
    #[error(transparent)]
    Kek(#[from] KekError),
    /// A root key is not there.
    #[error(transparent)]
    MissingKey(#[from] MissingKey),
    /// The hashing queue is full.
    #[error("the password hashing queue is full")]
    Busy,
    /// A password hash can't be made or read.
    #[error("a password hash can't be made or read")]
    Hash,
    /// A sealed field does not open.
    #[error(transparent)]
    CannotOpen(#[from] CannotOpen),
    /// The data key of a record that exists is not there.
    #[error(transparent)]
    NoDataKey(#[from] NoDataKey),
    /// A record was changed behind the service's back.
    #[error(transparent)]
    Tampered(#[from] Tampered),
}

impl From<HashError> for Failure {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::Busy,
            HashError::MissingKey(missing) => Self::MissingKey(missing),
            HashError::Unusable => Self::Hash,
        }
    }
}

/// For work on many records: one that can't be read is named in the log and passed over, or it would keep the others
/// waiting for ever.
pub fn pass_over_damaged<T>(done: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match done {
        Ok(value) => Ok(Some(value)),
        Err(Failure::Store(error @ (StoreError::Damaged(_) | StoreError::Newer(_)))) => {
            tracing::error!(%error, "a record is passed over");
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}
