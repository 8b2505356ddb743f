//! One server's copy of the current generation. Pure: time and messages are arguments.
//!
//! Every addition that sets a bit raises the shared counter and goes out on the feed under the counter's new value. The
//! copy counts what it has taken in without a gap. It may say "no" only while its count was the shared counter's less
//! than [freshness](crate::storage::email_filter::EmailFilter::freshness) ago, by the clock of the machine, counted
//! from before the shared counter was asked for. Whatever is lost, late or in disorder on the feed makes the copy fall
//! behind, never wrong.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

use crate::{
    crypto::filter_item::FilterItem,
    storage::{
        email_filter::{Basis, Lookup},
        redis::filter::shape::{Bits, Shape},
    },
};

/// Beyond so many messages after a gap, the gap is not waited for.
const AHEAD: usize = 10_000;

/// What was seen of the shared counter, and what that means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing is missing, or it may still come.
    Following,
    /// What is missing will not come: the bitmap must be read again.
    Lost,
}

/// The copy.
pub(super) struct Replica {
    pub(super) shape: Shape,
    bits: Bits,
    basis: Basis,
    /// Everything up to here was taken in.
    counter: u64,
    /// What came after a gap.
    ahead: BTreeSet<u64>,
    /// The shared counter, and when it was asked for.
    observed: Option<(u64, Instant)>,
    /// When the copy was last as good as the shared bitmap.
    verified_at: Option<Instant>,
    is_trusted: bool,
}

impl Replica {
    /// With bits that were read after the shared counter was.
    pub(super) fn new(shape: Shape, bits: Bits, basis: Basis, counter: u64) -> Self {
        Self {
            shape,
            bits,
            basis,
            counter,
            ahead: BTreeSet::new(),
            observed: None,
            verified_at: None,
            is_trusted: false,
        }
    }

    /// A message of the feed.
    pub(super) fn take(&mut self, counter: u64, items: &[FilterItem]) -> Seen {
        self.set(items);
        if counter > self.counter {
            self.ahead.insert(counter);
        }
        while self.ahead.first() == Some(&(self.counter + 1)) {
            self.ahead.pop_first();
            self.counter += 1;
        }
        self.settle();
        if self.ahead.len() > AHEAD {
            Seen::Lost
        } else {
            Seen::Following
        }
    }

    /// Additions of this very server: they hold here at once.
    pub(super) fn set(&mut self, items: &[FilterItem]) {
        for item in items {
            self.bits.set(item.as_bytes());
        }
    }

    /// The shared counter, asked for at `asked_at`. `is_trusted`: Redis runs without a break since the generation was built.
    pub(super) fn observe(&mut self, counter: u64, is_trusted: bool, asked_at: Instant) -> Seen {
        self.is_trusted = is_trusted;
        // Still not there what was missing at the last look; or the shared counter fell, and nobody knows what it counts.
        let was_missing = self.observed.is_some_and(|(before, _)| self.counter < before);
        let fell = counter < self.counter;
        self.observed = Some((counter, asked_at));
        if fell {
            self.verified_at = None;
            return Seen::Lost;
        }
        self.settle();
        if was_missing { Seen::Lost } else { Seen::Following }
    }

    /// What it covers.
    pub(super) fn cover(&mut self, basis: Basis) {
        self.basis = basis;
    }

    /// Whether surely none of the items was added.
    pub(super) fn has_none_of(&self, lookup: Lookup<'_>, now: Instant, freshness: Duration) -> bool {
        self.is_trusted
            && self.basis.covers(lookup.user_type, lookup.versions)
            && self
                .verified_at
                .is_some_and(|at| now.saturating_duration_since(at) < freshness)
            && !lookup.items.iter().any(|item| self.bits.check(item.as_bytes()))
    }

    fn settle(&mut self) {
        if let Some((counter, asked_at)) = self.observed
            && self.counter >= counter
        {
            self.verified_at = Some(asked_at);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::user_type::UserType;

    const SEED: [u8; 32] = [3; 32];
    const FRESHNESS: Duration = Duration::from_secs(1);

    fn item(number: u64) -> FilterItem {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        FilterItem::from_bytes(bytes)
    }

    struct Asker {
        user_type: UserType,
        start: Instant,
    }

    impl Asker {
        fn new() -> Self {
            Self {
                user_type: "User1".parse().expect("valid"),
                start: Instant::now(),
            }
        }

        fn at(&self, millis: u64) -> Instant {
            self.start + Duration::from_millis(millis)
        }

        fn replica(&self) -> Replica {
            let shape = Shape::new("g".into(), 1000, 0.000_1);
            let bits = shape.empty(&SEED).expect("a shape");
            Replica::new(shape, bits, Basis::new([(self.user_type.clone(), 1)]), 0)
        }

        fn says_no(&self, replica: &Replica, number: u64, millis: u64) -> bool {
            let lookup = Lookup {
                user_type: &self.user_type,
                versions: &[1],
                items: &[item(number)],
            };
            replica.has_none_of(lookup, self.at(millis), FRESHNESS)
        }
    }

    #[test]
    fn a_copy_says_no_only_while_it_is_fresh() {
        let asker = Asker::new();
        let mut replica = asker.replica();
        assert!(!asker.says_no(&replica, 1, 0), "never compared");
        replica.observe(0, true, asker.at(0));
        assert!(asker.says_no(&replica, 1, 999));
        assert!(!asker.says_no(&replica, 1, 1000), "too old");
        replica.observe(0, false, asker.at(1000));
        assert!(!asker.says_no(&replica, 1, 1001), "Redis was restarted");
    }

    #[test]
    fn a_gap_keeps_it_from_saying_no_until_it_is_filled() {
        let asker = Asker::new();
        let mut replica = asker.replica();
        replica.observe(0, true, asker.at(0));
        replica.take(2, &[item(2)]);
        assert_eq!(replica.observe(2, true, asker.at(500)), Seen::Following, "it may come");
        assert!(asker.says_no(&replica, 9, 999), "as of the last comparison");
        assert!(!asker.says_no(&replica, 9, 1000));
        replica.take(1, &[item(1)]);
        assert!(asker.says_no(&replica, 9, 1400), "as of 500");
        assert!(!asker.says_no(&replica, 1, 1400) && !asker.says_no(&replica, 2, 1400));
    }

    #[test]
    fn what_is_missing_at_two_looks_is_lost() {
        let asker = Asker::new();
        let mut replica = asker.replica();
        assert_eq!(replica.observe(1, true, asker.at(0)), Seen::Following);
        assert_eq!(replica.observe(1, true, asker.at(250)), Seen::Lost);
    }

    #[test]
    fn a_counter_that_fell_is_not_believed() {
        let asker = Asker::new();
        let mut replica = asker.replica();
        replica.take(1, &[item(1)]);
        replica.observe(1, true, asker.at(0));
        assert_eq!(replica.observe(0, true, asker.at(10)), Seen::Lost);
        assert!(!asker.says_no(&replica, 9, 11));
    }

    /// What a feed may do to one message.
    #[derive(Clone, Copy, Debug)]
    enum Fate {
        Comes { after: u64 },
        Twice { after: u64, again: u64 },
        Never,
    }

    fn fate() -> impl Strategy<Value = Fate> {
        prop_oneof![
            6 => (0_u64..400).prop_map(|after| Fate::Comes { after }),
            1 => (0_u64..400, 0_u64..3000).prop_map(|(after, again)| Fate::Twice { after, again }),
            2 => (0_u64..4000).prop_map(|after| Fate::Comes { after }),
            1 => Just(Fate::Never),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// The promise: once an item has been in the shared bitmap for as long as a "no" may be old, no copy denies it,
        /// whatever the feed delays, doubles, loses or reorders, and however seldom and late the counter is looked at.
        #[test]
        fn no_copy_denies_what_was_added_a_freshness_ago(
            additions in proptest::collection::vec((0_u64..6000, fate()), 1..30),
            looks in proptest::collection::vec((0_u64..700, 0_u64..300), 1..25),
            reads_again in any::<bool>(),
        ) {
            let asker = Asker::new();
            let mut replica = asker.replica();
            let mut added: Vec<u64> = additions.iter().map(|(at, _)| *at).collect();
            added.sort_unstable();
            // (when, what): messages as they come, and looks: asked, answered.
            let mut events: Vec<(u64, Option<u64>, u64)> = Vec::new();
            for (index, (at, (_, fate))) in added.iter().zip(&additions).enumerate() {
                let number = index as u64 + 1;
                match *fate {
                    Fate::Comes { after } => events.push((at + after, Some(number), 0)),
                    Fate::Twice { after, again } => {
                        events.push((at + after, Some(number), 0));
                        events.push((at + after + again, Some(number), 0));
                    }
                    Fate::Never => {}
                }
            }
            let mut asked = 0;
            for (pause, took) in &looks {
                asked += pause;
                events.push((asked + took, None, asked));
                asked += took;
            }
            events.sort_by_key(|(when, ..)| *when);
            let shared = |at: u64| added.iter().filter(|added| **added <= at).count() as u64;
            for (when, message, asked_at) in events {
                if let Some(number) = message {
                    replica.take(number, &[item(number)]);
                } else {
                    // Redis answered somewhere between question and answer: the worst is at once.
                    let seen = replica.observe(shared(asked_at), true, asker.at(asked_at));
                    if seen == Seen::Lost && reads_again {
                        let counter = shared(when);
                        replica = asker.replica();
                        replica.counter = counter;
                        for number in 1..=counter {
                            replica.set(&[item(number)]);
                        }
                        replica.observe(counter, true, asker.at(when));
                    }
                }
                for ask_at in [when, when + 1, when + 500, when + 999] {
                    for (index, at) in added.iter().enumerate().filter(|(_, at)| **at + 1000 <= ask_at) {
                        prop_assert!(
                            !asker.says_no(&replica, index as u64 + 1, ask_at),
                            "added at {at}, denied at {ask_at}"
                        );
                    }
                }
            }
        }
    }
}
