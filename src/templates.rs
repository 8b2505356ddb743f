//! Mails and pages as templates: compiled in, overridden by a folder, overridden per user type within it.
//!
//! Undefined variables are errors, and everything in an `.html` template is escaped. A mail is three templates of one
//! name: `.subject.txt`, `.txt`, `.html`.

use std::path::{Path, PathBuf};

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

use crate::domain::user_type::UserType;

macro_rules! compiled_in {
    ($($name:literal),+ $(,)?) => { &[$(($name, include_str!(concat!("../templates/", $name)))),+] };
}

/// Every template that ships; a test compares the list with the folder.
const COMPILED_IN: &[(&str, &str)] = compiled_in![
    "mail/base.html",
    "mail/button.html",
    "mail_account_locked.html",
    "mail_account_locked.subject.txt",
    "mail_account_locked.txt",
    "mail_account_unlocked.html",
    "mail_account_unlocked.subject.txt",
    "mail_account_unlocked.txt",
    "mail_address_change.html",
    "mail_address_change.subject.txt",
    "mail_address_change.txt",
    "mail_address_changed.html",
    "mail_address_changed.subject.txt",
    "mail_address_changed.txt",
    "mail_already_registered.html",
    "mail_already_registered.subject.txt",
    "mail_already_registered.txt",
    "mail_email_verify.html",
    "mail_email_verify.subject.txt",
    "mail_email_verify.txt",
    "mail_factors_reset.html",
    "mail_factors_reset.subject.txt",
    "mail_factors_reset.txt",
    "mail_invitation.html",
    "mail_invitation.subject.txt",
    "mail_invitation.txt",
    "mail_new_device.html",
    "mail_new_device.subject.txt",
    "mail_new_device.txt",
    "mail_password_changed.html",
    "mail_password_changed.subject.txt",
    "mail_password_changed.txt",
    "mail_password_reset.html",
    "mail_password_reset.subject.txt",
    "mail_password_reset.txt",
    "mail_recovery_code_used.html",
    "mail_recovery_code_used.subject.txt",
    "mail_recovery_code_used.txt",
    "mail_recovery_codes_replaced.html",
    "mail_recovery_codes_replaced.subject.txt",
    "mail_recovery_codes_replaced.txt",
    "mail_second_factor_changed.html",
    "mail_second_factor_changed.subject.txt",
    "mail_second_factor_changed.txt",
    "mail_second_factor_off.html",
    "mail_second_factor_off.subject.txt",
    "mail_second_factor_off.txt",
    "mail_second_factor_on.html",
    "mail_second_factor_on.subject.txt",
    "mail_second_factor_on.txt",
    "mail_token_reused.html",
    "mail_token_reused.subject.txt",
    "mail_token_reused.txt",
    "pages/base.html",
    "pages/end_session.html",
    "pages/errors.html",
    "pages/forget.html",
    "pages/home.html",
    "pages/icon.svg",
    "pages/mail.html",
    "pages/message.html",
    "pages/outbox.html",
    "pages/reset.html",
    "pages/style.css",
    "pages/verify.html",
    "registration.html",
    "registration.subject.txt",
    "registration.txt",
    "sms_phone_code.txt",
    "sms_second_factor_code.txt",
];

/// A template can't be read or rendered. The text names the template and the place, never a value.
#[derive(Debug, thiserror::Error)]
#[error("template {name}: {kind}")]
pub struct TemplateError {
    name: String,
    kind: ErrorKind,
}

/// Subject, text and HTML of one mail.
#[derive(Debug)]
pub struct MailText {
    /// One line.
    pub subject: String,
    /// For clients that show no HTML.
    pub text: String,
    /// With inlined CSS.
    pub html: String,
}

/// The loaded templates.
#[derive(Debug)]
pub struct Templates(Environment<'static>);

impl Templates {
    /// With those of `folder` winning over the compiled-in ones.
    #[must_use]
    pub fn new(folder: Option<PathBuf>) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_loader(move |name| load(folder.as_deref(), name));
        Self(environment)
    }

    /// Renders `name`, in the user type's own version where it has one.
    pub fn render(&self, user_type: Option<&UserType>, name: &str, values: &Value) -> Result<String, TemplateError> {
        let failed = |error: &Error| TemplateError {
            name: name.to_owned(),
            kind: error.kind(),
        };
        let own = user_type.map(|user_type| self.0.get_template(&format!("{user_type}/{name}")));
        let template = match own {
            Some(Ok(template)) => template,
            Some(Err(error)) if error.kind() != ErrorKind::TemplateNotFound => return Err(failed(&error)),
            _ => self.0.get_template(name).map_err(|error| failed(&error))?,
        };
        template.render(values).map_err(|error| failed(&error))
    }

    /// Renders the three parts of a mail.
    pub fn render_mail(&self, user_type: &UserType, name: &str, values: &Value) -> Result<MailText, TemplateError> {
        let part = |ending: &str| self.render(Some(user_type), &format!("{name}.{ending}"), values);
        Ok(MailText {
            subject: part("subject.txt")?.trim().to_owned(),
            text: part("txt")?,
            html: part("html")?,
        })
    }
}

fn load(folder: Option<&Path>, name: &str) -> Result<Option<String>, Error> {
    if let Some(path) = folder.and_then(|folder| safe_join(folder, name)) {
        match std::fs::read_to_string(path) {
            Ok(text) => return Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::new(ErrorKind::InvalidOperation, error.kind().to_string())),
        }
    }
    Ok(COMPILED_IN
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| (*text).to_owned()))
}

/// Names come from code and from `{% include %}` lines, but an override folder is somebody's: nothing outside it.
fn safe_join(folder: &Path, name: &str) -> Option<PathBuf> {
    let is_plain = name
        .split('/')
        .all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains('\\'));
    is_plain.then(|| folder.join(name))
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;

    #[test]
    fn every_shipped_template_is_compiled_in() {
        fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).expect("templates") {
                let entry = entry.expect("entry");
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                if entry.path().is_dir() {
                    walk(&entry.path(), &format!("{name}/"), found);
                } else {
                    found.push(name);
                }
            }
        }
        let mut found = Vec::new();
        walk(
            Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/templates")),
            "",
            &mut found,
        );
        found.sort();
        assert_eq!(found, COMPILED_IN.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }

    #[test]
    fn hostile_names_are_escaped_and_never_run() {
        let user_type: UserType = "User1".parse().expect("valid");
        let name = "<script>alert(1)</script>{{ 7*7 }}O'Brien & Co";
        let mail = Templates::new(None)
            .render_mail(
                &user_type,
                "registration",
                &context! { name, app_name => "Sealgate", user_type => "User1" },
            )
            .expect("renders");
        assert!(
            !mail.html.contains("<script>") && mail.html.contains("&lt;script&gt;"),
            "{}",
            mail.html
        );
        assert!(
            mail.html.contains("{{ 7*7 }}") && mail.text.contains(name),
            "{}",
            mail.text
        );
    }

    /// Of the administration: what they say, word for word.
    #[test]
    fn mails_of_the_administration_say_what_was_done() {
        let user_type: UserType = "User1".parse().expect("valid");
        let values = context! {
            name => "Grace",
            app_name => "Sealgate",
            user_type => "User1",
            changed_at => "2 January 2026, 03:04 UTC",
            requested_at => "2 January 2026, 03:04 UTC",
            expires_in_hours => "72",
            invitation_url => "https://id.example.com/User1/reset_password_form?token=dXNyX",
        };
        for name in [
            "mail_account_locked",
            "mail_account_unlocked",
            "mail_factors_reset",
            "mail_invitation",
        ] {
            let mail = Templates::new(None)
                .render_mail(&user_type, name, &values)
                .expect("renders");
            insta::assert_snapshot!(name, format!("{}\n\n{}\n{}", mail.subject, mail.text, mail.html));
        }
    }

    #[test]
    fn a_missing_variable_is_an_error_that_names_the_template_only() {
        let user_type: UserType = "User1".parse().expect("valid");
        let error = Templates::new(None)
            .render_mail(&user_type, "registration", &context! {})
            .expect_err("strict");
        assert!(error.to_string().starts_with("template registration."), "{error}");
    }

    #[test]
    fn a_user_types_own_template_wins_over_the_folders_and_that_over_ours() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::create_dir(folder.path().join("User2")).expect("folder");
        std::fs::write(folder.path().join("registration.txt"), "old {{ name }}").expect("written");
        std::fs::write(folder.path().join("User2/registration.txt"), "own {{ name }}").expect("written");
        let templates = Templates::new(Some(folder.path().to_owned()));
        let text = |name: &str| {
            let user_type: UserType = name.parse().expect("valid");
            templates
                .render(Some(&user_type), "registration.txt", &context! { name => "Ada" })
                .expect("renders")
        };
        assert_eq!((text("User1").as_str(), text("User2").as_str()), ("old Ada", "own Ada"));
        assert!(load(Some(folder.path()), "../secret.txt").expect("no error").is_none());
    }
}
