//! The composition root: the only file that names concrete adapters.
//!
//! [`Foundation`] is what server and worker have in common: stores, keys, the service and the queue. [`Server`] puts
//! HTTP on it, and runs the jobs too unless told not to.

mod adapters;
mod keks;
mod reload;

pub(crate) use self::adapters::examine_indexes;
pub use self::adapters::open_legacy;
pub use self::keks::make_key_file;
pub use self::reload::Reloader;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::{sync::mpsc::Receiver, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    app::adapters::{Filter, Opened},
    config::{Config, sms::SmsConfig},
    crypto::{
        keyring::SharedKeyring, password_hasher::PasswordHasher, system_entropy::SystemEntropy,
        token_signer::TokenSigner,
    },
    domain::{
        clock::{Clock, SystemClock},
        entropy::Entropy,
        password_rules::PasswordRules,
    },
    jobs::{
        collector::Collector, deliver::Deliverer, hand_over, health::ProviderHealth, mailer::Mailer, queue::WorkQueue,
        schedule::every, sms::Sms, smtp::Smtp, twilio::Twilio, worker,
    },
    process::HangUps,
    service::{
        Core, UserTypeSettings,
        audit::AuditLines,
        email_filter::LookupTimes,
        keyring::{self, KeyReader},
        limit_policy::LimitPolicy,
        text_guard::TextPolicy,
        vault::Vault,
    },
    storage::{Stores, breached::BreachedFile, outbox::MessageRef, text_counts::ConversionAlarm},
    templates::Templates,
};

/// How often unwrapped keys whose time is over are wiped, beside those that are asked for.
const SWEEP: Duration = Duration::from_secs(1);

/// What a test replaces: time, randomness, and the stores.
pub struct World {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness of ids and tokens.
    pub entropy: Arc<dyn Entropy>,
    /// Stores other than the configured ones.
    pub stores: Option<Stores>,
    /// Who has the audit as lines, beside the store.
    pub audit_lines: Option<Arc<dyn AuditLines>>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            stores: None,
            audit_lines: None,
        }
    }
}

/// The stores alone, for an operator's commands: no keys, no queue.
pub struct OpenStores(Opened);

impl OpenStores {
    /// Opens them as a server or worker beside would.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        Ok(Self(Opened::open(config, None).await?))
    }

    /// The ports.
    #[must_use]
    pub fn stores(&self) -> Stores {
        self.0.stores()
    }

    /// Ends what is under way.
    pub async fn close(self) {
        self.0.close().await;
    }
}

impl std::fmt::Debug for OpenStores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpenStores")
    }
}

/// What server and worker have in common.
pub struct Foundation {
    /// The service.
    pub core: Arc<Core>,
    /// The queue.
    pub queue: Arc<dyn WorkQueue>,
    /// What is wrong with a store's settings, with its mend, though everything works.
    pub misconfiguration: Option<String>,
    /// What could be safer, with its mend.
    pub warning: Option<String>,
    /// Mails and pages.
    pub templates: Templates,
    /// How often the keys are read again.
    reread: Duration,
    /// Stolen passwords, opened and not yet read through; a worker has no use for them.
    pub breached: Option<Arc<BreachedFile>>,
    handed: Receiver<MessageRef>,
    filter: Filter,
    opened: Opened,
}

impl Foundation {
    /// Opens stores and keys. Whatever is wrong is said with its mend.
    pub async fn open(config: &Config, world: World) -> anyhow::Result<Self> {
        let opened = Opened::open(config, world.stores).await?;
        let (stores, shared) = (opened.stores(), opened.shared());
        let keks = keks::open(config, &stores, &world.clock).await?;
        let (user_types_in_order, tokens) = (&config.user_types.order, &config.tokens);
        let ring = keyring::establish(&stores, &keks, user_types_in_order, tokens.algorithm, &*world.clock).await?;
        let filter = opened.filter(config, &ring, Arc::clone(&world.entropy))?;
        let ring = SharedKeyring::new(ring);
        let passwords = &config.passwords;
        let breached = open_breached(config)?;
        let hasher = PasswordHasher::new(ring.clone(), passwords.cost, passwords.pool, passwords.queue);
        let public_url = config.http.public_url.as_str();
        let signer = TokenSigner::new(ring.clone(), tokens.method.clone(), tokens.also.clone(), public_url);
        let (channel, handed) = hand_over::bounded();
        let core = Arc::new(Core {
            vault: Vault::new(Arc::clone(&keks), Arc::clone(&stores.deks), ring.clone())
                .remembering(keks::dek_cache(config)),
            keys: KeyReader::new(keks),
            signer,
            keyring: ring,
            hasher,
            clock: world.clock,
            entropy: world.entropy,
            hand_over: Arc::new(channel),
            policy: LimitPolicy::new(config.http.quotas, config.http.rate_limits),
            limits: Some(shared.limits),
            throttle: Some(shared.throttle),
            idempotency: shared.idempotency,
            texts: text_policy(config),
            leases: shared.leases,
            revocations: shared.revocations,
            filter: Arc::clone(&filter.port),
            look_ups: LookupTimes::default(),
            shared: shared.probe,
            audit_lines: world.audit_lines,
            erasures: adapters::erasures(config)?,
            user_types: user_types(config, breached.as_ref()),
            stores,
        });
        let queue = opened.queue(config).await?;
        let misconfiguration = opened.misconfiguration().await?;
        let warning = opened.warning().await?;
        let waiting = keyring::waits_for_rotation(&core.signer, &tokens.method, tokens.algorithm);
        for problem in misconfiguration.iter().chain(&warning).chain(&waiting) {
            tracing::warn!("{problem}");
        }
        if let Some(erasures) = &core.erasures
            && let Err(error) = erasures.probe().await
        {
            tracing::warn!(%error, "until the erasure journal can be written nobody is erased");
        }
        Ok(Self {
            core,
            queue,
            misconfiguration,
            warning,
            templates: Templates::new(config.mail.templates_dir.as_deref()),
            reread: tokens.reread,
            handed,
            filter,
            breached,
            opened,
        })
    }

    /// Ends what is under way and closes the stores.
    pub async fn close(self) {
        self.opened.close().await;
    }

    /// What delivers messages, from the configuration.
    pub fn deliverer(&self, config: &Config) -> anyhow::Result<Arc<Deliverer>> {
        Ok(Arc::new(Deliverer {
            core: Arc::clone(&self.core),
            mailer: match &config.mail.smtp {
                Some(smtp) => Mailer::smtp(&config.mail.from, Smtp::new(smtp, config.http.public_url.host_str())?)?,
                None => Mailer::directory(&config.mail.from, config.mail.directory.clone())?,
            },
            sms: match &config.sms {
                SmsConfig::Directory => Sms::Directory(config.mail.directory.clone()),
                SmsConfig::Twilio(twilio) => {
                    let callback = twilio.status_callback(&config.http.public_url);
                    Sms::Twilio(Box::new(Twilio::new(twilio, callback)?))
                }
                SmsConfig::Off => Sms::Off,
            },
            templates: self.templates.clone(),
            public_url: config.http.public_url.as_str().to_owned(),
            app_name: config.http.app_name.clone(),
            mail_health: ProviderHealth::default(),
            sms_health: ProviderHealth::default(),
            collector: config.audit.collector.as_ref().map(Collector::new).transpose()?,
        }))
    }

    /// What of this process can be replaced while it runs.
    fn reloader(&self, config: &Config) -> Reloader {
        Reloader {
            core: Arc::clone(&self.core),
            templates: self.templates.clone(),
            user_types: config.user_types.order.clone(),
            marks: config.marks.clone(),
            speaks_tls: None,
            #[cfg(feature = "http")]
            edge: None,
        }
    }

    /// Starts what every process does beside its work: keys read again, messages handed over.
    fn background(self, tasks: &mut JoinSet<()>, stop: &CancellationToken) -> Opened {
        let core = Arc::clone(&self.core);
        tasks.spawn(every(self.reread, stop.clone(), move || {
            let core = Arc::clone(&core);
            async move {
                if let Err(error) = core.keys.reread(&core).await {
                    tracing::warn!(%error, "the keys could not be read again; the known ones serve on");
                }
            }
        }));
        if let Some(cache) = self.core.vault.cache().cloned() {
            tasks.spawn(every(SWEEP, stop.clone(), move || {
                cache.sweep(tokio::time::Instant::now());
                std::future::ready(())
            }));
        }
        tasks.spawn(self.filter.follow(stop.clone()));
        tasks.spawn(hand_over::run(self.core, self.queue, self.handed, stop.clone()));
        self.opened
    }

    /// Counts the servers that live: while Redis is away, each takes its share of every limit.
    #[cfg(feature = "http")]
    fn count_servers(&self, tasks: &mut JoinSet<()>, stop: &CancellationToken) {
        const PERIOD: Duration = Duration::from_secs(10);
        let Opened::Production(opened) = &self.opened else {
            return;
        };
        let (redis, servers) = (opened.redis.clone(), Arc::clone(&opened.servers));
        let core = &self.core;
        let id = crate::domain::ids::WorkerId::make(core.clock.now(), &*core.entropy);
        tasks.spawn(every(PERIOD, stop.clone(), move || {
            let (redis, servers, id) = (redis.clone(), Arc::clone(&servers), id.clone());
            async move {
                match redis.count_servers(id.as_str()).await {
                    Ok(count) => servers.store(count, std::sync::atomic::Ordering::Relaxed),
                    Err(error) => tracing::debug!(%error, "the servers could not be counted"),
                }
            }
        }));
    }
}

/// Runs jobs until `stop`: the separate worker process. At each of `hang_ups` it reads its settings again.
pub async fn run_worker(
    config: &Config,
    world: World,
    stop: CancellationToken,
    hang_ups: Option<HangUps>,
) -> anyhow::Result<()> {
    let foundation = Foundation::open(config, world).await?;
    let (deliverer, queue) = (foundation.deliverer(config)?, Arc::clone(&foundation.queue));
    let mut tasks = JoinSet::new();
    if let Some(hang_ups) = hang_ups {
        let (followed, stop) = (foundation.reloader(config).follow(hang_ups), stop.clone());
        tasks.spawn(async move {
            if stop.run_until_cancelled(followed).await.is_some() {
                stop.cancel();
            }
        });
    }
    let opened = foundation.background(&mut tasks, &stop);
    let worked = worker::run(deliverer, queue, config.worker, stop.clone()).await;
    stop.cancel();
    tasks.join_all().await;
    opened.close().await;
    worked
}

#[cfg(feature = "http")]
pub use server::Server;

#[cfg(feature = "http")]
mod server;

/// One server per folder of the embedded store: two would each count their own attempts. In production nothing lies there.
#[cfg(feature = "http")]
fn lock(config: &Config) -> anyhow::Result<Option<std::fs::File>> {
    if config.stores.production.is_some() {
        return Ok(None);
    }
    make_private_folder(config.stores.data_dir.clone()).context("DATA_DIR can't be made")?;
    let path = config.stores.data_dir.join("server.lock");
    let file = std::fs::File::create(&path).context("DATA_DIR can't be written")?;
    file.try_lock().map_err(|_| {
        anyhow::anyhow!("another server runs on this DATA_DIR; stop it, or set DATA_DIR to another folder")
    })?;
    Ok(Some(file))
}

/// Opens the filter of breached passwords, where one is configured.
pub(crate) fn open_breached(config: &Config) -> anyhow::Result<Option<Arc<BreachedFile>>> {
    let Some(path) = &config.passwords.breached_file else {
        return Ok(None);
    };
    let opened = BreachedFile::open(path).context("BREACHED_PASSWORDS_FILE")?;
    Ok(Some(Arc::new(opened)))
}

/// Reads all of it.
pub(crate) async fn verify_breached(file: Arc<BreachedFile>) -> anyhow::Result<()> {
    let verified = tokio::task::spawn_blocking(move || file.verify()).await?;
    verified.context("BREACHED_PASSWORDS_FILE")
}

fn user_types(
    config: &Config,
    breached: Option<&Arc<BreachedFile>>,
) -> std::collections::BTreeMap<crate::domain::user_type::UserType, UserTypeSettings> {
    let settings = config.user_types.settings.iter();
    settings
        .map(|(user_type, settings)| {
            let settings = UserTypeSettings {
                password_rules: PasswordRules {
                    policy: settings.password_policy.clone(),
                    breached: breached.map(|file| Arc::clone(file) as Arc<_>),
                },
                sessions: settings.sessions,
                second_factor: settings.second_factor,
                email_sign_in: settings.email_sign_in,
                allows_text_factor: settings.allows_text_factor,
                daily_texts: settings.daily_texts,
                is_texting_off: matches!(config.sms, SmsConfig::Off),
                attributes: settings.attributes.clone(),
                roles: settings.roles.clone(),
            };
            (user_type.clone(), settings)
        })
        .collect()
}

fn text_policy(config: &Config) -> TextPolicy {
    TextPolicy {
        countries: config.texts.countries.clone(),
        daily_cap: Some(config.texts.daily_cap),
        alarm: ConversionAlarm {
            volume: config.texts.volume,
            percent: config.texts.percent,
        },
    }
}

fn make_private_folder(folder: PathBuf) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
