//! The rules that no single module can keep by itself.
//!
//! - [`vectors`]: the primitives, called as the crypto layer calls them, against published vectors.

mod vectors;
