//! Asks, for any address, for a link that sets a new password.

use crate::{
    domain::{email::Email, message::MessageKind, user_type::UserType},
    service::{core::Core, failure::Failure, requests::ask},
};

/// Stores the request. The worker finds out whether there is an account to write to.
pub async fn forget_password(core: &Core, user_type: &UserType, email: &Email) -> Result<(), Failure> {
    ask(core, user_type, email, MessageKind::ForgottenPassword).await
}
