//! The operator's commands that work on the stores, one a file.

pub(crate) mod accounts;
pub(crate) mod admin;
pub(crate) mod audit;
pub(crate) mod erasures;
pub(crate) mod filter;
pub(crate) mod import;
mod key_status;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod outbox;
pub(crate) mod receipt;
pub(crate) mod records;
pub(crate) mod texts;
