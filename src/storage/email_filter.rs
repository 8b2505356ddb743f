//! The e-mail filter: "surely nobody has this address", answered without a round trip.
//!
//! A Bloom filter over the index values of all accounts and live registrations. "No" is certain, "maybe" goes to the
//! database, whose unique slot alone decides. What the filter may promise hangs on three rules of those who use it:
//!
//! 1. Items are added *before* the record is inserted; a failure to add is a failure of the whole.
//! 2. A "no" may be as old as [`EmailFilter::freshness`]. An account is usable, by whatever server, only when that much
//!    time has passed since its items were [added](EmailFilter::add).
//! 3. A generation is built while others add: they add to it too, from [`EmailFilter::begin`] on. Registrations are
//!    scanned before accounts, for a registration becomes an account.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use async_trait::async_trait;

use crate::{
    crypto::filter_item::FilterItem,
    domain::{clock::Timestamp, user_type::UserType},
    storage::documents::StoreError,
};

/// The version of each user type's index key whose values a generation surely holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Basis(BTreeMap<UserType, u16>);

impl Basis {
    /// Of these versions.
    pub fn new(versions: impl IntoIterator<Item = (UserType, u16)>) -> Self {
        Self(versions.into_iter().collect())
    }

    /// Whether a look-up by these versions finds every account of the user type.
    #[must_use]
    pub fn covers(&self, user_type: &UserType, versions: &[u16]) -> bool {
        self.0.get(user_type).is_some_and(|version| versions.contains(version))
    }
}

/// `User1:1,User2:1`.
impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|(name, version)| format!("{name}:{version}"))
            .collect();
        f.write_str(&parts.join(","))
    }
}

/// Not a basis: a generation with it covers nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a list of user types and versions")]
pub struct InvalidBasis;

impl FromStr for Basis {
    type Err = InvalidBasis;

    fn from_str(text: &str) -> Result<Self, InvalidBasis> {
        let parts = text.split(',').filter(|part| !part.is_empty());
        let versions = parts.map(|part| {
            let (name, version) = part.split_once(':').ok_or(InvalidBasis)?;
            let user_type = name.parse().map_err(|_| InvalidBasis)?;
            Ok((user_type, version.parse().map_err(|_| InvalidBasis)?))
        });
        Ok(Self(versions.collect::<Result<_, _>>()?))
    }
}

/// What a look-up asks for.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'a> {
    /// The population.
    pub user_type: &'a UserType,
    /// Versions of its index key that `items` were made with.
    pub versions: &'a [u16],
    /// One for each version.
    pub items: &'a [FilterItem],
}

/// What an addition found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// Something was not there yet: another server may say "no" for [`EmailFilter::freshness`] from now.
    Newly,
    /// All of it was there already; since when is not known.
    Already,
}

/// One generation of the shared filter, as an operator sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerationStatus {
    /// Its name.
    pub id: String,
    /// Items that it was sized for.
    pub capacity: u64,
    /// Items that it holds, about: what was added again is not counted again.
    pub items: u64,
    /// Size of the bitmap, in bits.
    pub bits: u64,
    /// Of them, how many are set.
    pub bits_set: u64,
    /// When it was begun.
    pub made_at: Timestamp,
    /// Whether nothing that was added can be missing: Redis has not been restarted since it was built.
    pub is_trusted: bool,
    /// What it covers.
    pub basis: Basis,
}

impl GenerationStatus {
    /// The share of bits that are set; about a half when it holds what it was sized for.
    #[must_use]
    pub fn fill(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a share of a few digits")]
        let (set, all) = (self.bits_set as f64, self.bits.max(1) as f64);
        set / all
    }
}

/// Why no generation was begun.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The embedded store needs none.
    #[error("there is no e-mail filter: the embedded store looks every address up")]
    NotKept,
    /// Somebody builds one now.
    #[error("the filter is being rebuilt already")]
    Busy,
    /// Not the caller's doing.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The port.
///
/// An adapter MUST guarantee: where [`Self::add`] answered, no adapter of the same shared filter, in whatever process,
/// answers `true` to [`Self::has_none_of`] for what was added once [`Self::freshness`] has passed, whatever happens to
/// the feed between them; until a generation that lacks it is [finished](Draft::finish).
#[async_trait]
pub trait EmailFilter: Send + Sync + 'static {
    /// Whether surely none of the items was ever added. `false` is "maybe". No round trip.
    fn has_none_of(&self, lookup: Lookup<'_>) -> bool;
    /// Adds to the current generation and to the one that is being built.
    async fn add(&self, items: &[FilterItem]) -> Result<Added, StoreError>;
    /// How old a "no" may be.
    fn freshness(&self) -> Duration;
    /// The current generation; `None` where there is none.
    async fn status(&self) -> Result<Option<GenerationStatus>, StoreError>;
    /// Begins a generation for `expected` items, or goes on with one that nobody builds any more. From now on additions
    /// go into it too.
    async fn begin(&self, expected: u64, now: Timestamp) -> Result<Box<dyn Draft>, BeginError>;
}

/// A generation that is being built, by the one that holds this.
#[async_trait]
pub trait Draft: Send {
    /// Takes items in, here.
    fn take(&mut self, items: &[FilterItem]);
    /// How many items were taken in.
    fn taken(&self) -> u64;
    /// How many it was sized for.
    fn capacity(&self) -> u64;
    /// Says that it is still being built; `false` when somebody else has taken it over.
    async fn hold(&self) -> Result<bool, StoreError>;
    /// Lets go of it: somebody may take it over, or begin a larger one.
    async fn abandon(self: Box<Self>) -> Result<(), StoreError>;
    /// Makes it the current one, the one before goes; `false` when somebody else has taken it over.
    async fn finish(self: Box<Self>, basis: &Basis) -> Result<bool, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basis_comes_back_from_its_text() {
        let basis = Basis::new([
            ("User1".parse().expect("valid"), 1),
            ("User2".parse().expect("valid"), 7),
        ]);
        assert_eq!(basis.to_string(), "User1:1,User2:7");
        assert_eq!(basis.to_string().parse(), Ok(basis.clone()));
        assert_eq!("".parse(), Ok(Basis::default()));
        for text in ["User1", "User1:x", "_:1", "User1:70000"] {
            assert_eq!(text.parse::<Basis>(), Err(InvalidBasis), "{text}");
        }
    }

    #[test]
    fn a_basis_covers_look_ups_that_ask_for_its_version() {
        let user_type: UserType = "User1".parse().expect("valid");
        let basis = Basis::new([(user_type.clone(), 2)]);
        assert!(basis.covers(&user_type, &[3, 2]));
        assert!(!basis.covers(&user_type, &[3]), "the version is retired");
        assert!(!basis.covers(&"User2".parse().expect("valid"), &[2]));
    }
}
