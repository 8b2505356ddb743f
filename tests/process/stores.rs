//! The stores that servers share: names of their own on the test servers, and a Redis that is set up otherwise.

use std::{
    net::TcpListener as StdListener,
    path::{Path, PathBuf},
    time::Duration,
};

use sealgate::{crypto::system_entropy::SystemEntropy, domain::entropy::make_bytes};
use tokio::net::{TcpStream, lookup_host};
use url::Url;

use crate::{fault_proxy::FaultProxy, installation::Installation, processes::Process, waiting::until};

/// Two databases of the MongoDB that `TEST_MONGO_URL` names, and a prefix in the Redis that `TEST_REDIS_URL` names.
#[derive(Debug)]
pub(crate) struct SharedStores {
    settings: Vec<(&'static str, String)>,
    name: String,
}

impl SharedStores {
    /// New and empty ones.
    pub(crate) fn new() -> Self {
        let unique = data_encoding::HEXLOWER.encode(&make_bytes::<8>(&SystemEntropy));
        let name = format!("test_process_{unique}");
        let settings = vec![
            ("ENVIRONMENT", "staging".to_owned()),
            // A server says on standard output where it listens.
            ("AUDIT_STDOUT", "off".to_owned()),
            ("KEK_FILE", "kek.keys".to_owned()),
            ("MONGO_URL", server("TEST_MONGO_URL")),
            ("MONGO_DB", name.clone()),
            ("MONGO_KEYS_DB", format!("{name}_keys")),
            ("REDIS_URL", server("TEST_REDIS_URL")),
            ("REDIS_PREFIX", format!("{name}:")),
        ];
        Self { settings, name }
    }

    /// The settings that lead a process there, and after them `more`, which win.
    pub(crate) fn settings_with<'s>(&'s self, more: &[(&'s str, &'s str)]) -> Vec<(&'s str, &'s str)> {
        let own = self.settings.iter().map(|(name, value)| (*name, value.as_str()));
        own.chain(more.iter().copied()).collect()
    }

    /// The shared Redis behind a proxy, and its URL there.
    pub(crate) async fn redis_behind_proxy(&self) -> (FaultProxy, String) {
        let mut url = Url::parse(&server("TEST_REDIS_URL")).expect("a URL");
        let host = url.host_str().expect("a host").to_owned();
        let mut addresses = lookup_host((host, url.port().unwrap_or(6379)))
            .await
            .expect("a name that is resolved");
        let proxy = FaultProxy::before(addresses.next().expect("an address")).await;
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(proxy.address().port())).expect("a port");
        (proxy, url.into())
    }

    /// The stores, opened as another process would.
    pub(crate) async fn open(&self) -> sealgate::storage::Stores {
        let user_types = sealgate::domain::user_type::parse_user_types("User1,User2").expect("valid");
        let url = sealgate::domain::private::Private::new(server("TEST_MONGO_URL"));
        let options = sealgate::storage::mongo::MongoOptions {
            database: self.name.clone(),
            keys_database: format!("{}_keys", self.name),
            ..sealgate::storage::mongo::MongoOptions::new(url, user_types)
        };
        sealgate::storage::mongo::open(&options)
            .await
            .expect("MongoDB opens")
            .stores()
    }

    /// The database of the records, as somebody else's client sees it.
    pub(crate) async fn mongo(&self) -> mongodb::Database {
        let client = mongodb::Client::with_uri_str(server("TEST_MONGO_URL")).await;
        client.expect("a client").database(&self.name)
    }

    /// To be called at the end.
    pub(crate) async fn remove(&self) {
        let client = mongodb::Client::with_uri_str(server("TEST_MONGO_URL")).await;
        let client = client.expect("a client");
        for database in [self.name.clone(), format!("{}_keys", self.name)] {
            client.database(&database).drop().await.expect("drops");
        }
        self.forget("").await;
    }

    /// Removes what Redis holds under names that begin so.
    pub(crate) async fn forget(&self, names: &str) {
        let redis = redis::Client::open(server("TEST_REDIS_URL")).expect("a client");
        let mut redis = redis.get_multiplexed_async_connection().await.expect("Redis answers");
        let keys: Vec<String> = redis::cmd("KEYS")
            .arg(format!("{}:{names}*", self.name))
            .query_async(&mut redis)
            .await
            .expect("keys");
        if !keys.is_empty() {
            let _: () = redis::cmd("DEL").arg(keys).query_async(&mut redis).await.expect("gone");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "names the servers that the tests run against")]
fn server(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} must name a server to test against: run scripts/test, which starts one"))
}

/// The database of the Python service, with what `tests/vectors/legacy.json` says, under a name of its own on the test
/// server.
#[derive(Debug)]
pub(crate) struct OldDatabase {
    pub(crate) name: String,
    pub(crate) url: String,
    database: mongodb::Database,
}

impl OldDatabase {
    /// With these collections of `vectors`.
    pub(crate) async fn of(vectors: &serde_json::Value, collections: &[&str]) -> Self {
        let unique = data_encoding::HEXLOWER.encode(&make_bytes::<8>(&SystemEntropy));
        let (name, url) = (format!("test_old_{unique}"), server("TEST_MONGO_URL"));
        let client = mongodb::Client::with_uri_str(&url).await.expect("a client");
        let database = client.database(&name);
        for collection in collections {
            let documents = vectors["databases"][collection].as_array().expect("a list").iter();
            let documents = documents.map(|document| {
                let mut document = bson::serialize_to_document(document).expect("a document");
                let id = document.get_str("_id").expect("hex");
                let id = bson::oid::ObjectId::parse_str(id).expect("an id");
                document.insert("_id", id);
                document
            });
            // Not in the order in which they were made.
            let documents: Vec<_> = documents.rev().collect();
            let collection = database.collection::<bson::Document>(collection);
            collection.insert_many(documents).await.expect("stored");
        }
        Self { name, url, database }
    }

    /// All that is in it, to see that nothing changes.
    pub(crate) async fn documents(&self) -> Vec<bson::Document> {
        use futures_util::TryStreamExt as _;
        let mut all = Vec::new();
        let mut names = self.database.list_collection_names().await.expect("names");
        names.sort();
        for name in names {
            let collection = self.database.collection::<bson::Document>(&name);
            let found = collection
                .find(bson::doc! {})
                .sort(bson::doc! { "_id": 1 })
                .await
                .expect("found");
            all.extend(found.try_collect::<Vec<_>>().await.expect("read"));
        }
        all
    }

    /// To be called at the end.
    pub(crate) async fn remove(&self) {
        self.database.drop().await.expect("drops");
    }
}

/// A Redis of this test alone, which keeps nothing.
#[derive(Debug)]
pub(crate) struct OwnRedis {
    pub(crate) url: String,
    _process: Process,
}

impl OwnRedis {
    /// Starts one with `settings`.
    pub(crate) async fn start(installation: &Installation, settings: &[&str]) -> Self {
        let port = free_port();
        let text = port.to_string();
        let usual = [
            "--port",
            &text,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ];
        let arguments = [&usual, settings].concat();
        let log = installation.path().join(format!("redis-{port}.log"));
        let process = Process::start(&program("redis-server"), &arguments, installation.path(), &[], &log);
        until("Redis listens", Duration::from_secs(20), async || {
            TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
        Self {
            url: format!("redis://127.0.0.1:{port}"),
            _process: process,
        }
    }
}

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    let listener = StdListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

/// Where Debian, or somebody by hand, has put a server.
pub(crate) fn program(name: &str) -> PathBuf {
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
        .map(|folder| Path::new(folder).join(name))
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("this test needs {name}; scripts/test installs it"))
}
