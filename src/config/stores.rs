//! Where data and keys lie: a folder on this machine, or MongoDB and Redis.

use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

use url::Url;

use crate::{
    config::{keks::KeksConfig, source::Reader},
    domain::private::Private,
};

/// Settings of the stores.
#[derive(Debug)]
pub struct StoresConfig {
    /// Database, key file, jobs and outbox of the embedded default.
    pub data_dir: PathBuf,
    /// The key-encryption keys, where they lie in a file.
    pub kek_file: PathBuf,
    /// Who has the key-encryption keys.
    pub keks: KeksConfig,
    /// The production stores; none is the embedded default.
    pub production: Option<ProductionStores>,
}

/// Both or neither.
#[derive(Debug)]
pub struct ProductionStores {
    /// Records and keys.
    pub mongo: MongoConfig,
    /// What servers share beside them.
    pub redis: RedisConfig,
}

/// Settings of MongoDB.
#[derive(Debug)]
pub struct MongoConfig {
    /// The connection string; holds a password.
    pub url: Private,
    /// Database of everything but keys.
    pub database: String,
    /// Database of the keys.
    pub keys_database: String,
    /// Connections to one server; none is what the URL says, or the default.
    pub max_pool: Option<u32>,
    /// Connections that are kept open; none likewise.
    pub min_pool: Option<u32>,
    /// How long to look for a server that may answer.
    pub selection_timeout: Duration,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long one operation may take, all its tries and waits included.
    pub operation_timeout: Duration,
}

impl MongoConfig {
    /// `MONGO_URL` and what goes with it.
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let url = reader.secret("MONGO_URL");
        let name = |variable, default: &str| reader.text(variable).unwrap_or(default).to_owned();
        let (database, keys_database) = (name("MONGO_DB", "sealgate"), name("MONGO_KEYS_DB", "sealgate_keys"));
        if database == keys_database {
            reader.report(
                "MONGO_KEYS_DB",
                "is the same as MONGO_DB",
                "Keys need a database of their own",
            );
        }
        let max_pool = number(reader, "MONGO_POOL_MAX", 1..=10_000);
        let min_pool = number(reader, "MONGO_POOL_MIN", 0..=10_000);
        if max_pool.zip(min_pool).is_some_and(|(max, min)| min > max) {
            reader.report(
                "MONGO_POOL_MIN",
                "is more than MONGO_POOL_MAX",
                "Lower the one or raise the other",
            );
        }
        let mut millis = |variable, default: u32| {
            let set = number(reader, variable, 100..=60_000);
            Duration::from_millis(set.unwrap_or(default).into())
        };
        let selection_timeout = millis("MONGO_SELECTION_TIMEOUT_MS", 1_500);
        let connect_timeout = millis("MONGO_CONNECT_TIMEOUT_MS", 1_500);
        // Whoever asks while MongoDB is gone is told within two seconds.
        let operation_timeout = millis("MONGO_OPERATION_TIMEOUT_MS", 1_800);
        if operation_timeout < selection_timeout.max(connect_timeout) {
            reader.report(
                "MONGO_OPERATION_TIMEOUT_MS",
                "is shorter than MONGO_SELECTION_TIMEOUT_MS or MONGO_CONNECT_TIMEOUT_MS",
                "An operation waits for both: give it more",
            );
        }
        Some(Self {
            url: url?,
            database,
            keys_database,
            max_pool,
            min_pool,
            selection_timeout,
            connect_timeout,
            operation_timeout,
        })
    }
}

/// A number that is set, and within its bounds.
fn number(reader: &mut Reader<'_>, variable: &str, bounds: RangeInclusive<u32>) -> Option<u32> {
    let set = reader.text(variable)?.trim().parse();
    let within = set.ok().filter(|number| bounds.contains(number));
    if within.is_none() {
        let mend = format!("Write a number from {} to {}", bounds.start(), bounds.end());
        reader.report(variable, "can't be used", mend);
    }
    within
}

/// Settings of Redis.
#[derive(Debug)]
pub struct RedisConfig {
    /// `redis://` or `rediss://`; holds a password.
    pub url: Private,
    /// The certificate authority of `rediss://`, as PEM, in place of those of the system.
    pub authority: Option<Vec<u8>>,
    /// What key names begin with.
    pub prefix: String,
    /// The e-mail filter.
    pub filter: FilterConfig,
}

/// Accounts that a filter may be sized for: at 0.1 % they take 360 MB in Redis and in each process.
const LARGEST_FILTER: u64 = 200_000_000;

/// Settings of the e-mail filter.
#[derive(Clone, Copy, Debug)]
pub struct FilterConfig {
    /// Accounts that it is sized for; it grows when there are more.
    pub capacity: u64,
    /// Of look-ups of unknown addresses, the share that asks the database all the same; between 0 and 1.
    pub false_positive_rate: f64,
    /// How old the answer "nobody" may be. Not a setting: what confirms an account waits as long.
    pub freshness: Duration,
}

impl FilterConfig {
    fn read(reader: &mut Reader<'_>) -> Self {
        let mend = "Write the number of accounts you expect, up to 200000000, for example `1000000`";
        let capacity = reader.parse("FILTER_CAPACITY", 1_000_000, mend);
        if !(1..=LARGEST_FILTER).contains(&capacity) {
            reader.report("FILTER_CAPACITY", "is out of range", mend);
        }
        let mend = "Write a share between 0.000001 and 0.1, for example `0.001`";
        let false_positive_rate = reader.parse("FILTER_FALSE_POSITIVE_RATE", 0.001, mend);
        if !(0.000_001..=0.1).contains(&false_positive_rate) {
            reader.report("FILTER_FALSE_POSITIVE_RATE", "is out of range", mend);
        }
        Self {
            capacity,
            false_positive_rate,
            freshness: Duration::from_secs(1),
        }
    }
}

impl RedisConfig {
    /// `REDIS_URL`, or the old services' host and port.
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let authority = reader
            .text("REDIS_CA_FILE")
            .and_then(|path| match std::fs::read(path.trim()) {
                Ok(pem) => Some(pem),
                Err(error) => {
                    let says = format!("names a file that can't be read ({})", error.kind());
                    reader.report(
                        "REDIS_CA_FILE",
                        says,
                        "Name a PEM file with the authority's certificate",
                    );
                    None
                }
            });
        let filter = FilterConfig::read(reader);
        let port: u16 = reader.parse("REDIS_PORT", 6379, "Write a port, for example `6379`");
        let password = reader.secret("REDIS_PASSWORD");
        let url = match (reader.secret("REDIS_URL"), reader.text("REDIS_HOST")) {
            (Some(url), _) => {
                if !["redis://", "rediss://"]
                    .iter()
                    .any(|scheme| url.expose().starts_with(scheme))
                {
                    let mend = "Write, for example, `rediss://:password@redis.internal:6379`; one server, no Sentinel, no Cluster";
                    reader.report("REDIS_URL", "is no redis:// or rediss:// URL", mend);
                }
                url
            }
            (None, Some(host)) => {
                let mut url = Url::parse(&format!("redis://{}:{port}", host.trim())).ok();
                if let (Some(url), Some(password)) = (&mut url, &password) {
                    let _ = url.set_password(Some(password.expose()));
                }
                let Some(url) = url else {
                    reader.report("REDIS_HOST", "is no host name", "Write a name or an address");
                    return None;
                };
                Private::new(url.into())
            }
            (None, None) => return None,
        };
        if authority.is_some() && !url.expose().starts_with("rediss://") {
            let mend = "Write rediss:// for TLS, or take REDIS_CA_FILE out";
            reader.report("REDIS_CA_FILE", "is set, but REDIS_URL does not ask for TLS", mend);
        }
        Some(Self {
            url,
            authority,
            prefix: reader.text("REDIS_PREFIX").unwrap_or("sg:").trim().to_owned(),
            filter,
        })
    }
}

impl StoresConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>) -> Self {
        let data_dir = PathBuf::from(reader.text("DATA_DIR").unwrap_or("data"));
        let kek_file = reader
            .text("KEK_FILE")
            .map_or_else(|| data_dir.join("kek.keys"), PathBuf::from);
        let mongo = MongoConfig::read(reader);
        let redis = RedisConfig::read(reader);
        match (&mongo, &redis) {
            (Some(_), None) => {
                reader.report(
                    "REDIS_URL",
                    "is missing beside MONGO_URL",
                    "Set both, or neither for the embedded store",
                );
            }
            (None, Some(_)) => {
                reader.report(
                    "MONGO_URL",
                    "is missing beside REDIS_URL",
                    "Set both, or neither for the embedded store",
                );
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        let production = mongo.zip(redis).map(|(mongo, redis)| ProductionStores { mongo, redis });
        Self {
            data_dir,
            kek_file,
            keks: KeksConfig::read(reader),
            production,
        }
    }
}
