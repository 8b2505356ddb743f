//! With what a service is started.

use std::{path::Path, sync::Arc, time::Duration};

use sealgate::{
    app::{Server, World},
    config::{Config, Source, environment::Environment, sms::SmsConfig, worker::WorkerConfig},
    crypto::{password_hasher::HashCost, system_entropy::SystemEntropy},
    domain::clock::{ManualClock, Timestamp},
    http::server::Limits,
    service::audit::AuditLines,
    storage::Stores,
};
use tempfile::TempDir;

use super::{StoreSet, TestApp, logs};

/// When every test begins.
const BEGIN: Timestamp = Timestamp::from_millis(1_764_000_000_123);

/// Who has the audit's lines.
#[derive(Clone)]
pub(crate) struct AuditTaker(pub(crate) Arc<dyn AuditLines>);

impl std::fmt::Debug for AuditTaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditTaker")
    }
}

/// What a service is started with.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// Configuration beside the folder and the port.
    pub(crate) pairs: Vec<(String, String)>,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<ManualClock>,
    /// Of a password hash; cheap unless a test is about it.
    pub(crate) cost: HashCost,
    /// Stores other than its own, as another process or a broken disk makes them.
    pub(crate) given_stores: Option<Stores>,
    pub(crate) stores: StoreSet,
    /// With providers of mails and texts.
    pub(crate) patience: Duration,
    /// With the audit's collector.
    pub(crate) collector_patience: Duration,
    /// Who has the audit's lines.
    pub(crate) audit_lines: Option<AuditTaker>,
    /// How often the keys are read again.
    pub(crate) reread: Duration,
    /// How often jobs are done, beside what every test shortens.
    pub(crate) worker: fn(&mut WorkerConfig),
    /// Kept for as long as anybody has it.
    pub(crate) folder: Arc<TempDir>,
}

impl Setup {
    /// The defaults, on an empty folder and `stores`.
    pub(crate) fn new(stores: &StoreSet) -> Self {
        Self {
            pairs: Vec::new(),
            limits: Limits::default(),
            clock: Arc::new(ManualClock::new(BEGIN)),
            cost: HashCost {
                memory_kib: 64,
                passes: 1,
                lanes: 1,
            },
            given_stores: None,
            stores: stores.clone(),
            patience: Duration::from_secs(10),
            collector_patience: Duration::from_secs(10),
            audit_lines: None,
            reread: Duration::from_secs(30),
            worker: |_| (),
            folder: Arc::new(tempfile::tempdir().expect("a folder")),
        }
    }

    /// With one variable of the configuration set.
    pub(crate) fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.pairs.push((name.to_owned(), value.into()));
        self
    }

    /// The service's folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration, as it is read.
    pub(crate) fn config(&self) -> Config {
        // Building the document takes half of a start; who is about it turns it on.
        let own = [
            ("HTTP_ADDR", "127.0.0.1:0"),
            ("RATE_LIMITS", "off"),
            ("DATA_DIR", &self.folder().to_string_lossy()),
            ("DOCS", "off"),
            // More than the default: machines that run tests are busy, with other tests.
            ("MONGO_OPERATION_TIMEOUT_MS", "5000"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let source = Source::from_pairs(own.into_iter().chain(self.stores.settings()).chain(self.pairs.clone()));
        let mut config = Config::load(&source).unwrap_or_else(|problems| panic!("{problems:?}"));
        config.passwords.cost = self.cost;
        if let Some(smtp) = &mut config.mail.smtp {
            smtp.patience = self.patience;
        }
        if let SmsConfig::Twilio(twilio) = &mut config.sms {
            twilio.patience = self.patience;
        }
        if let Some(collector) = &mut config.audit.collector {
            collector.patience = self.collector_patience;
            collector.back_off = Duration::from_millis(20);
        }
        config.tokens.reread = self.reread;
        config.worker.relay_period = Duration::from_millis(100);
        config.worker.poll_period = Duration::from_millis(40);
        config.worker.heartbeat_period = Duration::from_millis(200);
        config.worker.filter_period = Duration::from_millis(200);
        config.worker.keys_period = Duration::from_millis(200);
        if let Some(production) = &mut config.stores.production {
            production.redis.filter.freshness = Duration::from_millis(60);
        }
        (self.worker)(&mut config.worker);
        config
    }

    /// Tries to start.
    pub(crate) async fn start(&self) -> anyhow::Result<TestApp> {
        logs::collect();
        let config = self.config();
        if config.environment != Environment::Development && !config.stores.kek_file.exists() {
            sealgate::app::make_key_file(&config)?;
        }
        let (outbox, kek_file) = (config.mail.directory.clone(), config.stores.kek_file.clone());
        let user_types = config.user_types.order.clone();
        let world = World {
            clock: Arc::clone(&self.clock) as Arc<_>,
            entropy: Arc::new(SystemEntropy),
            stores: self.given_stores.clone(),
            audit_lines: self.audit_lines.clone().map(|taker| taker.0),
        };
        let server = Server::start(config, world, self.limits).await?;
        Ok(TestApp::new(self.clone(), server, outbox, kek_file, user_types))
    }

    /// Starts.
    pub(crate) async fn spawn(&self) -> TestApp {
        self.start()
            .await
            .unwrap_or_else(|error| panic!("the service does not start: {error:#}"))
    }
}
