//! The rules that no single module can keep by itself.
//!
//! - [`vectors`]: the primitives, called as the crypto layer calls them, against published vectors.
//! - [`compliance`]: what is said of the rules of others, and the settings that pages name.
//! - [`evidence`]: what the documents on security refer to.
//! - [`openapi`]: the document in the repository, and pages that name its routes.
//! - [`audit`]: the events that are noted, and the page that explains them.
//! - [`alerts`]: what Prometheus and Grafana are asked to show, and what an operator is told to do then.
//! - [`fuzzing`]: the fuzz targets, over their corpus.
//! - [`layers`]: which way `use crate::` may point, and who may import which crate.
//! - [`printing`]: what can be seen of a person in what is stored and printed. What must not even compile is in
//!   `leaks/`, a package of its own.
//! - [`shards`]: the shard keys that are advised, against the collections.
//! - [`sealed_damage`]: whatever is made of a sealed field, it opens as itself or not at all.

mod alerts;
mod audit;
mod compliance;
mod evidence;
mod fuzzing;
mod layers;
mod openapi;
mod printing;
mod sealed_damage;
mod shards;
mod source;
mod vectors;
