//! Randomness as an argument.
//!
//! Ids, codes and tokens are made from an [`Entropy`] that comes in from outside, so that a test can repeat them.
//! Nonces and keys never are: the crypto layer takes those from the operating system itself.

/// A source of unpredictable bytes.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `out`.
    fn fill(&self, out: &mut [u8]);
}

/// `N` bytes from `entropy`.
pub fn make_bytes<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut out = [0; N];
    entropy.fill(&mut out);
    out
}
