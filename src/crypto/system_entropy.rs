//! The operating system's randomness: for ids and tokens through [`Entropy`], for keys and nonces directly.

use zeroize::Zeroizing;

use crate::domain::entropy::Entropy;

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, out: &mut [u8]) {
        fill(out);
    }
}

/// Fills `out` from the operating system.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the operating system for randomness"
)]
#[expect(
    clippy::expect_used,
    reason = "without randomness nothing here can be done safely: stop the process"
)]
pub(in crate::crypto) fn fill(out: &mut [u8]) {
    getrandom::fill(out).expect("the operating system gives randomness");
}

/// A fresh 256-bit key.
pub(in crate::crypto) fn make_key() -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    fill(key.as_mut_slice());
    key
}
