//! The devices that an account was signed in from: digests alone, in the account, outside of its MAC. Who plants one there
//! is spared a wait and a mail to the owner, and no more.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{clock::Timestamp, token::TokenDigest};

/// How many are kept; the one not seen for longest goes first.
pub const BOUND: usize = 24;
/// A device that is seen again within so long is not written anew.
const RECENT: Duration = Duration::from_hours(24);
/// Not seen for so long, a device is new again.
const FORGOTTEN: Duration = Duration::from_hours(24 * 180);

/// One of them: the digest of a device's token, or of a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownDevice {
    /// What tells it.
    pub digest: TokenDigest,
    /// When somebody signed in from it last, to the day.
    pub seen_at: Timestamp,
}

/// All of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KnownDevices(Vec<KnownDevice>);

impl KnownDevices {
    /// Whether one of `digests` is known at `now`.
    #[must_use]
    pub fn knows(&self, digests: &[TokenDigest], now: Timestamp) -> bool {
        self.0
            .iter()
            .any(|known| now < known.seen_at.plus(FORGOTTEN) && digests.contains(&known.digest))
    }

    /// When somebody signed in from each of them last.
    pub fn seen_at(&self) -> impl Iterator<Item = Timestamp> {
        self.0.iter().map(|known| known.seen_at)
    }

    /// Takes `digests` as seen `now`; `false` where that changes nothing.
    pub fn note(&mut self, digests: &[TokenDigest], now: Timestamp) -> bool {
        let mut is_changed = false;
        for digest in digests {
            match self.0.iter_mut().find(|known| known.digest == *digest) {
                Some(known) if now < known.seen_at.plus(RECENT) => {}
                Some(known) => {
                    known.seen_at = now;
                    is_changed = true;
                }
                None => {
                    self.0.push(KnownDevice {
                        digest: *digest,
                        seen_at: now,
                    });
                    is_changed = true;
                }
            }
        }
        if self.0.len() > BOUND {
            self.0.sort_by_key(|known| std::cmp::Reverse(known.seen_at));
            self.0.truncate(BOUND);
        }
        is_changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);

    fn digest(n: usize) -> TokenDigest {
        TokenDigest::new([u8::try_from(n).expect("small"); 32])
    }

    #[test]
    fn a_device_is_known_until_it_was_not_seen_for_half_a_year() {
        let mut devices = KnownDevices::default();
        assert!(!devices.knows(&[digest(1)], NOW));
        assert!(devices.note(&[digest(1)], NOW));
        assert!(devices.knows(&[digest(2), digest(1)], NOW));
        assert!(
            !devices.note(&[digest(1)], NOW.plus(Duration::from_hours(23))),
            "nothing to write"
        );
        assert!(devices.note(&[digest(1)], NOW.plus(RECENT)));
        assert!(devices.knows(&[digest(1)], NOW.plus(FORGOTTEN)), "seen again meanwhile");
        assert!(!devices.knows(&[digest(1)], NOW.plus(RECENT).plus(FORGOTTEN)));
    }

    #[test]
    fn the_one_not_seen_for_longest_makes_room() {
        let mut devices = KnownDevices::default();
        for n in 0..=BOUND {
            devices.note(&[digest(n)], NOW.plus(Duration::from_secs(n as u64)));
        }
        let known = (0..=BOUND)
            .filter(|n| devices.knows(&[digest(*n)], NOW))
            .collect::<Vec<_>>();
        assert_eq!(known, (1..=BOUND).collect::<Vec<_>>());
    }
}
