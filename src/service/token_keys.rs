//! The life of the keys that sign access tokens: rotated with an overlap, removed at once when others may have one.
//!
//! ```text
//!            2 min             a newer one is active       35 min
//! pending ─────────► active ───────────────────────► verify_only ───► retired
//! published, verifies    signs, too          published, verifies      its public half is kept
//! ```
//!
//! A version signs only once every process has had the time to read it, and verifies until whatever it signed has
//! expired. [`advance`] takes every step that is due. Each is one conditional write, and what a crash leaves between two of
//! them is a state that the next call goes on from: of two active versions the newer signs.
//!
//! Of a retired version the public half alone is kept, in the private one's place: receipts of erasure do not expire, and
//! whoever has such a key may verify with it and sign nothing.

use std::time::Duration;

use crate::{
    crypto::{
        key_pair::KeyPair,
        keyring::{KeyState, KeyUse},
        public_key::{Jwk, PairAlgorithm, PublicKey},
    },
    domain::clock::Timestamp,
    service::{core::Core, failure::Failure},
    storage::{Inserted, StoreError, keyring::KeyringRecord},
};

/// How long a version verifies everywhere before it signs: every process reads the keys every 30 s, and who was told the
/// published ones may remember them for a minute.
pub const PENDING: Duration = Duration::from_mins(2);
/// How long a version verifies after it signed: the longest access token, 30 minutes, then leeway, and the 30 s in which a
/// process may not have read that another one signs.
pub const OVERLAP: Duration = Duration::from_mins(35);

/// One version, for an operator.
#[derive(Debug)]
pub struct KeyInfo {
    /// What it is for.
    pub key_use: String,
    /// Counted from 1.
    pub version: u16,
    /// Where it stands.
    pub state: KeyState,
    /// Taken out by an operator.
    pub is_removed: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it stands there.
    pub since: Timestamp,
    /// Of a key pair.
    pub public: Option<PublicKey>,
}

/// A step that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Of which version.
    pub version: u16,
    /// Into which state.
    pub to: KeyState,
}

/// Why no new version was made.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// One is on its way already.
    #[error("version {0} was made already and is on its way; look at `sealgate keys status`")]
    UnderWay(u16),
    /// Its records would stay as they are, and be lost with the old key.
    #[error("{0} has keys and is not in USER_TYPES: add it until its records are changed, too")]
    NotConfigured(crate::domain::user_type::UserType),
    /// Not the operator's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Why a version was not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// Nothing to remove.
    #[error("there is no version {0}; look at `sealgate keys list`")]
    Missing(u16),
    /// Nothing left to do.
    #[error("version {0} is removed already")]
    Done(u16),
    /// Not the operator's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<StoreError> for RotateError {
    fn from(error: StoreError) -> Self {
        Self::Failure(error.into())
    }
}

impl From<StoreError> for RemoveError {
    fn from(error: StoreError) -> Self {
        Self::Failure(error.into())
    }
}

/// Makes a version that signs from two minutes on; answers its number.
pub async fn rotate(core: &Core, algorithm: PairAlgorithm) -> Result<u16, RotateError> {
    let versions = versions(core, &KeyUse::Token).await?;
    if let Some(pending) = versions.iter().find(|record| record.state == KeyState::Pending) {
        return Err(RotateError::UnderWay(pending.version));
    }
    let version = next(&versions);
    match make(core, version, KeyState::Pending, algorithm).await? {
        Inserted::Stored => Ok(version),
        Inserted::Taken(_) => Err(RotateError::UnderWay(version)),
    }
}

/// Takes every step that is due.
pub async fn advance(core: &Core) -> Result<Vec<Step>, Failure> {
    let mut versions = versions(core, &KeyUse::Token).await?;
    let mut taken = Vec::new();
    take_over_in_time(core, &mut versions, &mut taken).await?;
    let now = core.clock.now();
    for record in &mut versions {
        if record.state == KeyState::VerifyOnly && now >= record.since().plus(OVERLAP) {
            take(core, record, KeyState::Retired, &mut taken).await?;
        }
    }
    Ok(taken)
}

/// What has been pending for long enough is active; what it replaced verifies only.
pub(in crate::service) async fn take_over_in_time(
    core: &Core,
    versions: &mut [KeyringRecord],
    taken: &mut Vec<Step>,
) -> Result<(), Failure> {
    let now = core.clock.now();
    // The new one begins before the old one ends: a server with no key to sign with lets nobody in.
    for record in &mut *versions {
        if record.state == KeyState::Pending && now >= record.since().plus(PENDING) {
            take(core, record, KeyState::Active, taken).await?;
        }
    }
    let signs = signing(versions);
    for record in versions {
        if record.state == KeyState::Active && Some(record.version) != signs {
            take(core, record, KeyState::VerifyOnly, taken).await?;
        }
    }
    Ok(())
}

/// Takes a version out at once, as one that others may have. Where it signed, another does from now on: the one that is
/// pending, or a new one. Answers which signs.
pub async fn remove(core: &Core, version: u16, algorithm: PairAlgorithm) -> Result<Option<u16>, RemoveError> {
    const TRIES: usize = 5;
    for _ in 0..TRIES {
        let versions = versions(core, &KeyUse::Token).await?;
        let found = versions.iter().find(|record| record.version == version);
        let leaked = found.ok_or(RemoveError::Missing(version))?;
        if leaked.removed {
            return Err(RemoveError::Done(version));
        }
        let rest: Vec<_> = versions
            .iter()
            .filter(|record| record.version != version)
            .cloned()
            .collect();
        if signing(&rest).is_none() {
            take_over(core, &rest, next(&versions), algorithm).await?;
            // Which one signs is read again: another command may have made it.
            continue;
        }
        let gone = KeyringRecord {
            removed: true,
            ..retired(core, leaked).await?
        };
        if core.stores.keyring.replace(leaked, &gone).await? {
            return Ok(signing(&rest));
        }
        // A worker has moved it on meanwhile.
    }
    Err(StoreError::Contended.into())
}

/// Every version of every key, oldest first.
pub async fn list(core: &Core) -> Result<Vec<KeyInfo>, Failure> {
    let mut keys = Vec::new();
    for record in core.stores.keyring.list().await? {
        let public = match KeyUse::from_name(&record.key_use) {
            Some(KeyUse::Token) => public_half(core, &record).await?,
            _ => None,
        };
        keys.push(KeyInfo {
            since: record.since(),
            key_use: record.key_use,
            version: record.version,
            state: record.state,
            is_removed: record.removed,
            created_at: record.created_at,
            public,
        });
    }
    keys.sort_by(|one, other| (&one.key_use, one.version).cmp(&(&other.key_use, other.version)));
    Ok(keys)
}

/// The public keys that receipts of erasure are verified with: those of every version but the removed ones.
#[must_use]
pub fn of_receipts(keys: &[KeyInfo]) -> Vec<Jwk> {
    let trusted = keys.iter().filter(|key| !key.is_removed);
    trusted.filter_map(|key| Some(key.public.as_ref()?.to_jwk())).collect()
}

/// Every version of one use, oldest first.
pub(in crate::service) async fn versions(core: &Core, key_use: &KeyUse) -> Result<Vec<KeyringRecord>, StoreError> {
    Ok(Versions::read(core).await?.of(key_use))
}

/// Every version of every use, as one reading found them.
#[derive(Debug)]
pub struct Versions(Vec<KeyringRecord>);

impl Versions {
    /// Reads them.
    pub async fn read(core: &Core) -> Result<Self, StoreError> {
        let mut records = core.stores.keyring.list().await?;
        records.sort_by_key(|record| record.version);
        Ok(Self(records))
    }

    /// Those of one use, oldest first.
    pub(in crate::service) fn of(&self, key_use: &KeyUse) -> Vec<KeyringRecord> {
        let name = key_use.name();
        self.0.iter().filter(|record| record.key_use == name).cloned().collect()
    }
}

fn next(versions: &[KeyringRecord]) -> u16 {
    versions.last().map_or(1, |record| record.version.saturating_add(1))
}

/// The version that signs.
fn signing(versions: &[KeyringRecord]) -> Option<u16> {
    let active = versions.iter().rfind(|record| record.state == KeyState::Active);
    active.map(|record| record.version)
}

async fn make(core: &Core, version: u16, state: KeyState, algorithm: PairAlgorithm) -> Result<Inserted, Failure> {
    let material = KeyUse::Token.make_material_for(algorithm);
    let wrapped = core.keys.keks().wrap(&material).await?;
    let record = KeyringRecord::new(&KeyUse::Token, version, state, wrapped, core.clock.now());
    Ok(core.stores.keyring.insert(&record).await?)
}

/// Somebody must sign when the one that did is gone. Others read it when they meet its first token.
async fn take_over(core: &Core, rest: &[KeyringRecord], version: u16, algorithm: PairAlgorithm) -> Result<(), Failure> {
    match rest.iter().rfind(|record| record.state == KeyState::Pending) {
        Some(pending) => {
            let active = pending.moved(KeyState::Active, core.clock.now());
            core.stores.keyring.replace(pending, &active).await?;
        }
        None => {
            make(core, version, KeyState::Active, algorithm).await?;
        }
    }
    Ok(())
}

/// One step, unless somebody else took it.
pub(in crate::service) async fn take(
    core: &Core,
    record: &mut KeyringRecord,
    to: KeyState,
    taken: &mut Vec<Step>,
) -> Result<(), Failure> {
    let moved = if to == KeyState::Retired && record.key_use == KeyUse::Token.name() {
        retired(core, record).await?
    } else {
        record.moved(to, core.clock.now())
    };
    if core.stores.keyring.replace(record, &moved).await? {
        *record = moved;
        let version = record.version;
        taken.push(Step { version, to });
    }
    Ok(())
}

/// The record without its private half.
async fn retired(core: &Core, record: &KeyringRecord) -> Result<KeyringRecord, Failure> {
    let public = public_half(core, record).await?;
    let damaged = || StoreError::Damaged(record.id.clone());
    let kept = public.ok_or_else(damaged)?.canonical();
    Ok(KeyringRecord {
        wrapped: core.keys.keks().wrap(kept.as_bytes()).await?,
        ..record.moved(KeyState::Retired, core.clock.now())
    })
}

/// `None` where the material is no key of ours.
async fn public_half(core: &Core, record: &KeyringRecord) -> Result<Option<PublicKey>, Failure> {
    let material = core.keys.keks().unwrap(&record.wrapped).await?;
    Ok(match record.state {
        KeyState::Retired => PublicKey::from_canonical(&material),
        _ => KeyPair::from_pkcs8(&material).and_then(|pair| pair.public()),
    })
}
