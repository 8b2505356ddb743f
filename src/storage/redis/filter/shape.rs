//! The bitmap of one generation: its size, and which bits an item has.
//!
//! `bloomfilter` counts bits from a byte's lowest, Redis from its highest. An offset is turned around within its byte on
//! its way to Redis, so that the bytes are the same on both sides.

use std::hash::{Hash as _, Hasher as _};

use bloomfilter::{Bloom, reexports::siphasher::sip::SipHasher13};

use crate::{crypto::filter_item::FilterItem, storage::documents::StoreError};

/// The largest prime of 64 bits, as in `bloomfilter`.
const PRIME: u64 = 0xFFFF_FFFF_FFFF_FFC5;

/// The largest string of Redis.
const LARGEST_BYTES: usize = 512 * 1024 * 1024;

/// The filter as `bloomfilter` has it.
pub(super) type Bits = Bloom<[u8; 32]>;

/// Size of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// The generation.
    pub(super) id: String,
    /// Items that it is for.
    pub(super) capacity: u64,
    /// Bytes of the bitmap.
    pub(super) bytes: usize,
}

impl Shape {
    /// For `capacity` items at that rate of false positives, which lies between 0 and 1.
    pub(super) fn new(id: String, capacity: u64, rate: f64) -> Self {
        let capacity = capacity.max(1);
        let bytes = Bits::compute_bitmap_size(usize::try_from(capacity).unwrap_or(usize::MAX), rate);
        Self {
            id,
            capacity,
            bytes: bytes.clamp(1, LARGEST_BYTES),
        }
    }

    /// No item yet.
    pub(super) fn empty(&self, seed: &[u8; 32]) -> Result<Bits, StoreError> {
        let capacity = usize::try_from(self.capacity).unwrap_or(usize::MAX).max(1);
        Bits::new_with_seed(self.bytes.max(1), capacity, seed).map_err(damaged)
    }

    /// With the bytes of Redis, which leaves zeros at the end away.
    pub(super) fn read_redis(&self, seed: &[u8; 32], stored: &[u8]) -> Result<Bits, StoreError> {
        let mut bytes = self.empty(seed)?.into_bytes();
        let header = bytes.len() - self.bytes;
        if stored.len() > self.bytes {
            return Err(damaged("longer than its size"));
        }
        for (to, from) in bytes.iter_mut().skip(header).zip(stored) {
            *to = *from;
        }
        Bits::from_bytes(bytes).map_err(damaged)
    }

    /// The bytes for Redis.
    pub(super) fn for_redis(&self, bits: Bits) -> Vec<u8> {
        let mut bytes = bits.into_bytes();
        let header = bytes.len() - self.bytes;
        bytes.drain(..header);
        bytes
    }

    /// The offsets of an item's bits in Redis.
    pub(super) fn offsets(&self, seed: &[u8; 32], item: &FilterItem) -> Vec<u64> {
        let bits = self.bytes as u64 * 8;
        let (first, second) = (half(seed, 0, item), half(seed, 16, item));
        (0..u64::from(self.hashes()))
            .map(|index| match index {
                0 => first,
                1 => second,
                index => first.wrapping_add(index.wrapping_mul(second)) % PRIME,
            })
            .map(|hash| hash % bits)
            .map(|offset| (offset & !7) | (7 - (offset & 7)))
            .collect()
    }

    /// `bits / capacity × ln 2`, as `bloomfilter` has it.
    fn hashes(&self) -> u32 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number; the same arithmetic as the library's"
        )]
        let hashes = ((self.bytes as u64 * 8) as f64 / self.capacity as f64 * f64::ln(2.0)).round() as u32;
        hashes.max(1)
    }
}

/// One of the two hashes that all others are made from.
fn half(seed: &[u8; 32], from: usize, item: &FilterItem) -> u64 {
    let mut key = [0; 16];
    key.copy_from_slice(&seed[from..from + 16]);
    let mut hasher = SipHasher13::new_with_key(&key);
    item.as_bytes().hash(&mut hasher);
    hasher.finish()
}

fn damaged(problem: &str) -> StoreError {
    StoreError::Damaged(format!("the e-mail filter: {problem}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEED: [u8; 32] = [
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
        31, 32,
    ];

    /// What Redis holds after SETBIT at each offset.
    fn set_in_redis(shape: &Shape, items: &[FilterItem]) -> Vec<u8> {
        let mut bytes = vec![0_u8; shape.bytes];
        for item in items {
            for offset in shape.offsets(&SEED, item) {
                let (byte, bit) = (usize::try_from(offset / 8).expect("small"), offset % 8);
                bytes[byte] |= 0x80 >> bit;
            }
        }
        bytes
    }

    proptest! {
        #[test]
        fn redis_and_the_library_hold_the_same_bytes(
            items in proptest::collection::vec(any::<[u8; 32]>(), 0..40),
            capacity in 1_u64..5000,
            rate in 0.000_1_f64..0.5,
        ) {
            let shape = Shape::new("g".into(), capacity, rate);
            let items: Vec<FilterItem> = items.into_iter().map(FilterItem::from_bytes).collect();
            let mut bits = shape.empty(&SEED).expect("a shape");
            for item in &items {
                bits.set(item.as_bytes());
            }
            let stored = set_in_redis(&shape, &items);
            prop_assert_eq!(&stored, &shape.for_redis(bits));
            let read = shape.read_redis(&SEED, &stored).expect("the same size");
            for item in &items {
                prop_assert!(read.check(item.as_bytes()));
            }
        }
    }

    /// Bits that another version put elsewhere would be a certain "no" for people who are there.
    #[test]
    fn the_bits_of_an_item_are_frozen() {
        let shape = Shape::new("g".into(), 1_000_000, 0.001);
        let item = FilterItem::from_bytes([7; 32]);
        assert_eq!(shape.bytes, 1_797_199);
        assert_eq!(shape.offsets(&SEED, &item), FROZEN);
    }
    const FROZEN: [u64; 10] = [
        13_169_918, 5_514_664, 6_280_176, 8_253_369, 10_226_562, 1_363_643, 3_336_836, 8_851_509, 10_824_702,
        12_797_895,
    ];

    #[test]
    fn redis_leaves_zeros_at_the_end_away_and_more_than_the_size_is_damage() {
        let shape = Shape::new("g".into(), 100, 0.01);
        assert!(shape.read_redis(&SEED, &[]).expect("empty").is_empty());
        assert!(shape.read_redis(&SEED, &vec![0; shape.bytes + 1]).is_err());
    }

    #[test]
    fn no_size_goes_past_what_redis_holds() {
        assert_eq!(Shape::new("g".into(), u64::MAX, 0.000_001).bytes, LARGEST_BYTES);
        assert_eq!(Shape::new("g".into(), 0, 0.5).capacity, 1);
    }
}
