//! What servers share beside the database: Redis 7 or later. Nothing in it is the truth of anything that may not be
//! lost: counters, remembered requests, leases, and caches that follow the database.
//!
//! Key names begin with a prefix (`sg:`) and hold digests and ids only:
//!
//! | key | type | what |
//! |---|---|---|
//! | `rl:<hex of a keyed digest>` | string | a bucket: the theoretical arrival time, in milliseconds |
//! | `id:<hex of a keyed digest>` | hash | a remembered request |
//! | `lease:<job>` | string | who does what is due by the clock in this period |
//! | `s:…`, `e:…` | string | what is known of a session, and of what its account stands behind ([`RedisRevocations`]) |
//! | `f:…` | | the e-mail filter ([`RedisFilter`]) |
//! | `servers` | sorted set | servers by when they were last seen |
//! | `jobs:…` | | the queue's own (apalis) |
//!
//! Every command ends within [`PATIENCE`]. A connection that broke is made again by itself; what was asked meanwhile is
//! [`StoreError::Unavailable`]. What the service then does stands with each port.

mod connection;
mod filter;
mod idempotency;
mod leases;
mod limits;
mod revocations;
mod servers;
mod throttle;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use redis::{Client, RedisResult, aio::ConnectionManager};

pub use self::{
    filter::{FilterOptions, RedisFilter},
    idempotency::RedisIdempotency,
    leases::RedisLeases,
    limits::RedisLimits,
    revocations::RedisRevocations,
    throttle::RedisThrottle,
};
use crate::{
    domain::{entropy::Entropy, private::Private},
    storage::{Probe, StoreError, redis::connection::Connection},
};

/// How long one command may take. A request may need several.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// Where Redis is.
#[derive(Debug)]
pub struct RedisOptions {
    /// `redis://` or `rediss://` (TLS), with user and password where they are needed.
    pub url: Private,
    /// The certificate authority of `rediss://`, as PEM, in place of those of the system.
    pub authority: Option<Vec<u8>>,
    /// What key names begin with.
    pub prefix: String,
}

/// The open connection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RedisShared {
    connection: Connection,
    client: Client,
}

/// Connects. A member of a cluster is refused: scripts here and the queue's own touch keys of several slots.
pub async fn open(options: &RedisOptions) -> Result<RedisShared, StoreError> {
    let client = connection::client(options)?;
    let connection = Connection::open(&client, &options.prefix, PATIENCE).await;
    let connection = connection.map_err(|error| match error {
        StoreError::Unavailable(says) if options.url.expose().starts_with("rediss://") => {
            StoreError::Unavailable(format!(
                "{says}; with rediss:// its certificate must be of an authority of the system, or of REDIS_CA_FILE"
            ))
        }
        error => error,
    })?;
    let shared = RedisShared { connection, client };
    if info(&shared.connection, "cluster", "cluster_enabled").await?.as_deref() == Some("1") {
        let problem = "Redis runs in cluster mode; name a server with cluster-enabled no";
        return Err(StoreError::Unavailable(problem.to_owned()));
    }
    Ok(shared)
}

impl RedisShared {
    /// Buckets that all servers count in.
    #[must_use]
    pub fn limits(&self) -> RedisLimits {
        RedisLimits::new(self.connection.clone())
    }

    /// Tries that all servers count.
    #[must_use]
    pub fn throttle(&self) -> RedisThrottle {
        RedisThrottle::new(self.connection.clone())
    }

    /// Requests that all servers remember.
    #[must_use]
    pub fn idempotency(&self) -> RedisIdempotency {
        RedisIdempotency::new(self.connection.clone())
    }

    /// Ended sessions and standings of accounts.
    #[must_use]
    pub fn revocations(&self) -> RedisRevocations {
        RedisRevocations::new(self.connection.clone())
    }

    /// Who does what is due by the clock.
    #[must_use]
    pub fn leases(&self) -> RedisLeases {
        RedisLeases::new(self.connection.clone())
    }

    /// The e-mail filter that all servers share; it says "maybe" until somebody [follows](RedisFilter::follow) it.
    #[must_use]
    pub fn email_filter(&self, seed: [u8; 32], options: FilterOptions, entropy: Arc<dyn Entropy>) -> RedisFilter {
        RedisFilter::new(self.connection.clone(), self.client.clone(), seed, options, entropy)
    }

    /// For the queue: what makes connections of its own, with more patience, for its scripts touch many keys; and what its
    /// key names begin with.
    pub fn for_queue(
        &self,
    ) -> (
        impl Fn() -> RedisResult<ConnectionManager> + Send + Sync + 'static,
        String,
    ) {
        let client = self.client.clone();
        let connect = move || connection::lazily(&client, Duration::from_secs(5));
        (connect, self.connection.key("jobs"))
    }

    /// Notes that `server` lives, and answers how many do.
    pub async fn count_servers(&self, server: &str) -> Result<u32, StoreError> {
        servers::count_servers(&self.connection, server).await
    }

    /// What is wrong with Redis's settings, with its mend: an eviction policy would drop remembered requests, counters and
    /// jobs when memory is short.
    pub async fn misconfiguration(&self) -> Result<Option<String>, StoreError> {
        let policy = info(&self.connection, "memory", "maxmemory_policy").await?;
        Ok(policy.filter(|policy| policy != "noeviction").map(|policy| {
            format!("Redis evicts keys when memory is short ({policy}); set maxmemory-policy to noeviction")
        }))
    }
}

/// One line of what the server tells about itself.
async fn info(connection: &Connection, section: &str, name: &str) -> Result<Option<String>, StoreError> {
    let told: String = connection.ask(redis::cmd("INFO").arg(section)).await?;
    let value = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned());
    Ok(told.lines().find_map(value))
}

#[async_trait]
impl Probe for RedisShared {
    async fn probe(&self) -> Result<(), StoreError> {
        let key = self.connection.key("probe");
        self.connection
            .ask(redis::cmd("SET").arg(key).arg(1).arg("PX").arg(1000))
            .await
    }
}
