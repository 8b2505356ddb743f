//! A filter of passwords that were stolen somewhere, in a file: made offline ([`build`]) from a list of their hashes, and
//! asked when somebody chooses a password.
//!
//! The file is a header of 64 bytes and a Bloom filter's bitmap, as `bloomfilter` makes it. Numbers are big-endian:
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `SGBREACH` |
//! | 8 | 2 | version, 1 |
//! | 10 | 1 | 1 SHA-1, 2 NTLM |
//! | 11 | 1 | bits of one password |
//! | 12 | 8 | passwords |
//! | 20 | 8 | bytes of the bitmap |
//! | 28 | 4 | zero |
//! | 32 | 32 | SHA-256 of the first 32 bytes and the bitmap |
//!
//! A hash's bits: two SipHash-1-3 of its bytes, keyed by the halves of `SEED`, make all offsets as in `bloomfilter`;
//! offset `o` is bit `o mod 8`, counted from the lowest, of byte `o / 8`. Nothing is held in memory: a look-up reads one
//! byte for each bit, from a file that stays open, and ends at the first zero.

mod build;
mod file;

pub use self::{
    build::{BuildError, Built, Input, build},
    file::{BreachedFile, OpenError},
};

use std::hash::{Hash, Hasher};

use bloomfilter::{Bloom, reexports::siphasher::sip::SipHasher13};

use crate::crypto::breached_hash::BreachedHash;

/// The share of passwords that are in no list and refused all the same.
pub const FALSE_POSITIVE_RATE: f64 = 0.000_001;

const MAGIC: &[u8; 8] = b"SGBREACH";
const VERSION: u16 = 1;
const HEADER: usize = 64;
/// What the checksum covers of the header.
const COVERED: usize = 32;
const SEED: &[u8; 32] = b"sealgate/breached-passwords/v1\0\0";
/// The largest prime of 64 bits, as in `bloomfilter`.
const PRIME: u64 = 0xFFFF_FFFF_FFFF_FFC5;

/// The filter as `bloomfilter` has it.
type Bits = Bloom<Item>;

/// The hash of a password, hashed as its bytes alone: what a slice adds is not the same on every machine.
struct Item {
    bytes: [u8; 20],
    length: usize,
}

impl Item {
    fn of(bytes: &[u8]) -> Self {
        let mut item = Self {
            bytes: [0; 20],
            length: bytes.len().min(20),
        };
        item.bytes[..item.length].copy_from_slice(&bytes[..item.length]);
        item
    }
}

impl Hash for Item {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.bytes[..self.length]);
    }
}

/// What a file says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    hash: BreachedHash,
    hashes: u8,
    items: u64,
    bytes: u64,
}

impl Header {
    fn write(self) -> [u8; COVERED] {
        let mut header = [0; COVERED];
        header[..8].copy_from_slice(MAGIC);
        header[8..10].copy_from_slice(&VERSION.to_be_bytes());
        header[10] = match self.hash {
            BreachedHash::Sha1 => 1,
            BreachedHash::Ntlm => 2,
        };
        header[11] = self.hashes;
        header[12..20].copy_from_slice(&self.items.to_be_bytes());
        header[20..28].copy_from_slice(&self.bytes.to_be_bytes());
        header
    }

    /// `None` for what this version never wrote.
    fn read(header: &[u8; COVERED]) -> Option<Self> {
        let number = |at: usize| header[at..at + 8].try_into().map(u64::from_be_bytes).ok();
        let read = Self {
            hash: match header[10] {
                1 => BreachedHash::Sha1,
                2 => BreachedHash::Ntlm,
                _ => return None,
            },
            hashes: header[11],
            items: number(12)?,
            bytes: number(20)?,
        };
        (read.write() == *header && read.hashes > 0 && read.bytes > 0).then_some(read)
    }

    /// The offsets of an item's bits.
    fn offsets(self, item: &Item) -> impl Iterator<Item = u64> {
        let half = |from: usize| {
            let mut key = [0; 16];
            key.copy_from_slice(&SEED[from..from + 16]);
            let mut hasher = SipHasher13::new_with_key(&key);
            item.hash(&mut hasher);
            hasher.finish()
        };
        let (first, second, bits) = (half(0), half(16), self.bytes * 8);
        (0..u64::from(self.hashes))
            .map(move |index| match index {
                0 => first,
                1 => second,
                index => first.wrapping_add(index.wrapping_mul(second)) % PRIME,
            })
            .map(move |hash| hash % bits)
    }
}
