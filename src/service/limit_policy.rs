//! How often what may be done, as it stands now: replaced whole while the service serves.

use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::limits::{Limit, Quota, Quotas};

/// The numbers, and whether they count. Cheap to clone: all clones see a replacement.
#[derive(Clone, Debug)]
pub struct LimitPolicy(Arc<RwLock<Numbers>>);

#[derive(Clone, Copy, Debug)]
struct Numbers {
    quotas: Quotas,
    is_counted: bool,
}

impl Default for LimitPolicy {
    fn default() -> Self {
        Self::new(Quotas::default(), true)
    }
}

impl LimitPolicy {
    /// Of these numbers.
    #[must_use]
    pub fn new(quotas: Quotas, is_counted: bool) -> Self {
        Self(Arc::new(RwLock::new(Numbers { quotas, is_counted })))
    }

    /// Other numbers from now on. What was counted stays counted.
    pub fn replace(&self, quotas: Quotas, is_counted: bool) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Numbers { quotas, is_counted };
    }

    /// The number of `limit`.
    #[must_use]
    pub fn of(&self, limit: Limit) -> Quota {
        self.0.read().unwrap_or_else(PoisonError::into_inner).quotas.of(limit)
    }

    /// Whether anything is counted.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_is_seen_by_every_clone() {
        let policy = LimitPolicy::default();
        let clone = policy.clone();
        let (mut quotas, quota) = (Quotas::default(), "77/day".parse().expect("a quota"));
        quotas.set(Limit::Login, quota);
        policy.replace(quotas, false);
        assert_eq!(clone.of(Limit::Login), quota);
        assert_eq!(clone.of(Limit::Create), Quotas::default().of(Limit::Create));
        assert!(!clone.is_counted());
    }
}
