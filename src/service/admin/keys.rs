//! The keys of the installation: where each version stands, and how far the work is that a new one makes. Of a super-admin,
//! for keys belong to no user type.

use crate::{
    domain::audit::{AuditEvent, Outcome},
    service::{
        admin::{authorize::Authorized, error::AdminError, grants::ReadKeys},
        core::Core,
        rotation::progress::{Progress, progress},
        token_keys::{self, KeyInfo},
    },
};

/// What is known of them.
#[derive(Debug)]
pub struct KeyStatus {
    /// Every version of every key.
    pub keys: Vec<KeyInfo>,
    /// Every job that a new version makes, and those that are about to be.
    pub jobs: Vec<Progress>,
}

/// Looks at them. No key is read.
pub async fn key_status(core: &Core, admin: &Authorized<ReadKeys>) -> Result<KeyStatus, AdminError> {
    let status = KeyStatus {
        keys: token_keys::list(core).await?,
        jobs: progress(core).await?,
    };
    core.note_of_service(AuditEvent::KeysRead, Outcome::Success, admin.details())
        .await;
    Ok(status)
}
