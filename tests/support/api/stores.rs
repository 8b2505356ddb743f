//! The stores that every case runs against.
//!
//! # To add a store set
//! A variant, its arms below, its function, and its line in `cases!`.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use redis::aio::MultiplexedConnection;
use sealgate::{
    crypto::system_entropy::SystemEntropy,
    domain::{entropy::make_bytes, private::Private, user_type::UserType},
    storage::{
        Stores,
        mongo::{self, MongoOptions},
        sqlite,
    },
};

/// One new and empty store.
#[derive(Clone, Debug)]
pub(crate) enum StoreSet {
    /// The embedded one: two files in the service's own folder.
    Sqlite,
    /// Two databases of the server that `TEST_MONGO_URL` names, and keys of their own in the Redis that
    /// `TEST_REDIS_URL` names.
    Mongo {
        /// Of that server.
        url: String,
        /// What the databases' names begin with.
        name: String,
        /// Every name that the test has used.
        used: Arc<Mutex<Vec<String>>>,
    },
}

impl StoreSet {
    /// The embedded store.
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite
    }

    /// New databases of the test server.
    pub(crate) fn mongo() -> Self {
        Self::mongo_beside(test_mongo_url(), Arc::default())
    }

    /// Another new and empty store of the same kind, for the same test.
    pub(crate) fn another(&self) -> Self {
        match self {
            Self::Sqlite => Self::Sqlite,
            Self::Mongo { url, used, .. } => Self::mongo_beside(url.clone(), Arc::clone(used)),
        }
    }

    fn mongo_beside(url: String, used: Arc<Mutex<Vec<String>>>) -> Self {
        let unique = data_encoding::HEXLOWER.encode(&make_bytes::<8>(&SystemEntropy));
        let name = format!("test_api_{unique}");
        used.lock().expect("no panic while it is held").push(name.clone());
        Self::Mongo { url, name, used }
    }

    /// The settings that lead a service to it.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let Self::Mongo { url, name, .. } = self else {
            return Vec::new();
        };
        let [database, keys_database] = databases(name);
        [
            ("ENVIRONMENT", "development".to_owned()),
            ("MONGO_URL", url.clone()),
            ("MONGO_DB", database),
            ("MONGO_KEYS_DB", keys_database),
            ("REDIS_URL", test_redis_url()),
            ("REDIS_PREFIX", format!("{name}:")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Opens the store once more, as another process would. `folder` is that of the service.
    pub(crate) async fn open(&self, folder: &Path, user_types: &[UserType]) -> Stores {
        match self {
            Self::Sqlite => sqlite::open(folder).await.expect("SQLite opens").stores(),
            Self::Mongo { url, name, .. } => {
                let [database, keys_database] = databases(name);
                let options = MongoOptions {
                    database,
                    keys_database,
                    ..MongoOptions::new(Private::new(url.clone()), user_types.to_vec())
                };
                mongo::open(&options)
                    .await
                    .expect("MongoDB opens at TEST_MONGO_URL")
                    .stores()
            }
        }
    }

    /// A connection of the test's own to the shared Redis.
    pub(crate) async fn redis(&self) -> MultiplexedConnection {
        let client = redis::Client::open(test_redis_url()).expect("a client");
        client.get_multiplexed_async_connection().await.expect("Redis answers")
    }

    /// What Redis holds under names that begin so.
    pub(crate) async fn redis_keys(&self, redis: &mut MultiplexedConnection, names: &str) -> Vec<String> {
        let Self::Mongo { name, .. } = self else {
            return Vec::new();
        };
        let mut keys = redis::cmd("KEYS");
        keys.arg(format!("{name}:{names}*"))
            .query_async(redis)
            .await
            .expect("keys")
    }

    /// As after FLUSHALL, for this store set alone.
    pub(crate) async fn flush(&self) {
        if let Self::Mongo { name, .. } = self {
            forget(&mut self.redis().await, name).await;
        }
    }

    /// Removes what is not gone with the service's folder.
    pub(super) async fn remove(&self) {
        let Self::Mongo { url, used, .. } = self else {
            return;
        };
        let client = mongodb::Client::with_uri_str(url).await.expect("a client");
        let used = used.lock().expect("no panic while it is held").clone();
        let mut redis = self.redis().await;
        for name in &used {
            forget(&mut redis, name).await;
        }
        for database in used.iter().flat_map(|name| databases(name)) {
            client.database(&database).drop().await.expect("drops");
        }
    }
}

async fn forget(redis: &mut MultiplexedConnection, name: &str) {
    let mut keys = redis::cmd("KEYS");
    let keys: Vec<String> = keys.arg(format!("{name}:*")).query_async(redis).await.expect("keys");
    if !keys.is_empty() {
        let _: () = redis::cmd("DEL").arg(keys).query_async(redis).await.expect("gone");
    }
}

/// Of the records, and of the keys.
fn databases(name: &str) -> [String; 2] {
    [name.to_owned(), format!("{name}_keys")]
}

#[expect(clippy::disallowed_methods, reason = "names the server that the tests run against")]
fn test_mongo_url() -> String {
    std::env::var("TEST_MONGO_URL").expect(
        "TEST_MONGO_URL must name a MongoDB server to test against: run scripts/test, which starts one, or start \
         scripts/mongo-test-server and set it to the URL that it prints",
    )
}

#[expect(clippy::disallowed_methods, reason = "names the server that the tests run against")]
fn test_redis_url() -> String {
    std::env::var("TEST_REDIS_URL").expect(
        "TEST_REDIS_URL must name a Redis server to test against: run scripts/test, which starts one, or start \
         redis-server and set it to its URL",
    )
}
