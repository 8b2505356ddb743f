//! The words of the business, parsed once and true from then on.
//!
//! Pure: no IO, no async, no framework, no storage format. Time and randomness come in as arguments ([`clock`],
//! [`entropy`]). A value that exists has passed its `parse`; nothing further in checks it again.
//!
//! To add a type: one file, one idea; its `parse` is the only constructor, its error implements
//! [`private::Refusal`], its property test sits beside it. Anything that a thief may not read wraps
//! [`private::Private`].

pub mod account;
pub mod attributes;
pub mod audit;
mod calling_codes;
pub mod challenge;
pub mod clock;
pub mod code;
mod common_passwords;
pub mod country;
pub mod device;
pub mod email;
pub mod email_sign_in;
pub mod entropy;
pub mod ids;
pub mod import;
pub mod limits;
pub mod message;
pub mod network;
pub mod octets;
pub mod password;
pub mod password_rules;
pub mod permission;
pub mod person_name;
pub mod phone;
pub mod private;
pub mod recent;
pub mod role;
pub mod second_factor;
pub mod session;
pub mod share;
pub mod text_scope;
mod textable;
pub mod token;
pub mod trace_context;
pub mod user_type;
pub mod username;
