//! Where data and keys lie: a folder on this machine, or MongoDB and Redis.

use std::path::PathBuf;

use crate::{config::source::Reader, domain::private::Private};

/// Settings of the stores.
#[derive(Debug)]
pub struct StoresConfig {
    /// Database, key file, jobs and outbox of the embedded default.
    pub data_dir: PathBuf,
    /// The key-encryption keys.
    pub kek_file: PathBuf,
    /// The production stores.
    pub mongo: Option<MongoConfig>,
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

impl StoresConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>) -> Self {
        let data_dir = PathBuf::from(reader.text("DATA_DIR").unwrap_or("data"));
        let kek_file = reader
            .text("KEK_FILE")
            .map_or_else(|| data_dir.join("kek.keys"), PathBuf::from);
        let mongo_url = reader.secret("MONGO_URL");
        let has_redis = reader.secret("REDIS_URL").is_some() || reader.text("REDIS_HOST").is_some();
        let name = |variable, default: &str| reader.text(variable).unwrap_or(default).to_owned();
        let (database, keys_database) = (name("MONGO_DB", "sealgate"), name("MONGO_KEYS_DB", "sealgate_keys"));
        match (&mongo_url, has_redis) {
            (Some(_), true) => reader.report(
                "MONGO_URL",
                "needs the Redis adapters, which this version does not have yet",
                "Unset MONGO_URL and REDIS_URL to run on the embedded store",
            ),
            (Some(_), false) => {
                reader.report(
                    "REDIS_URL",
                    "is missing beside MONGO_URL",
                    "Set both, or neither for the embedded store",
                );
            }
            (None, true) => {
                reader.report(
                    "MONGO_URL",
                    "is missing beside REDIS_URL",
                    "Set both, or neither for the embedded store",
                );
            }
            (None, false) => {}
        }
        if database == keys_database {
            reader.report(
                "MONGO_KEYS_DB",
                "is the same as MONGO_DB",
                "Keys need a database of their own",
            );
        }
        let mongo = mongo_url.map(|url| MongoConfig {
            url,
            database,
            keys_database,
        });
        Self {
            data_dir,
            kek_file,
            mongo,
        }
    }
}
