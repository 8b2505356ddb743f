//! Data keys that were unwrapped a moment ago, where unwrapping asks a service: bounded, short-lived, wiped.
//!
//! A copy is used only for the very bytes that the key database gave for this request: an erased account's key opens
//! nothing although its copy may lie here for some seconds more, and a key that was wrapped anew is asked for anew. Nothing
//! is remembered of failures.

use std::{
    collections::BTreeMap,
    fmt,
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hashlink::LruCache;
use tokio::time::Instant;

use crate::{
    crypto::{data_key::Dek, kek::WrappedKey},
    domain::{ids::AccountId, user_type::UserType},
};

/// Data keys by number, as the key database has them.
type Wrapped = BTreeMap<String, WrappedKey>;
type Owner = (UserType, AccountId);

/// The cache. What is in it is wiped when its time is over, something takes its place, or this is dropped.
pub struct DekCache {
    lifetime: Duration,
    entries: Mutex<LruCache<Owner, Entry>>,
}

struct Entry {
    wrapped: Wrapped,
    /// Of fixed length on the heap, one by one: what moves is where they lie, so that wiping leaves no copy.
    keys: Vec<(u16, Box<Dek>)>,
    until: Instant,
}

impl DekCache {
    /// Of so many owners, each for so long from when its keys were unwrapped.
    #[must_use]
    pub fn new(owners: NonZeroUsize, lifetime: Duration) -> Self {
        Self {
            lifetime,
            entries: Mutex::new(LruCache::new(owners.get())),
        }
    }

    /// Copies of the keys of `owner`, if they are here for `wrapped`.
    #[must_use]
    pub fn get(&self, owner: (&UserType, &AccountId), wrapped: &Wrapped, now: Instant) -> Option<Vec<(u16, Dek)>> {
        let mut entries = self.entries();
        let entry = entries.get(&key(owner))?;
        let is_good = entry.wrapped == *wrapped && now < entry.until;
        is_good.then(|| entry.keys.iter().map(|(number, dek)| (*number, copy(dek))).collect())
    }

    /// Keeps copies.
    pub fn keep(&self, owner: (&UserType, &AccountId), wrapped: &Wrapped, keys: &[(u16, Dek)], now: Instant) {
        let entry = Entry {
            wrapped: wrapped.clone(),
            keys: keys
                .iter()
                .map(|(number, dek)| (*number, Box::new(copy(dek))))
                .collect(),
            until: now + self.lifetime,
        };
        self.entries().insert(key(owner), entry);
    }

    /// Wipes those of `owner`.
    pub fn forget(&self, owner: (&UserType, &AccountId)) {
        self.entries().remove(&key(owner));
    }

    /// Wipes those whose time is over.
    pub fn sweep(&self, now: Instant) {
        self.entries().retain(|_, entry| now < entry.until);
    }

    fn entries(&self) -> MutexGuard<'_, LruCache<Owner, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key((user_type, id): (&UserType, &AccountId)) -> Owner {
    (user_type.clone(), id.clone())
}

fn copy(dek: &Dek) -> Dek {
    Dek::copied(dek.expose())
}

impl fmt::Debug for DekCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DekCache")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_mins(1);

    fn owner(n: u8) -> Owner {
        let id = format!("usr_{n}").parse().expect("an id");
        ("User1".parse().expect("a user type"), id)
    }

    fn wrapped(n: u8) -> Wrapped {
        let kek_id = format!("kek_{}", "0".repeat(26)).parse().expect("an id");
        BTreeMap::from([(
            "1".to_owned(),
            WrappedKey {
                kek_id,
                wrapped: vec![n; 40],
            },
        )])
    }

    fn cache(owners: usize) -> DekCache {
        DekCache::new(NonZeroUsize::new(owners).expect("some"), LIFETIME)
    }

    /// Keeps a key whose bytes are `n`.
    fn keep(cache: &DekCache, n: u8) -> Instant {
        let ((user_type, id), now) = (owner(n), Instant::now());
        cache.keep((&user_type, &id), &wrapped(n), &[(1, Dek::copied(&[n; 32]))], now);
        now
    }

    fn found(cache: &DekCache, n: u8, by: u8, now: Instant) -> Option<[u8; 32]> {
        let (user_type, id) = owner(n);
        let keys = cache.get((&user_type, &id), &wrapped(by), now)?;
        assert_eq!(keys.len(), 1);
        Some(*keys[0].1.expose())
    }

    #[test]
    fn a_key_serves_for_its_time_and_is_gone_after_it() {
        let cache = cache(10);
        let kept = keep(&cache, 1);
        let last = kept + LIFETIME - Duration::from_millis(1);
        assert_eq!(found(&cache, 1, 1, last), Some([1; 32]));
        cache.sweep(last);
        assert_eq!(cache.entries().len(), 1);
        // Being used makes it no younger.
        let over = kept + LIFETIME;
        assert_eq!(found(&cache, 1, 1, over), None);
        cache.sweep(over);
        assert_eq!(cache.entries().len(), 0);
    }

    #[test]
    fn a_key_serves_only_for_the_bytes_that_it_came_from() {
        let cache = cache(10);
        let now = keep(&cache, 1);
        assert_eq!(found(&cache, 1, 2, now), None, "another wrapping");
        assert_eq!(found(&cache, 2, 1, now), None, "another owner");
        let (_, id) = owner(1);
        let other = "User2".parse().expect("a user type");
        assert!(
            cache.get((&other, &id), &wrapped(1), now).is_none(),
            "another user type"
        );
        assert_eq!(found(&cache, 1, 1, now), Some([1; 32]));
    }

    #[test]
    fn there_are_never_more_than_it_may_have_and_those_used_last_stay() {
        let cache = cache(2);
        keep(&cache, 1);
        let now = keep(&cache, 2);
        assert!(found(&cache, 1, 1, now).is_some());
        keep(&cache, 3);
        assert_eq!(cache.entries().len(), 2);
        assert_eq!(
            [1, 2, 3].map(|n| found(&cache, n, n, now).is_some()),
            [true, false, true]
        );
    }

    #[test]
    fn what_is_forgotten_is_gone_at_once() {
        let cache = cache(10);
        keep(&cache, 1);
        let (user_type, id) = owner(1);
        cache.forget((&user_type, &id));
        assert_eq!(cache.entries().len(), 0);
    }
}
