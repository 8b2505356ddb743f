//! Who mails come from and where they go: an SMTP server, or a directory for trying out.

use std::{path::PathBuf, time::Duration};

use crate::{
    config::{environment::Environment, source::Reader, stores::StoresConfig},
    domain::{email::Email, private::Private},
};

/// Settings of mails.
#[derive(Debug)]
pub struct MailConfig {
    /// The sender: an address, or a name and an address in angle brackets.
    pub from: String,
    /// Where mails are written as `.eml` files, and texts as `.sms` files, unless a provider takes them.
    pub directory: PathBuf,
    /// The server that takes mails; none writes them into the directory.
    pub smtp: Option<SmtpConfig>,
    /// Templates that win over the compiled-in ones.
    pub templates_dir: Option<PathBuf>,
}

/// How the connection to the server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// Plain first, then the STARTTLS command; a server without it gets no mail (RFC 3207).
    StartTls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// In the clear. Only towards this machine.
    Plain,
}

/// Settings of the SMTP server.
#[derive(Debug)]
pub struct SmtpConfig {
    /// Its name, also in its certificate.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: SmtpSecurity,
    /// User name and password, if it wants any.
    pub credentials: Option<(String, Private)>,
    /// Whether its certificate must be valid and of its name.
    pub validates_certificates: bool,
    /// A certificate authority beside those of the system, as PEM.
    pub authority: Option<Vec<u8>>,
    /// How long one mail may take, connecting included. Shorter than a message's lease.
    pub patience: Duration,
}

impl MailConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>, stores: &StoresConfig, environment: Environment) -> Self {
        let smtp = SmtpConfig::read(reader, environment);
        if smtp.is_none() && environment == Environment::Production {
            let says = "must be set in production, which takes no directory mailer";
            reader.report("MAIL_SERVER", says, "Name the SMTP server that takes the mails");
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
            from: sender(reader, smtp.is_some()),
            directory: reader
                .text("MAIL_DIRECTORY")
                .map_or_else(|| stores.data_dir.join("outbox"), PathBuf::from),
            smtp,
            templates_dir,
        }
    }
}

/// `MAIL_FROM`, with the old services' `MAIL_FROM_NAME` before it.
fn sender(reader: &mut Reader<'_>, is_sent: bool) -> String {
    let from = reader.text("MAIL_FROM").map(str::trim);
    if from.is_none() && is_sent {
        let mend = "Write, for example, `Sealgate <no-reply@example.com>`";
        reader.report("MAIL_FROM", "must be set beside MAIL_SERVER", mend);
    }
    if from.is_some_and(|from| !is_sender(from)) {
        let mend = "Write, for example, `Sealgate <no-reply@example.com>`";
        reader.report("MAIL_FROM", "is not a mail address", mend);
    }
    let from = from.unwrap_or("Sealgate <no-reply@localhost>");
    match reader.text("MAIL_FROM_NAME").map(str::trim) {
        Some(name) if !from.contains('<') => format!("\"{}\" <{from}>", name.replace(['"', '\\'], "")),
        _ => from.to_owned(),
    }
}

/// An address, or one in angle brackets; one of this machine too, for trying out.
fn is_sender(from: &str) -> bool {
    let address = match from.split_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').unwrap_or_default(),
        None => from,
    };
    Email::parse(address).is_ok()
        || address
            .strip_suffix("@localhost")
            .is_some_and(|local| !local.is_empty())
}

impl SmtpConfig {
    fn read(reader: &mut Reader<'_>, environment: Environment) -> Option<Self> {
        let host = reader.text("MAIL_SERVER").map(|host| host.trim().to_owned());
        let security = security(reader);
        let default_port = match security {
            SmtpSecurity::StartTls => 587,
            SmtpSecurity::Tls => 465,
            SmtpSecurity::Plain => 25,
        };
        let port = reader.parse(
            "MAIL_PORT",
            default_port,
            "Write a port, for example `587` (STARTTLS) or `465` (TLS)",
        );
        let credentials = credentials(reader);
        let validates_certificates = reader.switch("VALIDATE_CERTS", true);
        if !validates_certificates && environment == Environment::Production {
            let says = "is off, which production does not take";
            let mend = "Unset it; a private authority's certificate goes into MAIL_CA_FILE";
            reader.report("VALIDATE_CERTS", says, mend);
        }
        let authority = reader
            .text("MAIL_CA_FILE")
            .and_then(|path| match std::fs::read(path.trim()) {
                Ok(pem) => Some(pem),
                Err(error) => {
                    let says = format!("names a file that can't be read ({})", error.kind());
                    reader.report("MAIL_CA_FILE", says, "Name a PEM file with the authority's certificate");
                    None
                }
            });
        let host = host?;
        if security == SmtpSecurity::Plain && !is_this_machine(&host) {
            let (says, mend) = (
                "and MAIL_SSL_TLS are both off, and MAIL_SERVER is another machine: mails would travel in the clear",
                "Set one of them",
            );
            if environment == Environment::Production {
                reader.report("MAIL_STARTTLS", says, mend);
            } else if credentials.is_some() {
                reader.report("MAIL_STARTTLS", says, "Set one of them, or USE_CREDENTIALS=off");
            }
        }
        Some(Self {
            host,
            port,
            security,
            credentials,
            validates_certificates,
            authority,
            patience: Duration::from_secs(20),
        })
    }
}

/// Both old spellings: `MAIL_STARTTLS` and `MAIL_SSL_TLS`, before that `MAIL_TLS` and `MAIL_SSL`.
fn security(reader: &mut Reader<'_>) -> SmtpSecurity {
    let mut said = |name, older| {
        let name = if reader.text(name).is_none() { older } else { name };
        reader.text(name).is_some().then(|| reader.switch(name, false))
    };
    match (said("MAIL_STARTTLS", "MAIL_TLS"), said("MAIL_SSL_TLS", "MAIL_SSL")) {
        (Some(true), Some(true)) => {
            let mend = "Set MAIL_STARTTLS for port 587, or MAIL_SSL_TLS for port 465";
            reader.report("MAIL_SSL_TLS", "is on together with MAIL_STARTTLS", mend);
            SmtpSecurity::Tls
        }
        (_, Some(true)) => SmtpSecurity::Tls,
        (Some(false), _) => SmtpSecurity::Plain,
        (Some(true) | None, _) => SmtpSecurity::StartTls,
    }
}

fn credentials(reader: &mut Reader<'_>) -> Option<(String, Private)> {
    let (user, password) = (
        reader.text("MAIL_USERNAME").map(str::to_owned),
        reader.secret("MAIL_PASSWORD"),
    );
    let uses = reader.switch("USE_CREDENTIALS", user.is_some());
    match (user, password) {
        _ if !uses => None,
        (Some(user), Some(password)) => Some((user, password)),
        (user, _) => {
            let name = if user.is_some() {
                "MAIL_PASSWORD"
            } else {
                "MAIL_USERNAME"
            };
            let says = "is missing, and the SMTP server is to be given credentials";
            reader.report(name, says, "Set it, or USE_CREDENTIALS=off");
            None
        }
    }
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
