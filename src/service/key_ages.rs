//! How old the keys are that write, and which of them are older than their period: what an operator is warned of, by
//! `sealgate doctor` and in the metrics.

use std::time::Duration;

use crate::{
    crypto::keyring::{KeyState, KeyUse},
    service::{core::Core, failure::Failure},
};

/// The key that writes for one use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAge {
    /// As the keyring names it, `index.User1`.
    pub key_use: String,
    /// Since it was made.
    pub age: Duration,
    /// Older than its period, and to be replaced by a command: the others stay as they are.
    pub is_overdue: bool,
}

impl KeyAge {
    /// What an operator calls it: every user type's index key is `index`.
    #[must_use]
    pub fn rotated_as(&self) -> &str {
        self.key_use.split('.').next().unwrap_or_default()
    }
}

/// The age of every key that writes, by use; the key of tokens where none is configured in its place.
pub async fn key_ages(core: &Core, period: Duration) -> Result<Vec<KeyAge>, Failure> {
    let now = core.clock.now();
    let mut ages = Vec::new();
    let mut records = core.stores.keyring.list().await?;
    records.retain(|record| record.state == KeyState::Active);
    records.sort_by(|one, other| (&one.key_use, one.version).cmp(&(&other.key_use, other.version)));
    // Of two active versions, as a crash may leave them, the newer writes.
    let newest = records.chunk_by(|one, other| one.key_use == other.key_use);
    for record in newest.filter_map(<[_]>::last) {
        // One of a newer version of the service, that runs beside this one.
        let Some(key_use) = KeyUse::from_name(&record.key_use) else {
            continue;
        };
        if key_use == KeyUse::Token && !core.signer.is_of_keyring() {
            continue;
        }
        // The record of a key-encryption key may be younger than the key.
        let made_at = match key_use {
            KeyUse::Kek => record.wrapped.kek_id.made_at(),
            _ => None,
        };
        let age = now.since(made_at.unwrap_or(record.created_at));
        ages.push(KeyAge {
            key_use: record.key_use.clone(),
            age,
            is_overdue: age > period && is_rotated(&key_use),
        });
    }
    Ok(ages)
}

/// Measures them, as this process sees them.
pub async fn measure(core: &Core, period: Duration) -> Result<(), Failure> {
    const DAY: f64 = 86_400.0;
    let ages = key_ages(core, period).await?;
    for key in &ages {
        metrics::gauge!("sealgate_key_age_days", "use" => key.key_use.clone()).set(key.age.as_secs_f64() / DAY);
    }
    let overdue = ages.iter().filter(|key| key.is_overdue).count();
    metrics::gauge!("sealgate_keys_overdue").set(u32::try_from(overdue).unwrap_or(u32::MAX));
    Ok(())
}

/// Whether `sealgate keys rotate` replaces keys of this use.
const fn is_rotated(key_use: &KeyUse) -> bool {
    matches!(
        key_use,
        KeyUse::Token | KeyUse::Kek | KeyUse::Dek | KeyUse::Otp | KeyUse::Index(_)
    )
}
