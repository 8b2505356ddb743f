//! The REST edge: parses, calls one use case, maps the result.
//!
//! One implementation of the API serves every user type ([`per_user_type`]). What a client sends is read by
//! [`body`] into domain types, all mistakes at once; what a use case refuses becomes a problem in [`refusals`], the one
//! place that knows statuses.
//!
//! To add a route: a method in the API it belongs to, its DTO in [`dto`], its refusals' lines in [`refusals`], its
//! cases in `tests/api/`, its examples in [`document::examples`]. A new code goes into [`error_code`].

pub mod accounts_api;
pub mod admin_api;
pub mod body;
pub mod caller;
pub mod client_address;
mod connection;
pub mod credentials_api;
pub mod dev_outbox;
pub mod device;
pub mod docs;
pub mod document;
pub mod dto;
pub mod email_sign_in_api;
pub mod error_code;
pub mod export_api;
pub mod fields;
pub mod forget_page_api;
pub mod health;
pub mod hooks_api;
pub mod idempotent;
pub mod middleware;
pub mod negotiate;
pub mod pages;
pub mod per_user_type;
pub mod phone_api;
pub mod population;
pub mod problem;
pub mod profile_api;
pub mod recovery_api;
pub mod refusals;
pub mod router;
pub mod second_factor_api;
pub mod server;
pub mod session_list_api;
pub mod sessions_api;
pub mod tls;
pub mod well_known_api;
