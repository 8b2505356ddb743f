//! Who mails come from and where they go.

use std::path::PathBuf;

use crate::config::{environment::Environment, source::Reader, stores::StoresConfig};

/// Settings of mails.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// The sender: an address, or a name and an address in angle brackets.
    pub from: String,
    /// Where mails are written as `.eml` files.
    pub directory: PathBuf,
    /// Templates that win over the compiled-in ones.
    pub templates_dir: Option<PathBuf>,
}

impl MailConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>, stores: &StoresConfig, environment: Environment) -> Self {
        if environment == Environment::Production {
            let says = "is the only delivery of this version, and production takes no directory mailer";
            reader.report(
                "MAIL_DIRECTORY",
                says,
                "Run with ENVIRONMENT=staging until SMTP delivery is there",
            );
        }
        let templates_dir = reader.text("TEMPLATES_DIR").map(PathBuf::from);
        if templates_dir.as_ref().is_some_and(|folder| !folder.is_dir()) {
            reader.report(
                "TEMPLATES_DIR",
                "is not a folder",
                "Name a folder, or unset it for the compiled-in ones",
            );
        }
        Self {
            from: reader
                .text("MAIL_FROM")
                .unwrap_or("Sealgate <no-reply@localhost>")
                .trim()
                .to_owned(),
            directory: reader
                .text("MAIL_DIRECTORY")
                .map_or_else(|| stores.data_dir.join("outbox"), PathBuf::from),
            templates_dir,
        }
    }
}
