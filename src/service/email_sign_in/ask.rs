//! Asks, for any address, for a mail to sign in with.

use crate::{
    crypto::email_sign_in::Challenge,
    domain::{email::Email, limits::Limit, message::MessageKind, private::Private, user_type::UserType},
    service::{core::Core, failure::Failure, limits::spend, requests::ask},
    storage::limits::Spent,
};

/// Stores the request and answers the challenge. A mailbox gets so many mails in an hour, whoever asks; what is past it is
/// answered and stored as ever, mailed to nobody, and takes the place of nothing.
pub async fn ask_email_sign_in(core: &Core, user_type: &UserType, email: &Email) -> Result<Private, Failure> {
    let quota = core.quota(Limit::SignInMails);
    let route = "/login/email of an address";
    let spent = spend(core, user_type, route, email.index_form(), quota).await?;
    let is_dropped = matches!(spent, Spent::Refused { .. });
    let asked = ask(core, user_type, email, MessageKind::EmailSignInAsked, is_dropped).await?;
    Ok(Challenge::make(&asked.id, email, &asked.keys))
}
