//! A bounded map of what was asked for lately.
//!
//! Two generations: what is new or asked for stands in the young one; once that is half of the bound, it becomes the
//! old one, and what nobody asked for since is forgotten with the old one before it. Every step costs one look-up, and
//! there are never more entries than the bound.

use std::{borrow::Borrow, collections::HashMap, hash::Hash, mem};

/// The map.
#[derive(Debug)]
pub struct Recent<K, V> {
    half: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// Keeps at most `bound` entries, two at least.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self {
            half: (bound / 2).max(1),
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    /// What is known of `key`.
    pub fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        if let Some((key, value)) = self.old.remove_entry(key) {
            self.insert(key, value);
        }
        self.young.get_mut(key)
    }

    /// Takes `value` for `key`, in place of what was known.
    pub fn insert(&mut self, key: K, value: V) {
        self.old.remove(&key);
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    /// Forgets `key`.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    /// How many are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let mut recent = Recent::new(8);
        recent.insert(0, "kept");
        for n in 1..100 {
            recent.insert(n, "passing");
            assert_eq!(recent.get(&0), Some(&mut "kept"), "after {n}");
        }
        assert_eq!(recent.get(&1), None);
        assert_eq!(recent.get(&99), Some(&mut "passing"));
        assert_eq!(recent.remove(&99), Some("passing"));
        assert_eq!(recent.get(&99), None);
    }

    proptest! {
        #[test]
        fn it_says_what_was_put_in_last_or_nothing_and_keeps_its_bound(
            steps in prop::collection::vec((0_u8..3, 0_u8..20, any::<u8>()), 0..200),
            bound in 0_usize..12,
        ) {
            let (mut recent, mut all) = (Recent::new(bound), HashMap::new());
            for (step, key, value) in steps {
                match step {
                    0 => {
                        recent.insert(key, value);
                        all.insert(key, value);
                        prop_assert_eq!(recent.get(&key).copied(), Some(value));
                    }
                    1 => {
                        recent.remove(&key);
                        all.remove(&key);
                    }
                    _ => {}
                }
                let known = recent.get(&key).copied();
                prop_assert!(known.is_none() || known == all.get(&key).copied());
                prop_assert!(recent.len() <= bound.max(2));
            }
        }
    }
}
