//! Settings that a running process takes up: on SIGHUP it reads what it read at its start, and either all of it counts from
//! then on or nothing does.
//!
//! To have another setting taken up: its name in [`is_taken_up`], a handle that all who use it share, and its line in
//! `Reloader::apply`. Nothing there may fail: what can is looked at before.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use minijinja::context;

#[cfg(feature = "http")]
use crate::{
    config::tls::TlsConfig,
    http::{
        client_address::ExemptClients,
        tls::{Certificate, Tls},
    },
};
use crate::{
    config::{Config, Source, marks::Marks},
    doctor,
    domain::{
        audit::{AuditEvent, Details, Outcome},
        user_type::UserType,
    },
    logs,
    process::HangUps,
    service::Core,
    templates::Templates,
};

/// What of a running process can be replaced.
pub struct Reloader {
    pub(super) core: Arc<Core>,
    pub(super) templates: Templates,
    pub(super) user_types: Vec<UserType>,
    /// As they were taken up last.
    pub(super) marks: Marks,
    /// Of a server: whether it speaks TLS.
    pub(super) speaks_tls: Option<bool>,
    /// Of a server.
    #[cfg(feature = "http")]
    pub(super) edge: Option<Edge>,
}

/// What a server has beside a worker.
#[cfg(feature = "http")]
#[derive(Clone)]
pub(super) struct Edge {
    pub(super) exempt: ExemptClients,
    pub(super) tls: Option<Tls>,
}

/// Settings that were read and found to be right.
struct Fresh {
    config: Config,
    templates: Templates,
    #[cfg(feature = "http")]
    certificate: Option<Certificate>,
}

/// Whether a changed setting counts at once; any other waits for the next start.
fn is_taken_up(name: &str) -> bool {
    const OTHERS: &[&str] = &[
        "DEBUG",
        "LOG_LEVEL",
        "RATE_LIMITS",
        "TEMPLATES_DIR",
        "TLS_CERT_FILE",
        "TLS_KEY_FILE",
    ];
    OTHERS.contains(&name) || name.starts_with("LIMIT_")
}

impl Reloader {
    /// Reads the settings again at each SIGHUP. Ends when the terminal is gone that the process was started from.
    pub async fn follow(mut self, mut hang_ups: HangUps) {
        while hang_ups.next().await {
            self.reload().await;
        }
        tracing::info!("the terminal is gone that this process was started from");
    }

    async fn reload(&mut self) {
        let has_tls = self.speaks_tls == Some(true);
        let user_types = self.user_types.clone();
        let read = tokio::task::spawn_blocking(move || Fresh::read(&user_types, has_tls)).await;
        let (outcome, details) = match read {
            Ok(Ok(fresh)) => (Outcome::Success, self.apply(&fresh)),
            Ok(Err(problems)) => {
                let problems = problems.join(" ");
                tracing::error!("the settings were not read again, the old ones count on: {problems}");
                (Outcome::Refused, Details::default())
            }
            Err(_) => {
                tracing::error!("the settings were not read again, the old ones count on: reading them panicked");
                (Outcome::Refused, Details::default())
            }
        };
        let event = AuditEvent::SettingsReread;
        self.core.note_of_service(event, outcome, details).await;
    }

    /// Nothing here fails, and nothing waits.
    fn apply(&mut self, fresh: &Fresh) -> Details {
        let config = &fresh.config;
        // Whether TLS is spoken at all was settled when the port was opened.
        let is_switched = self
            .speaks_tls
            .is_some_and(|speaks| speaks != config.http.tls.is_some());
        let counts = move |name: &str| is_taken_up(name) && !(is_switched && name.starts_with("TLS_"));
        let (changed, mut waiting): (BTreeSet<&str>, BTreeSet<&str>) = self
            .marks
            .differing(&config.marks)
            .into_iter()
            .partition(|name| counts(name));
        // Pages name the digest of the style sheet that they were started with.
        let style = |templates: &Templates| templates.render(None, "pages/style.css", &context! {}).ok();
        if style(&self.templates) != style(&fresh.templates) {
            waiting.insert("TEMPLATES_DIR (pages/style.css)");
        }
        self.core.policy.replace(config.http.quotas, config.http.rate_limits);
        self.templates.replace(&fresh.templates);
        #[cfg(feature = "http")]
        if let Some(edge) = &self.edge {
            edge.exempt.replace(&config.http.limit_exempt);
            if let (Some(tls), Some(certificate)) = (&edge.tls, &fresh.certificate) {
                tls.replace(certificate);
                tell(certificate, config, self.core.clock.now());
            }
        }
        if let Err(error) = logs::set_filter(&config.logs.level) {
            tracing::warn!(%error, "LOG_LEVEL was not taken up");
        }
        let list = |names: &BTreeSet<&str>| names.iter().copied().collect::<Vec<_>>().join(", ");
        let (changed, waiting) = (list(&changed), list(&waiting));
        tracing::info!(%changed, "the settings were read again");
        if !waiting.is_empty() {
            tracing::warn!("these settings have changed, and need a restart: {waiting}");
        }
        let details = Details::of_settings(&changed, &waiting);
        // Those that wait differ still at the next time, and are named again.
        self.marks.take_up(&config.marks, counts);
        details
    }
}

impl Fresh {
    /// All that is wrong, each with its mend; no value is repeated.
    fn read(user_types: &[UserType], has_tls: bool) -> Result<Self, Vec<String>> {
        let source = Source::from_environment(Path::new(".")).map_err(|problem| vec![problem.to_string()])?;
        let config =
            Config::load(&source).map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let templates = Templates::new(config.mail.templates_dir.as_deref());
        let mut problems = Vec::new();
        problems
            .extend(doctor::unrenderable(&templates, user_types).map(|problem| format!("TEMPLATES_DIR: {problem}.")));
        #[cfg(feature = "http")]
        let certificate = match config.http.tls.as_ref().filter(|_| has_tls).map(Certificate::load) {
            Some(Err(problem)) => {
                problems.push(format!("{problem}."));
                None
            }
            read => read.and_then(Result::ok),
        };
        #[cfg(not(feature = "http"))]
        let _ = has_tls;
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            config,
            templates,
            #[cfg(feature = "http")]
            certificate,
        })
    }
}

/// Reads the certificate, where there is to be one, and says what clients will not like of it.
#[cfg(feature = "http")]
pub(super) fn open_tls(config: &Config, now: crate::domain::clock::Timestamp) -> anyhow::Result<Option<Tls>> {
    let read = |tls: &TlsConfig| -> anyhow::Result<Tls> {
        let certificate = Certificate::load(tls)?;
        tell(&certificate, config, now);
        Ok(Tls::new(&certificate))
    };
    config.http.tls.as_ref().map(read).transpose()
}

#[cfg(feature = "http")]
fn tell(certificate: &Certificate, config: &Config, now: crate::domain::clock::Timestamp) {
    #[expect(clippy::cast_precision_loss, reason = "a moment in whole seconds")]
    let ends = certificate.ends().as_secs() as f64;
    metrics::gauge!("sealgate_tls_certificate_ends_seconds").set(ends);
    for warning in certificate.warnings(now, config.http.public_url.host_str()) {
        tracing::warn!("{warning}");
    }
}
