//! Mails and pages as templates: compiled in, overridden by a folder, overridden per user type within it.
//!
//! Undefined variables are errors, and everything in an `.html` template is escaped. A mail is three templates of one
//! name: `.subject.txt`, `.txt`, `.html`.
//!
//! A folder is read whole at once and replaced whole: what is changed in it counts from then on, and not before.

mod folder;

use std::{
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

use self::folder::Folder;
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
    "mail_sign_in.html",
    "mail_sign_in.subject.txt",
    "mail_sign_in.txt",
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
    "pages/sign_in_code.html",
    "pages/sign_in_link.html",
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

/// The loaded templates. Cheap to clone: all clones see a replacement.
#[derive(Clone, Debug)]
pub struct Templates(Arc<RwLock<Arc<Environment<'static>>>>);

impl Templates {
    /// With those of `folder` winning over the compiled-in ones.
    #[must_use]
    pub fn new(folder: Option<&Path>) -> Self {
        let folder = folder.map(Folder::read).unwrap_or_default();
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_loader(move |name| load(&folder, name));
        Self(Arc::new(RwLock::new(Arc::new(environment))))
    }

    /// Compiles each that may be asked for; the names of those that can't be.
    #[must_use]
    pub fn broken<'u>(&self, user_types: impl IntoIterator<Item = &'u UserType>) -> Vec<String> {
        let environment = self.current();
        let is_broken = |name: &String| {
            let compiled = environment.get_template(name);
            compiled.is_err_and(|error| error.kind() != ErrorKind::TemplateNotFound)
        };
        let shared = COMPILED_IN.iter().map(|(name, _)| (*name).to_owned());
        let own = user_types.into_iter().flat_map(|user_type| {
            let names = COMPILED_IN.iter();
            names.map(move |(name, _)| format!("{user_type}/{name}"))
        });
        shared.chain(own).filter(is_broken).collect()
    }

    /// Serves those of `other` from now on.
    pub fn replace(&self, other: &Self) {
        let other = other.current();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = other;
    }

    fn current(&self) -> Arc<Environment<'static>> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Renders `name`, in the user type's own version where it has one.
    pub fn render(&self, user_type: Option<&UserType>, name: &str, values: &Value) -> Result<String, TemplateError> {
        render_in(&self.current(), user_type, name, values)
    }

    /// Renders the three parts of a mail.
    pub fn render_mail(&self, user_type: &UserType, name: &str, values: &Value) -> Result<MailText, TemplateError> {
        // Of one folder, also where it is replaced meanwhile.
        let current = self.current();
        let part = |ending: &str| render_in(&current, Some(user_type), &format!("{name}.{ending}"), values);
        Ok(MailText {
            subject: part("subject.txt")?.trim().to_owned(),
            text: part("txt")?,
            html: part("html")?,
        })
    }
}

fn render_in(
    environment: &Environment<'_>,
    user_type: Option<&UserType>,
    name: &str,
    values: &Value,
) -> Result<String, TemplateError> {
    let failed = |error: &Error| TemplateError {
        name: name.to_owned(),
        kind: error.kind(),
    };
    let own = user_type.map(|user_type| environment.get_template(&format!("{user_type}/{name}")));
    let template = match own {
        Some(Ok(template)) => template,
        Some(Err(error)) if error.kind() != ErrorKind::TemplateNotFound => return Err(failed(&error)),
        _ => environment.get_template(name).map_err(|error| failed(&error))?,
    };
    template.render(values).map_err(|error| failed(&error))
}

fn load(folder: &Folder, name: &str) -> Result<Option<String>, Error> {
    match folder.text(name) {
        Some(Ok(text)) => return Ok(Some(text.to_owned())),
        Some(Err(kind)) => return Err(Error::new(ErrorKind::InvalidOperation, kind.to_string())),
        None => {}
    }
    Ok(COMPILED_IN
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| (*text).to_owned()))
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

    /// Of a sign-in by mail: with the code, the link, or both.
    #[test]
    fn the_mail_that_signs_in_says_what_it_has() {
        let user_type: UserType = "User1".parse().expect("valid");
        let url = "https://id.example.com/User1/login/email/link?token=dXNyX";
        for (name, code, sign_in_url) in [
            ("mail_sign_in_code", "04204204", ""),
            ("mail_sign_in_link", "", url),
            ("mail_sign_in_code_and_link", "04204204", url),
        ] {
            let values = context! {
                name => "Grace",
                app_name => "Sealgate",
                user_type => "User1",
                requested_at => "2 January 2026, 03:04 UTC",
                expires_in_minutes => "10",
                code,
                sign_in_url,
                sign_in_token => "",
            };
            let mail = Templates::new(None)
                .render_mail(&user_type, "mail_sign_in", &values)
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
        let templates = Templates::new(Some(folder.path()));
        let text = |name: &str| {
            let user_type: UserType = name.parse().expect("valid");
            templates
                .render(Some(&user_type), "registration.txt", &context! { name => "Ada" })
                .expect("renders")
        };
        assert_eq!((text("User1").as_str(), text("User2").as_str()), ("old Ada", "own Ada"));
        // What is changed in the folder counts once it is read again, in every clone.
        let clone = templates.clone();
        std::fs::write(folder.path().join("registration.txt"), "new {{ name }}").expect("written");
        assert_eq!(text("User1"), "old Ada");
        let changed = Templates::new(Some(folder.path()));
        let user_types: [UserType; 1] = ["User1".parse().expect("valid")];
        assert!(changed.broken(&user_types).is_empty());
        clone.replace(&changed);
        assert_eq!((text("User1").as_str(), text("User2").as_str()), ("new Ada", "own Ada"));
    }

    #[test]
    fn a_template_that_does_not_compile_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::create_dir(folder.path().join("User1")).expect("folder");
        std::fs::write(folder.path().join("User1/registration.txt"), "{% if %}").expect("written");
        std::fs::write(folder.path().join("sms_phone_code.txt"), "{{").expect("written");
        let user_types: [UserType; 1] = ["User1".parse().expect("valid")];
        let broken = Templates::new(Some(folder.path())).broken(&user_types);
        assert_eq!(broken, ["sms_phone_code.txt", "User1/registration.txt"]);
    }
}
