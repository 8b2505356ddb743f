//! Which adapters stand behind the ports: the embedded ones, those of production, or a test's own.

use std::sync::{Arc, atomic::AtomicU32};

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::{
    app::make_private_folder,
    config::{Config, stores::MongoConfig},
    crypto::{
        filter_item::filter_seed,
        keyring::{Keyring, MissingKey},
    },
    domain::{entropy::Entropy, private::Private},
    jobs::{queue::WorkQueue, redis_queue::RedisQueue, sqlite_queue::SqliteQueue},
    storage::{
        Probe, StoreError, Stores,
        email_filter::EmailFilter,
        erasures::{Erasures, FileErasures},
        idempotency::Idempotency,
        leases::Leases,
        legacy::LegacyAccounts,
        limits::Limits,
        memory::{
            AlwaysMaybe, FreeLeases, MemoryIdempotency, MemoryLimits, MemoryThrottle, SharedLimits, SharedThrottle,
        },
        mongo::{self, MongoOptions},
        redis,
        revocations::Revocations,
        sqlite,
        throttle::Throttle,
    },
};

/// What is behind the ports, to be closed at the end.
pub(super) enum Opened {
    /// SQLite, and what a single server keeps in its memory.
    Embedded(sqlite::SqliteStores),
    /// MongoDB and Redis.
    Production(Box<Production>),
    /// A test's own.
    Given(Stores),
}

pub(super) struct Production {
    mongo: mongo::MongoStores,
    pub(super) redis: redis::RedisShared,
    /// How many servers were seen last.
    pub(super) servers: Arc<AtomicU32>,
}

/// The e-mail filter, and what keeps its copy.
pub(super) struct Filter {
    pub(super) port: Arc<dyn EmailFilter>,
    feed: Option<Arc<redis::RedisFilter>>,
}

impl Filter {
    /// Keeps the copy until `stop`.
    pub(super) async fn follow(self, stop: CancellationToken) {
        if let Some(feed) = &self.feed {
            feed.follow(stop).await;
        }
    }
}

/// What servers share beside the database.
pub(super) struct Shared {
    pub(super) limits: Arc<dyn Limits>,
    pub(super) throttle: Arc<dyn Throttle>,
    pub(super) idempotency: Arc<dyn Idempotency>,
    pub(super) leases: Arc<dyn Leases>,
    pub(super) revocations: Option<Arc<dyn Revocations>>,
    pub(super) probe: Option<Arc<dyn Probe>>,
}

impl Opened {
    pub(super) async fn open(config: &Config, given: Option<Stores>) -> anyhow::Result<Self> {
        if let Some(given) = given {
            make_private_folder(config.stores.data_dir.clone()).context("DATA_DIR can't be made")?;
            return Ok(Self::Given(given));
        }
        let Some(production) = &config.stores.production else {
            make_private_folder(config.stores.data_dir.clone()).context("DATA_DIR can't be made")?;
            let opened = sqlite::open(&config.stores.data_dir).await;
            return Ok(Self::Embedded(opened.context("the embedded store can't be opened")?));
        };
        let mongo = mongo::open(&mongo_options(config, &production.mongo))
            .await
            .context("MONGO_URL: MongoDB can't be used")?;
        let redis = redis::open(&redis::RedisOptions {
            url: Private::new(production.redis.url.expose().to_owned()),
            authority: production.redis.authority.clone(),
            prefix: production.redis.prefix.clone(),
        })
        .await
        .context("REDIS_URL: Redis can't be used")?;
        Ok(Self::Production(Box::new(Production {
            mongo,
            redis,
            servers: Arc::default(),
        })))
    }

    /// What works, and loses something some day.
    pub(super) async fn misconfiguration(&self) -> anyhow::Result<Option<String>> {
        match self {
            Self::Production(opened) => Ok(opened.redis.misconfiguration().await?),
            Self::Embedded(_) | Self::Given(_) => Ok(None),
        }
    }

    /// What works, and could be safer.
    pub(super) async fn warning(&self) -> anyhow::Result<Option<String>> {
        match self {
            Self::Production(opened) => Ok(opened.mongo.misconfiguration().await?),
            Self::Embedded(_) | Self::Given(_) => Ok(None),
        }
    }

    pub(super) fn stores(&self) -> Stores {
        match self {
            Self::Embedded(opened) => opened.stores(),
            Self::Production(opened) => opened.mongo.stores(),
            Self::Given(given) => given.clone(),
        }
    }

    pub(super) fn shared(&self) -> Shared {
        match self {
            Self::Production(opened) => Shared {
                limits: Arc::new(SharedLimits::new(
                    Arc::new(opened.redis.limits()),
                    Arc::clone(&opened.servers),
                )),
                throttle: Arc::new(SharedThrottle::new(
                    Arc::new(opened.redis.throttle()),
                    Arc::clone(&opened.servers),
                )),
                idempotency: Arc::new(opened.redis.idempotency()),
                leases: Arc::new(opened.redis.leases()),
                revocations: Some(Arc::new(opened.redis.revocations())),
                probe: Some(Arc::new(opened.redis.clone())),
            },
            Self::Embedded(_) | Self::Given(_) => Shared {
                limits: Arc::new(MemoryLimits::default()),
                throttle: Arc::new(MemoryThrottle::default()),
                idempotency: Arc::new(MemoryIdempotency::default()),
                leases: Arc::new(FreeLeases),
                revocations: None,
                probe: None,
            },
        }
    }

    pub(super) fn filter(
        &self,
        config: &Config,
        keyring: &Keyring,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Filter, MissingKey> {
        Ok(match (self, &config.stores.production) {
            (Self::Production(opened), Some(production)) => {
                let settings = production.redis.filter;
                let options = redis::FilterOptions {
                    capacity: settings.capacity,
                    false_positive_rate: settings.false_positive_rate,
                    freshness: settings.freshness,
                };
                let feed = Arc::new(opened.redis.email_filter(filter_seed(keyring)?, options, entropy));
                Filter {
                    port: Arc::clone(&feed) as Arc<dyn EmailFilter>,
                    feed: Some(feed),
                }
            }
            _ => Filter {
                port: Arc::new(AlwaysMaybe),
                feed: None,
            },
        })
    }

    pub(super) async fn queue(&self, config: &Config) -> anyhow::Result<Arc<dyn WorkQueue>> {
        Ok(match self {
            Self::Production(opened) => {
                let (connect, name) = opened.redis.for_queue();
                Arc::new(RedisQueue::new(connect, &name, config.worker.keep_finished))
            }
            Self::Embedded(_) | Self::Given(_) => Arc::new(SqliteQueue::open(&config.stores.data_dir).await?),
        })
    }

    pub(super) async fn close(self) {
        match self {
            Self::Embedded(opened) => opened.close().await,
            Self::Production(opened) => opened.mongo.close().await,
            Self::Given(_) => {}
        }
    }
}

/// What is wrong with the indexes of MongoDB, each with its mend. Changes nothing.
pub(crate) async fn examine_indexes(config: &Config) -> Result<Vec<String>, StoreError> {
    let Some(production) = &config.stores.production else {
        return Ok(Vec::new());
    };
    let findings = mongo::examine_indexes(&mongo_options(config, &production.mongo)).await?;
    Ok(findings.iter().map(ToString::to_string).collect())
}

/// The erasure journal. Its default folder is made; another has to be there.
pub(super) fn erasures(config: &Config) -> anyhow::Result<Option<Arc<dyn Erasures>>> {
    let Some(path) = &config.erasures.journal else {
        return Ok(None);
    };
    if path.parent() == Some(config.stores.data_dir.as_path()) {
        make_private_folder(config.stores.data_dir.clone()).context("DATA_DIR can't be made")?;
    }
    Ok(Some(Arc::new(FileErasures::new(path.clone()))))
}

fn mongo_options(config: &Config, mongo: &MongoConfig) -> MongoOptions {
    MongoOptions {
        database: mongo.database.clone(),
        keys_database: mongo.keys_database.clone(),
        max_pool: mongo.max_pool,
        min_pool: mongo.min_pool,
        server_selection_timeout: mongo.selection_timeout,
        connect_timeout: mongo.connect_timeout,
        operation_timeout: mongo.operation_timeout,
        ..MongoOptions::new(
            Private::new(mongo.url.expose().to_owned()),
            config.user_types.order.clone(),
        )
    }
}

/// Opens the database of the Python service that Sealgate succeeds, to be read.
pub async fn open_legacy(url: &Private, database: &str) -> Result<Arc<dyn LegacyAccounts>, StoreError> {
    mongo::open_legacy(url, database).await
}
