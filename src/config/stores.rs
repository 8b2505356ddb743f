//! Where data and keys lie: a folder on this machine, or MongoDB and Redis.

use std::{path::PathBuf, time::Duration};

use url::Url;

use crate::{config::source::Reader, domain::private::Private};

/// Settings of the stores.
#[derive(Debug)]
pub struct StoresConfig {
    /// Database, key file, jobs and outbox of the embedded default.
    pub data_dir: PathBuf,
    /// The key-encryption keys.
    pub kek_file: PathBuf,
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
}

/// Settings of Redis.
#[derive(Debug)]
pub struct RedisConfig {
    /// `redis://` or `rediss://`; holds a password.
    pub url: Private,
    /// A certificate authority beside those of the system, as PEM.
    pub authority: Option<Vec<u8>>,
    /// What key names begin with.
    pub prefix: String,
    /// The e-mail filter.
    pub filter: FilterConfig,
}

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
        let mend = "Write the number of accounts you expect, for example `1000000`";
        let capacity = reader.parse("FILTER_CAPACITY", 1_000_000, mend);
        if capacity == 0 {
            reader.report("FILTER_CAPACITY", "is zero", mend);
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
        let mongo_url = reader.secret("MONGO_URL");
        let redis = RedisConfig::read(reader);
        let name = |variable, default: &str| reader.text(variable).unwrap_or(default).to_owned();
        let (database, keys_database) = (name("MONGO_DB", "sealgate"), name("MONGO_KEYS_DB", "sealgate_keys"));
        match (&mongo_url, &redis) {
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
        if database == keys_database {
            reader.report(
                "MONGO_KEYS_DB",
                "is the same as MONGO_DB",
                "Keys need a database of their own",
            );
        }
        let production = mongo_url.zip(redis).map(|(url, redis)| ProductionStores {
            mongo: MongoConfig {
                url,
                database,
                keys_database,
            },
            redis,
        });
        Self {
            data_dir,
            kek_file,
            production,
        }
    }
}
