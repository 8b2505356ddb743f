//! The composition root: the only file that names concrete adapters.
//!
//! [`Foundation`] is what server and worker have in common: stores, keys, the service and the queue. [`Server`] puts
//! HTTP on it, and runs the jobs too unless told not to.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::{sync::mpsc::Receiver, task::JoinSet};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::{
    config::{Config, environment::Environment, sms::SmsConfig, tokens::TokenMethod},
    crypto::{
        kek::KekProvider,
        kek_file::{self, KekFileError},
        keyring::SharedKeyring,
        password_hasher::PasswordHasher,
        system_entropy::SystemEntropy,
        token_signer::{SigningMethod, TokenSigner},
    },
    domain::{
        clock::{Clock, SystemClock},
        country::CountryCode,
        entropy::Entropy,
    },
    jobs::{
        deliver::Deliverer, hand_over, health::ProviderHealth, mailer::Mailer, queue::JobQueue, schedule::every,
        sms::Sms, smtp::Smtp, sqlite_queue::SqliteQueue, twilio::Twilio, worker,
    },
    service::{Core, UserTypeSettings, keyring, vault::Vault},
    storage::{
        Stores,
        limits::Limits,
        memory::{MemoryIdempotency, MemoryLimits},
        outbox::MessageRef,
        sqlite,
    },
    templates::Templates,
};

/// What a test replaces: time, randomness, and the stores.
pub struct World {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness of ids and tokens.
    pub entropy: Arc<dyn Entropy>,
    /// Stores other than the configured ones.
    pub stores: Option<Stores>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            stores: None,
        }
    }
}

/// What server and worker have in common.
pub struct Foundation {
    /// The service.
    pub core: Arc<Core>,
    /// The queue.
    pub queue: SqliteQueue,
    keks: Arc<dyn KekProvider>,
    handed: Receiver<MessageRef>,
    embedded: Option<sqlite::SqliteStores>,
}

impl Foundation {
    /// Opens stores and keys. Whatever is wrong is said with its mend.
    pub async fn open(config: &Config, world: World) -> anyhow::Result<Self> {
        make_private_folder(config.stores.data_dir.clone()).context("DATA_DIR can't be made")?;
        let embedded = match world.stores {
            Some(_) => None,
            None => Some(
                sqlite::open(&config.stores.data_dir)
                    .await
                    .context("the embedded store can't be opened")?,
            ),
        };
        let stores = match (&embedded, world.stores) {
            (Some(opened), _) => opened.stores(),
            (None, Some(given)) => given,
            (None, None) => anyhow::bail!("no store is configured"),
        };
        let keks = open_keks(config, &stores, &*world.clock).await?;
        let ring = keyring::establish(&stores, &*keks, &config.user_types.order, &*world.clock).await?;
        let ring = SharedKeyring::new(ring);
        let passwords = config.passwords;
        let hasher = {
            let ring = ring.clone();
            tokio::task::spawn_blocking(move || {
                // Its first use unpacks the phone metadata; not while somebody waits.
                let _ = CountryCode::parse("US");
                PasswordHasher::new(ring, passwords.cost, passwords.pool, passwords.queue)
            })
            .await??
        };
        let method = match &config.tokens.method {
            TokenMethod::EdDsa => SigningMethod::EdDsa,
            TokenMethod::Hs256(secret) => SigningMethod::Hs256(Zeroizing::new(secret.expose().as_bytes().to_vec())),
        };
        let (channel, handed) = hand_over::bounded();
        let core = Arc::new(Core {
            vault: Vault::new(Arc::clone(&keks), Arc::clone(&stores.deks)),
            signer: TokenSigner::new(ring.clone(), method, config.http.public_url.as_str()),
            keyring: ring,
            hasher,
            clock: world.clock,
            entropy: world.entropy,
            hand_over: Arc::new(channel),
            limits: config
                .http
                .rate_limits
                .then(|| Arc::new(MemoryLimits::default()) as Arc<dyn Limits>),
            idempotency: Arc::new(MemoryIdempotency::default()),
            user_types: user_types(config),
            stores,
        });
        let queue = SqliteQueue::open(&config.stores.data_dir).await?;
        Ok(Self {
            core,
            queue,
            keks,
            handed,
            embedded,
        })
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
                SmsConfig::Twilio(twilio) => Sms::Twilio(Box::new(Twilio::new(twilio)?)),
                SmsConfig::Off => Sms::Off,
            },
            templates: Templates::new(config.mail.templates_dir.clone()),
            public_url: config.http.public_url.as_str().to_owned(),
            app_name: config.http.app_name.clone(),
            mail_health: ProviderHealth::default(),
            sms_health: ProviderHealth::default(),
        }))
    }

    /// Starts what every process does beside its work: keys read again, messages handed over.
    fn background(self, tasks: &mut JoinSet<()>, stop: &CancellationToken) -> Option<sqlite::SqliteStores> {
        let (core, keks) = (Arc::clone(&self.core), self.keks);
        tasks.spawn(every(keyring::REREAD, stop.clone(), move || {
            let (core, keks) = (Arc::clone(&core), Arc::clone(&keks));
            async move {
                match keyring::read(&core.stores, &*keks).await {
                    Ok(ring) => core.keyring.replace(ring),
                    Err(error) => tracing::warn!(%error, "the keys could not be read again; the known ones serve on"),
                }
            }
        }));
        let queue: Arc<dyn JobQueue> = Arc::new(self.queue);
        tasks.spawn(hand_over::run(self.core, queue, self.handed, stop.clone()));
        self.embedded
    }
}

/// Runs jobs until `stop`: the separate worker process.
pub async fn run_worker(config: &Config, world: World, stop: CancellationToken) -> anyhow::Result<()> {
    let foundation = Foundation::open(config, world).await?;
    let (deliverer, queue) = (foundation.deliverer(config)?, foundation.queue.clone());
    let mut tasks = JoinSet::new();
    let embedded = foundation.background(&mut tasks, &stop);
    let worked = worker::run(deliverer, queue, config.worker, stop.clone()).await;
    stop.cancel();
    tasks.join_all().await;
    if let Some(embedded) = embedded {
        embedded.close().await;
    }
    worked
}

#[cfg(feature = "http")]
pub use server::Server;

#[cfg(feature = "http")]
mod server {
    use std::{fs::File, net::SocketAddr};

    use anyhow::Context as _;
    use tokio::{net::TcpListener, task::JoinHandle};

    use super::{Arc, CancellationToken, Config, Duration, Foundation, JoinSet, Templates, World, sqlite, worker};
    use crate::http::{
        health::Health,
        router,
        server::{Limits, serve},
    };

    /// A server that listens.
    pub struct Server {
        /// Where.
        pub address: SocketAddr,
        health: Health,
        /// Ends HTTP.
        stop_http: CancellationToken,
        /// Ends everything else, once HTTP has ended.
        stop_rest: CancellationToken,
        http: JoinHandle<std::io::Result<()>>,
        worker: Option<JoinHandle<anyhow::Result<()>>>,
        tasks: JoinSet<()>,
        embedded: Option<sqlite::SqliteStores>,
        _lock: File,
    }

    impl Server {
        /// Opens everything and listens; answers once a request would be served.
        pub async fn start(mut config: Config, world: World, limits: Limits) -> anyhow::Result<Self> {
            let lock = super::lock(&config)?;
            let listener = TcpListener::bind(config.http.address).await.with_context(|| {
                format!(
                    "HTTP_ADDR {} is in use or not of this machine; choose another port",
                    config.http.address
                )
            })?;
            let address = listener.local_addr()?;
            if config.http.public_url.port() == Some(0) {
                // Nobody said what people reach it by: links lead to the free port that was found.
                let _ = config.http.public_url.set_port(Some(address.port()));
            }
            config.http.address = address;
            let foundation = Foundation::open(&config, world).await?;
            let (stop_http, stop_rest) = (CancellationToken::new(), CancellationToken::new());
            let mut tasks = JoinSet::new();
            let core = Arc::clone(&foundation.core);
            let worker = if config.worker.is_inside {
                let (deliverer, queue) = (foundation.deliverer(&config)?, foundation.queue.clone());
                Some(tokio::spawn(worker::run(
                    deliverer,
                    queue,
                    config.worker,
                    stop_rest.clone(),
                )))
            } else {
                None
            };
            let health = Health::new(Arc::clone(&core));
            health.look(None).await;
            tasks.spawn(health.clone().probe(stop_rest.clone()));
            let templates = Arc::new(Templates::new(config.mail.templates_dir.clone()));
            let endpoint = router::build(&config, core, health.clone(), templates, limits);
            let http = tokio::spawn(serve(listener, endpoint, limits, stop_http.clone()));
            let embedded = foundation.background(&mut tasks, &stop_rest);
            Ok(Self {
                address,
                health,
                stop_http,
                stop_rest,
                http,
                worker,
                tasks,
                embedded,
                _lock: lock,
            })
        }

        /// Runs until `stop`, or until the worker inside fails; finishes what is in flight.
        pub async fn run_until(mut self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
            let failed = async {
                match &mut self.worker {
                    Some(worker) => worker.await,
                    None => std::future::pending().await,
                }
            };
            let ended_early = tokio::select! {
                () = stop => None,
                ended = failed => Some(ended),
            };
            let Some(ended) = ended_early else {
                return self.shut_down().await;
            };
            self.worker = None;
            tracing::error!(?ended, "the worker inside has ended; the server stops");
            self.shut_down().await?;
            // Not a success: who looks after the process should start it again.
            anyhow::bail!("the worker inside has ended by itself")
        }

        /// Takes no more requests, finishes those in flight, then stops the jobs and closes the stores.
        pub async fn shut_down(self) -> anyhow::Result<()> {
            self.health.drain();
            self.stop_http.cancel();
            let served = self.http.await;
            self.stop_rest.cancel();
            if let Some(worker) = self.worker {
                worker.await??;
            }
            self.tasks.join_all().await;
            if let Some(embedded) = self.embedded {
                embedded.close().await;
            }
            served??;
            // Time for the last log lines of connections that were cut off.
            tokio::time::sleep(Duration::ZERO).await;
            Ok(())
        }
    }
}

/// One server per folder: two would each believe that the embedded store's revocations are its own.
#[cfg(feature = "http")]
fn lock(config: &Config) -> anyhow::Result<std::fs::File> {
    make_private_folder(config.stores.data_dir.clone()).context("DATA_DIR can't be made")?;
    let path = config.stores.data_dir.join("server.lock");
    let file = std::fs::File::create(&path).context("DATA_DIR can't be written")?;
    file.try_lock().map_err(|_| {
        anyhow::anyhow!("another server runs on this DATA_DIR; stop it, or set DATA_DIR to another folder")
    })?;
    Ok(file)
}

async fn open_keks(config: &Config, stores: &Stores, clock: &dyn Clock) -> anyhow::Result<Arc<dyn KekProvider>> {
    let path = &config.stores.kek_file;
    let read = match kek_file::read(path) {
        Err(KekFileError::Missing) => {
            let is_first_run = stores.keyring.list().await?.is_empty() && stores.accounts.is_empty().await?;
            anyhow::ensure!(
                is_first_run,
                "KEK_FILE is missing, and what is stored opens with no other: restore it from its back-up"
            );
            anyhow::ensure!(
                config.environment == Environment::Development,
                "KEK_FILE is missing; make it with `sealgate keys new`, and keep a copy apart from the data"
            );
            kek_file::make(path, clock.now())?;
            kek_file::read(path)
        }
        read => read,
    };
    Ok(Arc::new(read.context("KEK_FILE")?))
}

/// Makes the key file where none is.
pub fn make_key_file(config: &Config) -> anyhow::Result<()> {
    let path = &config.stores.kek_file;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_private_folder(folder.to_owned())?;
    }
    match kek_file::read(path) {
        Err(KekFileError::Missing) => Ok(kek_file::make(path, SystemClock.now())?),
        Ok(_) => anyhow::bail!("KEK_FILE exists already; it is left as it is"),
        Err(error) => Err(error.into()),
    }
}

fn user_types(config: &Config) -> std::collections::BTreeMap<crate::domain::user_type::UserType, UserTypeSettings> {
    let settings = config.user_types.settings.iter();
    settings
        .map(|(user_type, settings)| {
            let settings = UserTypeSettings {
                password_policy: settings.password_policy.clone(),
                sessions: settings.sessions,
                is_texting_off: matches!(config.sms, SmsConfig::Off),
                attributes: settings.attributes.clone(),
            };
            (user_type.clone(), settings)
        })
        .collect()
}

fn make_private_folder(folder: PathBuf) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
