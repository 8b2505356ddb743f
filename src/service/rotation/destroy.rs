//! Destroys a version that nothing names any more. An operator does it, not the clock: a back-up from before needs the keys
//! that wrapped it.

use crate::{
    crypto::{
        kek::WrappedKey,
        keyring::{KeyState, KeyUse},
    },
    domain::{audit::AuditEvent, user_type::UserType},
    service::{
        core::Core,
        failure::Failure,
        rotation::{jobs, not_configured, note, rewrap},
        token_keys::{self, RemoveError},
    },
    storage::{StoreError, key_jobs::Stage, keyring::KeyringRecord},
};

/// Why a version was not destroyed.
#[derive(Debug, thiserror::Error)]
pub enum DestroyError {
    /// Nothing to destroy, or done already.
    #[error(transparent)]
    Remove(#[from] RemoveError),
    /// It writes, or verifies.
    #[error("version {version} is {}: only a retired one is destroyed; look at `sealgate keys status`", state.as_str())]
    InUse {
        /// Which.
        version: u16,
        /// Where it stands.
        state: KeyState,
    },
    /// Its values are still being removed.
    #[error("records still hold values of version {0}; look at `sealgate keys status`")]
    BeingRemoved(u16),
    /// Records name it, though the job found none: somebody put old ones back.
    #[error("{naming} keys are still wrapped by version {version}: rotate once more, and let that end")]
    Named {
        /// Which.
        version: u16,
        /// How many.
        naming: u64,
    },
    /// Its data keys can't be counted.
    #[error("{0} has keys and is not in USER_TYPES: whether they are wrapped by it can't be seen")]
    NotConfigured(UserType),
    /// Not the operator's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<StoreError> for DestroyError {
    fn from(error: StoreError) -> Self {
        Self::Failure(error.into())
    }
}

/// Destroys a retired version for good: with the provider, or in the key database.
pub async fn destroy(core: &Core, key_use: &KeyUse, version: u16) -> Result<(), DestroyError> {
    // What this process wraps by must not be what it destroys.
    core.keys.reread(core).await.map_err(Failure::from)?;
    let versions = token_keys::versions(core, key_use).await?;
    let found = versions.iter().find(|record| record.version == version);
    let record = found.ok_or(RemoveError::Missing(version))?;
    if record.removed {
        return Err(RemoveError::Done(version).into());
    }
    if record.state != KeyState::Retired {
        let state = record.state;
        return Err(DestroyError::InUse { version, state });
    }
    if matches!(key_use, KeyUse::Index(_)) && jobs::is_in(core, key_use, &versions, Stage::Refill).await? {
        return Err(DestroyError::BeingRemoved(version));
    }
    if *key_use == KeyUse::Kek {
        if let Some(user_type) = not_configured(core).await? {
            return Err(DestroyError::NotConfigured(user_type));
        }
        // Counted anew: this can't be taken back.
        let naming = rewrap::count_naming(core, record).await?;
        if naming > 0 {
            return Err(DestroyError::Named { version, naming });
        }
        let provider = core.keys.keks().provider();
        provider.destroy(&record.wrapped.kek_id).await.map_err(Failure::from)?;
    }
    let gone = KeyringRecord {
        removed: true,
        wrapped: nothing(core).await?,
        ..record.moved(KeyState::Retired, core.clock.now())
    };
    if !core.stores.keyring.replace(record, &gone).await? {
        return Err(StoreError::Contended.into());
    }
    note(core, AuditEvent::KeyDestroyed, &gone).await;
    Ok(())
}

/// What stands in a key's place: random bytes that were never one.
async fn nothing(core: &Core) -> Result<WrappedKey, Failure> {
    Ok(core.keys.keks().wrap(&KeyUse::Dek.make_material()).await?)
}
