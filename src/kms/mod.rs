//! Key-encryption keys that lie in a service of their own: adapters of [`KekProvider`](crate::crypto::kek::KekProvider) that
//! speak to it over HTTP.
//!
//! What every one does: a key's id is derived from what the service calls it and the same in every process; whatever is
//! not a plain answer within its patience is [`Unavailable`](crate::crypto::kek::KekError::Unavailable); nothing that the
//! service says is repeated, for it may hold what was asked; and no request makes a key but that of `make`.
//!
//! To add a cloud's: a file here, its settings in `config/keks.rs`, an arm in `app/keks.rs`.

#[cfg(feature = "transit")]
pub mod transit;
