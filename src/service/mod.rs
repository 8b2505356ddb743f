//! Use cases: one file is one use case and its error enum.
//!
//! A use case knows domain, crypto and ports; it knows no HTTP, no queue and no adapter. What a caller may expect to
//! happen is a variant of its error; everything else is a [`Failure`].
//!
//! To add one: a file here with the command it takes, its outcome and its errors; its place in `http/problem.rs`
//! (which does not compile until every variant has one); its route or job.

pub mod accounts;
pub mod admin;
pub mod apply_erasures;
pub mod audit;
pub mod audit_chain;
pub mod authenticate;
pub mod change_address;
pub mod change_password;
pub mod check_password;
pub mod check_records;
pub mod choose_password;
pub mod confirm;
pub mod confirm_own;
pub mod core;
pub mod dead_letters;
pub mod devices;
pub mod email_filter;
pub mod email_sign_in;
pub mod end_sessions;
pub mod erase_account;
pub mod export_account;
pub mod failure;
pub mod forget_password;
pub mod fresh;
pub mod idempotency;
pub mod import;
pub mod import_legacy;
pub mod import_lines;
pub mod import_run;
pub mod key_ages;
pub mod keyring;
pub mod limit_policy;
pub mod limits;
pub mod list_sessions;
pub mod make_admin;
mod make_unclaimed;
pub mod migrate;
mod pages;
pub mod phone_codes;
pub mod profile;
pub mod reauthenticate;
pub mod refresh;
pub mod register;
pub mod requests;
pub mod resend_confirmation;
pub mod reset_password;
pub mod resign_account;
pub mod revoke;
pub mod rotation;
pub mod second_factor;
pub mod sessions;
pub mod sign_in;
pub mod sign_out;
pub mod sweep;
pub(in crate::service) mod text_codes;
pub mod text_guard;
pub mod throttle;
pub mod token_keys;
pub mod twilio_status;
pub mod update_profile;
pub mod vault;
pub mod verify_audit;

pub use core::{Core, UserTypeSettings};
pub use failure::{Failure, pass_over_damaged};
