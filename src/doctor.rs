//! `sealgate doctor`: looks at everything the service will need and says what is wrong and how to mend it. Changes
//! nothing but what opening a store changes.

use std::{fmt, path::Path, time::Duration};

use crate::{
    app::{Foundation, World, examine_indexes, open_breached, verify_breached},
    config::{Config, sms::SmsConfig},
    domain::user_type::UserType,
    service::{key_ages::key_ages, keyring::waits_for_rotation},
    templates::Templates,
};
#[cfg(feature = "http")]
use crate::{
    domain::clock::{Clock as _, SystemClock},
    http::tls::Certificate,
};

/// One thing that was looked at.
#[derive(Debug)]
pub struct Finding {
    what: &'static str,
    problem: Option<String>,
    is_warning: bool,
    /// What is to be known of it, though it is well.
    note: Option<String>,
}

impl Finding {
    fn new(what: &'static str, problem: Option<String>) -> Self {
        Self {
            what,
            problem,
            is_warning: false,
            note: None,
        }
    }

    #[cfg(feature = "http")]
    fn noted(what: &'static str, note: String) -> Self {
        Self {
            note: Some(note),
            ..Self::new(what, None)
        }
    }

    fn warning(what: &'static str, problem: String) -> Self {
        Self {
            what,
            problem: Some(problem),
            is_warning: true,
            note: None,
        }
    }

    /// Whether there is nothing that has to be mended.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.is_warning || self.problem.is_none()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            None => match &self.note {
                None => write!(f, "ok  {}", self.what),
                Some(note) => write!(f, "ok  {}: {note}", self.what),
            },
            Some(problem) if self.is_warning => write!(f, "!   {}: {problem}", self.what),
            Some(problem) => write!(f, "!!  {}: {problem}", self.what),
        }
    }
}

/// Examines a configuration that was read without a mistake.
pub async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::new("configuration", None)];
    // Before the store is opened, which makes what is missing.
    // One that can't be asked is told of below, with the stores.
    let indexes = examine_indexes(config).await.unwrap_or_default();
    findings.extend(indexes.into_iter().map(|problem| Finding::warning("indexes", problem)));
    #[cfg(feature = "http")]
    findings.extend(examine_tls(config));
    findings.extend(examine_breached(config).await);
    let opened = Foundation::open(config, World::default()).await;
    let stores = match &opened {
        Ok(foundation) => foundation
            .core
            .stores
            .probe
            .probe()
            .await
            .map_err(|error| format!("{error}")),
        Err(error) => Err(format!("{error:#}")),
    };
    findings.push(Finding::new("stores and keys", stores.err()));
    if let Ok(foundation) = &opened {
        if let Some(problem) = &foundation.misconfiguration {
            findings.push(Finding::new("settings of the stores", Some(problem.clone())));
        }
        let warning = foundation.warning.clone();
        findings.extend(warning.map(|problem| Finding::warning("database", problem)));
        let (signer, tokens) = (&foundation.core.signer, &config.tokens);
        let waits = waits_for_rotation(signer, &tokens.method, tokens.algorithm);
        findings.extend(waits.map(|problem| Finding::warning("keys of tokens", problem)));
        let wraps = foundation.core.vault.probe().await;
        findings.push(Finding::new("key provider", wraps.err().map(|error| error.to_string())));
        findings.push(examine_erasures(foundation).await);
        findings.extend(examine_ages(config, foundation).await);
        findings.extend(examine_providers(config, foundation).await);
    }
    if config.mail.smtp.is_none() || matches!(config.sms, SmsConfig::Directory) {
        findings.push(Finding::new("outbox directory", unwritable(&config.mail.directory)));
    }
    let templates = Templates::new(config.mail.templates_dir.as_deref());
    let broken = unrenderable(&templates, &config.user_types.order);
    findings.push(Finding::new("templates", broken));
    findings
}

/// The certificate that the server speaks TLS with, where it does.
#[cfg(feature = "http")]
fn examine_tls(config: &Config) -> Vec<Finding> {
    const WHAT: &str = "TLS certificate";
    let Some(tls) = &config.http.tls else {
        return Vec::new();
    };
    let certificate = match Certificate::load(tls) {
        Ok(certificate) => certificate,
        Err(problem) => return vec![Finding::new(WHAT, Some(problem.to_string()))],
    };
    let now = SystemClock.now();
    let warnings = certificate.warnings(now, config.http.public_url.host_str());
    let mut findings: Vec<_> = warnings
        .into_iter()
        .map(|problem| Finding::warning(WHAT, problem))
        .collect();
    let days = certificate.days_left(now);
    if days >= 0 {
        findings.push(Finding::noted(
            WHAT,
            format!("{days} day(s) left, until {}", certificate.ends()),
        ));
    }
    findings
}

/// Reads all of the filter of breached passwords, where one is configured.
async fn examine_breached(config: &Config) -> Option<Finding> {
    let read = match open_breached(config) {
        Ok(None) => return None,
        Ok(Some(file)) => verify_breached(file).await,
        Err(error) => Err(error),
    };
    let problem = read.err().map(|error| format!("{error:#}"));
    Some(Finding::new("breached passwords", problem))
}

/// Whether the next erasure could be written down.
async fn examine_erasures(foundation: &Foundation) -> Finding {
    const WHAT: &str = "erasure journal";
    let Some(erasures) = &foundation.core.erasures else {
        let says = "ERASURE_JOURNAL is off: a restore of both databases brings deleted people back";
        return Finding::warning(WHAT, says.to_owned());
    };
    let problem = erasures.probe().await.err();
    let mend = |error| format!("{error}; until it can be, nobody is erased: check its folder and permissions");
    Finding::new(WHAT, problem.map(mend))
}

/// Keys that are older than their period.
async fn examine_ages(config: &Config, foundation: &Foundation) -> Vec<Finding> {
    let period = config.worker.key_period;
    let Ok(ages) = key_ages(&foundation.core, period).await else {
        // That the stores can't be read is told above.
        return Vec::new();
    };
    let days = |duration: Duration| duration.as_secs() / 86_400;
    let overdue = ages.iter().filter(|key| key.is_overdue);
    overdue
        .map(|key| {
            let says = format!(
                "{} is {} days old, past the {} of KEY_PERIOD_DAYS: `sealgate keys rotate --use {}`",
                key.key_use,
                days(key.age),
                days(period),
                key.rotated_as()
            );
            Finding::warning("ages of keys", says)
        })
        .collect()
}

/// Speaks to the providers as a delivery would, sending nothing.
async fn examine_providers(config: &Config, foundation: &Foundation) -> Vec<Finding> {
    let deliverer = match foundation.deliverer(config) {
        Ok(deliverer) => deliverer,
        Err(error) => {
            return vec![Finding::new("providers", Some(format!("{error:#}")))];
        }
    };
    vec![
        Finding::new("mail provider", deliverer.mailer.probe().await.err().map(str::to_owned)),
        Finding::new("SMS provider", deliverer.sms.probe().await.err().map(str::to_owned)),
    ]
}

fn unwritable(folder: &Path) -> Option<String> {
    let written = std::fs::create_dir_all(folder).and_then(|()| {
        let probe = folder.join(".doctor");
        std::fs::write(&probe, b"")?;
        std::fs::remove_file(probe)
    });
    written.err().map(|error| {
        format!(
            "can't be written ({}); check MAIL_DIRECTORY and its permissions",
            error.kind()
        )
    })
}

/// Renders every mail with stand-in values: an operator's own template may name a variable that does not exist.
pub(crate) fn unrenderable(templates: &Templates, user_types: &[UserType]) -> Option<String> {
    let mut broken = templates.broken(user_types);
    // Where one does not even compile, its mail would only be named twice.
    if broken.is_empty() {
        let mails = user_types
            .iter()
            .flat_map(|user_type| broken_mails(templates, user_type));
        broken.extend(mails);
    }
    (!broken.is_empty()).then(|| format!("{}; mend them in TEMPLATES_DIR", broken.join(", ")))
}

fn broken_mails(templates: &Templates, user_type: &UserType) -> Vec<String> {
    let values = minijinja::context! {
        name => "Ada",
        app_name => "Sealgate",
        user_type => user_type.as_str(),
        verification_url => "https://id.example.com/User1/verify?token=x",
        reset_url => "https://id.example.com/User1/reset_password_form?token=x",
        requested_at => "2026-01-31 09:05 UTC",
        changed_at => "2026-01-31 09:05 UTC",
        expires_in_hours => "24",
        expires_in_minutes => "30",
    };
    [
        "mail_email_verify",
        "mail_already_registered",
        "mail_address_change",
        "mail_address_changed",
        "mail_password_reset",
        "mail_password_changed",
        "registration",
    ]
    .into_iter()
    .filter_map(|name| templates.render_mail(user_type, name, &values).err())
    .map(|error| error.to_string())
    .collect()
}
