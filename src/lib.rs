//! Sealgate: an authentication service whose users' personal data is sealed field by field.
//!
//! The map, and the one rule. Dependencies point one way:
//!
//! ```text
//! domain ← crypto ← storage (ports) ← service ← { http, jobs }
//! ```
//!
//! Adapters (`storage/sqlite`, `storage/mongo`) see ports and never a key, `kms` nothing but keys. [`app`] and the binaries see all: they put
//! concrete adapters together. `tests/rules` checks every `use crate::` line against this; Cargo features make the
//! outer arrows a compile error.

#[cfg(all(feature = "jobs", feature = "sqlite"))]
pub mod app;
pub mod config;
pub mod crypto;
#[cfg(all(feature = "jobs", feature = "sqlite"))]
pub mod doctor;
pub mod domain;
pub mod health_check;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "jobs")]
pub mod jobs;
pub mod kms;
pub mod logs;
pub mod metrics_listener;
pub mod process;
pub mod service;
pub mod storage;
pub mod templates;
pub mod traces;
