//! Asks, for any address, that the confirmation be sent again.

use crate::{
    domain::{email::Email, message::MessageKind, user_type::UserType},
    service::{core::Core, failure::Failure, requests::ask},
};

/// Stores the request. The worker finds out whether there is a registration to write to.
pub async fn resend_confirmation(core: &Core, user_type: &UserType, email: &Email) -> Result<(), Failure> {
    ask(core, user_type, email, MessageKind::ResendConfirmation, false).await?;
    Ok(())
}
