//! Judges the text that somebody chose as the password of an account. With [`Password::parse_new`], which registering
//! calls before there is an account, the only way to a new password.

use zeroize::Zeroizing;

use crate::{
    domain::{
        account::NewPerson,
        password::Password,
        password_rules::{PasswordRules, RefusedPassword},
        private::Private,
        user_type::UserType,
    },
    service::{core::Core, failure::Failure},
};

/// Why it is no password.
#[derive(Debug, thiserror::Error)]
pub enum ChooseError {
    /// It breaks rules.
    #[error("the password breaks {} rule(s)", .0.errors.len())]
    Refused(RefusedPassword),
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Words that say little in a password of somebody of `user_type`, beside the person's own.
#[must_use]
pub fn context_of_service(user_type: &UserType) -> [&str; 2] {
    [user_type.as_str(), "sealgate"]
}

/// Judges `text` as the password of `person`. In the hashes' queue: what tells how soon it would be guessed is slow.
pub async fn choose_password(
    core: &Core,
    user_type: &UserType,
    text: &Private,
    person: &NewPerson,
    has_second_factor: bool,
) -> Result<Password, ChooseError> {
    let rules: PasswordRules = core.settings(user_type).password_rules.for_account(has_second_factor);
    let text = Zeroizing::new(text.expose().to_owned());
    let email = person.email.expose();
    let own = [
        person.first_name.expose(),
        person.last_name.expose(),
        person.username.as_ref().map_or("", |username| username.expose()),
        email.split('@').next().unwrap_or_default(),
    ];
    let words = own.into_iter().chain(context_of_service(user_type));
    let words: Vec<Zeroizing<String>> = words.map(|word| Zeroizing::new(word.to_owned())).collect();
    let judge = move || {
        let context: Vec<&str> = words.iter().map(|word| word.as_str()).collect();
        Password::parse_new(text.as_str().to_owned(), &rules, &context)
    };
    let judged = core.hasher.beside(judge).await.map_err(Failure::from)?;
    judged.map_err(ChooseError::Refused)
}
