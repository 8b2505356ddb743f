//! What administrators may do: one file, one use case.
//!
//! Each takes an [`Authorized`] of its own grant, which comes from one place: [`Authorized::prove`] looks at the caller's
//! record, the role in it and what the settings give that role. So a handler that lacks the proof can't call the use case; it
//! does not compile.
//!
//! Three rules hold for whatever is changed, beside the grant: nobody changes themselves here, nobody changes an account that
//! may more than they may, and nobody gives a role that may more than their own. What can't be undone needs a fresh sign-in.
//!
//! To add one: its [`Permission`](crate::domain::permission::Permission), its grant in [`grants`], a file here that takes
//! `&Authorized<TheGrant>` and notes who did it, its refusals in [`error`], its route in `http/admin_api`.

pub mod authorize;
mod change;
pub mod delete;
pub mod error;
pub mod grants;
pub mod invite;
pub mod keys;
pub mod list;
pub mod lock;
pub mod page;
pub mod read;
pub mod read_audit;
pub mod resend;
pub mod reset_factors;
pub mod revoke_sessions;
pub mod summary;
pub mod update;

pub use authorize::Authorized;
pub use error::{AdminError, Denial};
