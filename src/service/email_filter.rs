//! The e-mail filter's use: added to before a record is inserted, asked at sign-in, rebuilt when it must be.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    crypto::{
        blind_index::{Candidate, IndexSlots, Slot},
        filter_item::filter_items,
        keyring::{KeyState, KeyUse, Keyring},
    },
    domain::{
        clock::Timestamp,
        entropy::{Entropy, make_bytes},
        ids::AccountId,
        user_type::UserType,
    },
    service::{core::Core, failure::Failure},
    storage::{
        StoreError,
        email_filter::{Added, Basis, BeginError, Draft, GenerationStatus, Lookup},
    },
};

/// Real look-ups that are remembered.
const REMEMBERED: usize = 256;
/// Values of a page while the filter is rebuilt.
const PAGE: u32 = 10_000;
/// The filter is rebuilt that often, so that what expired leaves it.
const OLD: Duration = Duration::from_hours(24 * 7);
/// A rebuild that finds more than the generation was sized for begins again, so often.
const SIZES: u32 = 3;

/// How long the last real look-ups took: an answer without one takes as long.
#[derive(Debug, Default)]
pub struct LookupTimes(Mutex<VecDeque<Duration>>);

impl LookupTimes {
    /// Remembers one.
    pub fn note(&self, took: Duration) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if times.len() == REMEMBERED {
            times.pop_front();
        }
        times.push_back(took);
    }

    /// Forgets them all: the database does not answer. Until it does again everybody is looked up, and learns that; a "no"
    /// from the filter would tell those who have an account from those who have none.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// One of them, each as likely; `None` before the first.
    #[must_use]
    pub fn draw(&self, entropy: &dyn Entropy) -> Option<Duration> {
        let times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = u32::from_be_bytes(make_bytes(entropy));
        times
            .get(usize::try_from(number).ok()?.checked_rem(times.len())?)
            .copied()
    }
}

/// Waits as long as one of the last look-ups took, exactly enough not to be told from it: the runtime's own timer counts
/// whole milliseconds.
pub async fn wait_as_a_look_up(took: Duration) -> Result<(), Failure> {
    let waited = tokio::task::spawn_blocking(move || std::thread::sleep(took)).await;
    waited.map_err(|_| StoreError::Unavailable("a wait was cut short".into()).into())
}

/// Whether surely nobody has what the candidates stand for: neither an account nor a registration that waits.
pub fn is_surely_unknown(core: &Core, user_type: &UserType, candidates: &[Candidate]) -> Result<bool, Failure> {
    let keyring = core.keyring.current();
    let versions: Vec<u16> = keyring
        .all_readable(&KeyUse::Index(user_type.clone()))
        .map(|key| key.version)
        .collect();
    let items = filter_items(&keyring, user_type, candidates.iter().map(|candidate| &candidate.value))?;
    let is_unknown = core.filter.has_none_of(Lookup {
        user_type,
        versions: &versions,
        items: &items,
    });
    let answer = if is_unknown { "no" } else { "maybe" };
    metrics::counter!("sealgate_email_filter_answers_total", "answer" => answer).increment(1);
    Ok(is_unknown)
}

/// Counts a "maybe" behind which the database had nobody.
pub fn note_false_positive() {
    metrics::counter!("sealgate_email_filter_false_positives_total").increment(1);
}

/// Adds the address of a record that is about to be inserted or changed, or that others may not know of yet.
pub async fn add(core: &Core, user_type: &UserType, id: &AccountId, slots: &IndexSlots) -> Result<Added, Failure> {
    let items = filter_items(&core.keyring.current(), user_type, slots.email_values(id))?;
    Ok(core.filter.add(&items).await?)
}

/// Waits until no server denies what was added: `added` now, or `since` then at the latest.
pub async fn wait_until_known(core: &Core, added: Added, since: Timestamp) {
    let freshness = core.filter.freshness();
    let known_for = match added {
        Added::Newly => Duration::ZERO,
        Added::Already => core.clock.now().since(since),
    };
    if known_for < freshness {
        tokio::time::sleep(freshness.saturating_sub(known_for)).await;
    }
}

/// Why the filter was not rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// None is kept, or somebody else builds it.
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// Another rebuild took it over, or Redis was emptied.
    #[error("another rebuild took over, or Redis was emptied; ask for the status, and again")]
    Overtaken,
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<StoreError> for RebuildError {
    fn from(error: StoreError) -> Self {
        Self::Failure(error.into())
    }
}

/// What a rebuild found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Index values of accounts and registrations.
    pub items: u64,
    /// What the generation is sized for.
    pub capacity: u64,
}

/// Why a generation must be replaced; `None` while it serves.
#[must_use]
pub fn reason_to_rebuild(status: Option<&GenerationStatus>, basis: &Basis, now: Timestamp) -> Option<&'static str> {
    let Some(status) = status else {
        return Some("there is none");
    };
    if !status.is_trusted {
        Some("Redis was restarted, and may have lost what was added last")
    } else if status.basis != *basis {
        Some("the index keys are others")
    } else if status.items > status.capacity {
        Some("it is full")
    } else if now.since(status.made_at) > OLD {
        Some("it is old")
    } else {
        None
    }
}

/// Rebuilds the filter if it must be.
pub async fn maintain(core: &Core) -> Result<Option<Rebuilt>, RebuildError> {
    let status = core.filter.status().await?;
    if let Some(status) = &status {
        metrics::gauge!("sealgate_email_filter_fill_ratio").set(status.fill());
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!("sealgate_email_filter_items").set(status.items as f64);
    }
    let Some(reason) = reason_to_rebuild(status.as_ref(), &basis(core), core.clock.now()) else {
        return Ok(None);
    };
    match rebuild(core).await {
        Ok(rebuilt) => {
            tracing::info!(reason, ?rebuilt, "the e-mail filter was rebuilt");
            Ok(Some(rebuilt))
        }
        Err(RebuildError::Begin(BeginError::Busy | BeginError::NotKept)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Builds a generation from all accounts and registrations, and makes it the current one.
pub async fn rebuild(core: &Core) -> Result<Rebuilt, RebuildError> {
    let mut expected = core
        .filter
        .status()
        .await?
        .map_or(0, |status| status.items.saturating_mul(2));
    for _ in 0..SIZES {
        let basis = basis(core);
        let mut draft = core.filter.begin(expected, core.clock.now()).await?;
        // Registrations first: one that becomes an account meanwhile is found as the one or the other.
        for store in [Scanned::Registrations, Scanned::Accounts] {
            for user_type in core.user_types.keys() {
                scan(core, store, user_type, &mut *draft).await?;
            }
        }
        let rebuilt = Rebuilt {
            items: draft.taken(),
            capacity: draft.capacity(),
        };
        if rebuilt.items > rebuilt.capacity {
            expected = rebuilt.items.saturating_mul(2);
            draft.abandon().await?;
            continue;
        }
        if draft.finish(&basis).await? {
            return Ok(rebuilt);
        }
        return Err(RebuildError::Overtaken);
    }
    Err(RebuildError::Overtaken)
}

#[derive(Clone, Copy)]
enum Scanned {
    Registrations,
    Accounts,
}

async fn scan(core: &Core, store: Scanned, user_type: &UserType, draft: &mut dyn Draft) -> Result<(), RebuildError> {
    let keyring = core.keyring.current();
    for slot in written_slots(&keyring, user_type) {
        let mut after: Option<Slot> = None;
        loop {
            let after_this = after.as_ref();
            let page = match store {
                Scanned::Registrations => {
                    let registrations = &core.stores.registrations;
                    registrations.email_values(user_type, slot, after_this, PAGE).await?
                }
                Scanned::Accounts => {
                    let accounts = &core.stores.accounts;
                    accounts.email_values(user_type, slot, after_this, PAGE).await?
                }
            };
            if page.is_empty() {
                break;
            }
            draft.take(&filter_items(&keyring, user_type, &page).map_err(Failure::from)?);
            if !draft.hold().await? {
                return Err(RebuildError::Overtaken);
            }
            after = page.into_iter().next_back();
        }
    }
    Ok(())
}

/// The slots in which index values stand: during a rotation both.
fn written_slots(keyring: &Keyring, user_type: &UserType) -> Vec<u8> {
    let mut slots: Vec<u8> = keyring
        .all_readable(&KeyUse::Index(user_type.clone()))
        .filter(|key| key.state != KeyState::Pending)
        .map(|key| u8::from(key.version % 2 == 1))
        .collect();
    slots.sort_unstable();
    slots.dedup();
    slots
}

/// The oldest index keys that write: every account has their values, whether it was made before a rotation or during it.
#[must_use]
pub fn basis(core: &Core) -> Basis {
    let keyring = core.keyring.current();
    Basis::new(core.user_types.keys().filter_map(|user_type| {
        let key_use = KeyUse::Index(user_type.clone());
        let writing = keyring
            .all_readable(&key_use)
            .filter(|key| key.state != KeyState::Pending);
        Some((user_type.clone(), writing.last()?.version))
    }))
}
