//! The rules that no single module can keep by itself.
//!
//! - [`vectors`]: the primitives, called as the crypto layer calls them, against published vectors.
//! - [`evidence`]: what the documents on security refer to.
//! - [`openapi`]: the document in the repository, and pages that name its routes.
//! - [`audit`]: the events that are noted, and the page that explains them.
//! - [`layers`]: which way `use crate::` may point, and who may import which crate.
//! - [`printing`]: what can be seen of a person in what is stored and printed. What must not even compile is in
//!   `leaks/`, a package of its own.

mod audit;
mod evidence;
mod layers;
mod openapi;
mod printing;
mod source;
mod vectors;
