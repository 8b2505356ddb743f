//! Signing in by mail, in place of the password, where the user type has it: a code, or a link that shows it.
//!
//! # What holds
//! - Asking looks nobody up: one request stored, one challenge sealed, whatever the address. Whether there is somebody to mail
//!   is the worker's to find out ([`jobs::requests`](crate::jobs::requests)).
//! - The challenge is what binds a sign-in to the device that asked: it is handed out once, to whoever asks, and neither the
//!   mail nor the store holds it. A code or a link signs nobody in without it ([`verify`]).
//! - A link consumes nothing by being opened. Its page's button uses it up and shows the code ([`link`]), for the
//!   device that asked; an app that takes its own links shows the token together with its challenge instead.
//! - Tries are charged to the request, in a write of its own, before anything is compared. The request is there whether or not
//!   the address has an account, so that a wrong code costs the same of either.
//! - What was mailed is good once, for ten minutes, while the account is at the epoch that it was made at; the next
//!   mail takes its place.

pub mod ask;
pub mod link;
pub mod verify;

use crate::{crypto::record_mac::Security, domain::account::AccountStatus};

/// Whether the account may be signed in to by mail: in use, confirmed, and with a password, as at a sign-in with that.
#[must_use]
pub fn may_sign_in(security: &Security) -> bool {
    security.status == AccountStatus::Active && security.is_email_verified && security.password_hash.is_some()
}
