//! Asks, for any address, for a link that sets a new password.
//!
//! A mailbox gets so many in an hour, whoever asks. What is past it is answered and stored as ever, and mailed to nobody: who
//! asks learns neither whether there is an account nor whether others asked. Its owner, held up by strangers, has the last
//! link in the mailbox: with 3 an hour it is 20 minutes old at most and good for 30, and what is dropped voids nothing.

use crate::{
    domain::{email::Email, limits::Limit, message::MessageKind, user_type::UserType},
    service::{core::Core, failure::Failure, limits::spend, requests::ask},
    storage::limits::Spent,
};

/// Stores the request. The worker finds out whether there is an account to write to.
pub async fn forget_password(core: &Core, user_type: &UserType, email: &Email) -> Result<(), Failure> {
    let quota = core.quota(Limit::ResetLinks);
    let route = "/forget_password of an address";
    let spent = spend(core, user_type, route, email.index_form(), quota).await?;
    let is_dropped = matches!(spent, Spent::Refused { .. });
    ask(core, user_type, email, MessageKind::ForgottenPassword, is_dropped).await?;
    Ok(())
}
