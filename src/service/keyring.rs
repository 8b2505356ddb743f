//! The root keys' life in a process: made once, while there is nothing they could be missing for, and read again by
//! period, so that a key that another process made is known before it is needed; when a token names one that is not
//! known, so that one that had to be made in a hurry is known too; and when the public ones are asked for.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, Semaphore},
    time::{Instant, sleep_until},
};

use crate::{
    crypto::{
        kek::{KekError, Keks},
        keyring::{KeyState, KeyUse, Keyring, MissingKey, RootKey},
        public_key::PairAlgorithm,
        system_entropy::SystemEntropy,
        token_signer::{SigningMethod, TokenSigner},
    },
    domain::{
        audit::{AuditEvent, Details, Outcome},
        clock::Clock,
        user_type::UserType,
    },
    service::{audit::Happened, core::Core, failure::Failure},
    storage::{Inserted, StoreError, Stores, keyring::KeyringRecord},
};

/// How often every process reads the keys again.
pub const REREAD: Duration = Duration::from_secs(30);
/// At most so often are the keys read because of an unknown one: whoever makes up names makes no read of each.
pub const PAUSE: Duration = Duration::from_secs(1);
/// So many tokens of unknown keys wait for a reading at a time; what is beyond them is refused at once.
const WAITING: usize = 64;

/// Reads the keys again, one reader at a time: what was read first is never put in the place of what was read later.
pub struct KeyReader {
    keks: Arc<Keks>,
    last: Mutex<Option<Reading>>,
    waiting: Semaphore,
}

/// The last one.
#[derive(Clone, Copy)]
struct Reading {
    began: Instant,
    ended: Instant,
    is_good: bool,
}

impl KeyReader {
    /// Over this provider.
    #[must_use]
    pub fn new(keks: Arc<Keks>) -> Self {
        Self {
            keks,
            last: Mutex::default(),
            waiting: Semaphore::new(WAITING),
        }
    }

    /// What wraps root keys.
    pub(in crate::service) fn keks(&self) -> &Keks {
        &self.keks
    }

    /// Reads them.
    pub async fn reread(&self, core: &Core) -> Result<(), KeyringError> {
        let mut last = self.last.lock().await;
        self.read(core, &mut last).await
    }

    /// Reads them, and waits where that was done a moment ago: a key may have been made since. Whoever asks meanwhile
    /// shares the reading. Whether they are now those of after the call: not where too many wait already.
    pub async fn reread_for_unknown(&self, core: &Core) -> Result<bool, KeyringError> {
        let asked = Instant::now();
        let Ok(_place) = self.waiting.try_acquire() else {
            return Ok(false);
        };
        let mut last = self.last.lock().await;
        if let Some(reading) = *last {
            // Somebody else's reading began after this was asked.
            if reading.is_good && reading.began >= asked {
                return Ok(true);
            }
            if !reading.is_good && reading.ended.elapsed() < PAUSE {
                let says = "the keys could not be read a moment ago".to_owned();
                return Err(Failure::from(StoreError::Unavailable(says)).into());
            }
            sleep_until(reading.ended + PAUSE).await;
        }
        self.read(core, &mut last).await.map(|()| true)
    }

    /// Reads them where that was not done within [`PAUSE`], for who is to see a key that was made just now. Whoever asks
    /// meanwhile shares the reading; where the keys can't be read, what is known is what there is.
    pub async fn refresh(&self, core: &Core) {
        let mut last = self.last.lock().await;
        if last.is_none_or(|reading| reading.ended.elapsed() >= PAUSE)
            && let Err(error) = self.read(core, &mut last).await
        {
            tracing::debug!(%error, "the keys are shown as they were read last");
        }
    }

    async fn read(&self, core: &Core, last: &mut Option<Reading>) -> Result<(), KeyringError> {
        let began = Instant::now();
        let ring = read(&core.stores, self.keks()).await;
        *last = Some(Reading {
            began,
            ended: Instant::now(),
            is_good: ring.is_ok(),
        });
        core.keyring.replace(ring?);
        Ok(())
    }
}

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

impl From<KeyringError> for Failure {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Missing(key_use) => Self::MissingKey(MissingKey(key_use)),
            KeyringError::Kek(error) => Self::Kek(error),
            KeyringError::Failure(failure) => failure,
        }
    }
}

/// Reads the root keys, making those that are missing if there is no account yet, the one that signs tokens for
/// `algorithm`.
pub async fn establish(
    stores: &Stores,
    keks: &Keks,
    user_types: &[UserType],
    algorithm: PairAlgorithm,
    clock: &dyn Clock,
) -> Result<Keyring, KeyringError> {
    let mut keyring = read(stores, keks).await?;
    let missing: Vec<KeyUse> = KeyUse::all(user_types)
        .into_iter()
        .filter(|key_use| keyring.active(key_use).is_err())
        .collect();
    if missing.is_empty() {
        return with_first_versions(stores, keks, keyring, clock).await;
    }
    // A user type that was added later has no accounts of its own, an installation from before the audit was chained no
    // checkpoint: those keys alone may be made beside others.
    let may_make_all = stores.accounts.is_empty().await.map_err(Failure::from)?;
    for key_use in missing {
        if !may_make_all && !is_needed_by_nothing(stores, &key_use).await? {
            return Err(KeyringError::Missing(key_use.name()));
        }
        let wrapped = keks.wrap(&key_use.make_material_for(algorithm)).await?;
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
        None => with_first_versions(stores, keks, keyring, clock).await,
    }
}

/// The key-encryption key and the generation of data keys that are there already, by records, so that others can follow
/// them. No key is made.
async fn with_first_versions(
    stores: &Stores,
    keks: &Keks,
    keyring: Keyring,
    clock: &dyn Clock,
) -> Result<Keyring, KeyringError> {
    let missing: Vec<KeyUse> = [KeyUse::Kek, KeyUse::Dek]
        .into_iter()
        .filter(|key_use| keyring.active(key_use).is_err())
        .collect();
    if missing.is_empty() {
        return Ok(keyring);
    }
    for key_use in missing {
        let wrapped = keks.wrap(&key_use.make_material()).await?;
        let record = KeyringRecord::new(&key_use, 1, KeyState::Active, wrapped, clock.now());
        stores.keyring.insert(&record).await.map_err(Failure::from)?;
    }
    read(stores, keks).await
}

/// Reads and unwraps every root key.
pub async fn read(stores: &Stores, keks: &Keks) -> Result<Keyring, KeyringError> {
    let (mut keyring, mut active_kek) = (Keyring::default(), None);
    for record in stores.keyring.list().await.map_err(Failure::from)? {
        // A use that this version does not know belongs to a newer one that runs beside it.
        let Some(key_use) = KeyUse::from_name(&record.key_use) else {
            continue;
        };
        if record.state == KeyState::Retired {
            continue;
        }
        let material = match keks.unwrap(&record.wrapped).await {
            // Nothing is wrapped by it yet, or nothing should be any more: what is, says so itself.
            Err(error @ KekError::Unknown(_)) if key_use == KeyUse::Kek && record.state != KeyState::Active => {
                tracing::warn!(%error, version = record.version, "a key-encryption key is not to be had here");
                continue;
            }
            unwrapped => unwrapped?,
        };
        if key_use == KeyUse::Kek && record.state == KeyState::Active {
            active_kek = active_kek.max(Some((record.version, record.wrapped.kek_id.clone())));
        }
        keyring.insert(
            key_use,
            RootKey {
                version: record.version,
                state: record.state,
                material,
            },
        );
    }
    if let Some((_, id)) = active_kek {
        keks.activate(id);
    }
    Ok(keyring)
}

/// What an operator has to be told where keys are to be made for another algorithm than the one that signs: a server that
/// began with a key of its own would sign what others can't verify.
#[must_use]
pub fn waits_for_rotation(signer: &TokenSigner, method: &SigningMethod, algorithm: PairAlgorithm) -> Option<String> {
    let signs = signer.signs_with()?;
    (matches!(method, SigningMethod::Keyring) && signs != algorithm).then(|| {
        format!(
            "JWT_ALGORITHM is {algorithm}, and tokens are signed with {signs} until `sealgate keys rotate --use token`"
        )
    })
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
