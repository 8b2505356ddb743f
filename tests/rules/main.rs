//! The rules that no single module can keep by itself.
//!
//! - [`vectors`]: the primitives, called as the crypto layer calls them, against published vectors.
//! - [`layers`]: which way `use crate::` may point, and who may import which crate.

mod layers;
mod source;
mod vectors;
