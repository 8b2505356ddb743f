//! The root keys' life in a process: made once, while there is nothing they could be missing for, and read again by
//! period, so that a key that another process made is known before it is needed.

use crate::{
    crypto::{
        kek::{KekError, KekProvider},
        keyring::{KeyState, KeyUse, Keyring, RootKey},
        system_entropy::SystemEntropy,
    },
    domain::{
        audit::{AuditEvent, Details, Outcome},
        clock::Clock,
        user_type::UserType,
    },
    service::{audit::Happened, failure::Failure},
    storage::{Inserted, Stores, keyring::KeyringRecord},
};

/// How often every process reads the keys again.
pub const REREAD: std::time::Duration = std::time::Duration::from_secs(30);

/// Why there is no usable keyring. Each is a refusal to start, never a reason to make new keys by itself.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// Accounts exist and a key that they need does not.
    #[error(
        "the key database has no `{0}` key, but accounts exist: restore the key database from its back-up \
         (a new key would lock every account out)"
    )]
    Missing(String),
    /// The provider's key is not the one that wrapped these.
    #[error("the root keys do not unwrap: {0}")]
    Kek(#[from] KekError),
    /// The store.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Reads the root keys, making those that are missing if there is no account yet.
pub async fn establish(
    stores: &Stores,
    keks: &dyn KekProvider,
    user_types: &[UserType],
    clock: &dyn Clock,
) -> Result<Keyring, KeyringError> {
    let mut keyring = read(stores, keks).await?;
    let missing: Vec<KeyUse> = KeyUse::all(user_types)
        .into_iter()
        .filter(|key_use| keyring.active(key_use).is_err())
        .collect();
    if missing.is_empty() {
        return Ok(keyring);
    }
    // A user type that was added later has no accounts of its own, an installation from before the audit was chained no
    // checkpoint: those keys alone may be made beside others.
    let may_make_all = stores.accounts.is_empty().await.map_err(Failure::from)?;
    for key_use in missing {
        if !may_make_all && !is_needed_by_nothing(stores, &key_use).await? {
            return Err(KeyringError::Missing(key_use.name()));
        }
        let wrapped = keks.wrap(&key_use.make_material()).await?;
        let record = KeyringRecord::new(&key_use, 1, KeyState::Active, wrapped, clock.now());
        // Whoever loses the race reads what the winner made.
        if stores.keyring.insert(&record).await.map_err(Failure::from)? == Inserted::Stored {
            let made = Happened {
                event: AuditEvent::KeyMade,
                outcome: Outcome::Success,
                user_type: None,
                account_id: None,
                details: Details::of_key(&record.key_use, record.version),
            };
            let entry = made.entry(clock.now(), &SystemEntropy);
            stores.audit.append(&entry).await.map_err(Failure::from)?;
        }
    }
    keyring = read(stores, keks).await?;
    match KeyUse::all(user_types)
        .into_iter()
        .find(|key_use| keyring.active(key_use).is_err())
    {
        Some(key_use) => Err(KeyringError::Missing(key_use.name())),
        None => Ok(keyring),
    }
}

/// Reads and unwraps every root key.
pub async fn read(stores: &Stores, keks: &dyn KekProvider) -> Result<Keyring, KeyringError> {
    let mut keyring = Keyring::default();
    for record in stores.keyring.list().await.map_err(Failure::from)? {
        // A use that this version does not know belongs to a newer one that runs beside it.
        let Some(key_use) = KeyUse::from_name(&record.key_use) else {
            continue;
        };
        if record.state == KeyState::Retired {
            continue;
        }
        let material = keks.unwrap(&record.wrapped).await?;
        keyring.insert(
            key_use,
            RootKey {
                version: record.version,
                state: record.state,
                material,
            },
        );
    }
    Ok(keyring)
}

async fn is_needed_by_nothing(stores: &Stores, key_use: &KeyUse) -> Result<bool, KeyringError> {
    match key_use {
        KeyUse::Index(user_type) => Ok(stores.accounts.has_none(user_type).await.map_err(Failure::from)?),
        KeyUse::Audit => {
            let last = stores.audit.last_checkpoint().await.map_err(Failure::from)?;
            Ok(last.is_none())
        }
        _ => Ok(false),
    }
}
