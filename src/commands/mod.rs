//! The operator's commands that work on the stores, one a file.

pub(crate) mod admin;
pub(crate) mod audit;
pub(crate) mod filter;
pub(crate) mod import;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod outbox;
pub(crate) mod texts;
