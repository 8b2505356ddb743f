//! Copies of an installation's two databases, and putting them back: what a back-up is to the service.

use std::{collections::BTreeMap, fs, path::PathBuf};

use bson::{Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Database;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::support::{Setup, StoreSet};

/// Of one database.
enum Copy {
    /// The database's file, as SQLite itself copies it.
    File(Vec<u8>),
    /// Documents by collection.
    Documents(BTreeMap<String, Vec<Document>>),
}

/// Of both. Taken and put back while nothing runs.
pub(crate) struct Copies {
    records: Copy,
    keys: Copy,
}

const FILES: [&str; 2] = ["sealgate.db", "keys.db"];

impl Copies {
    pub(crate) async fn take(setup: &Setup) -> Self {
        match databases(setup).await {
            None => {
                let records = Copy::File(snapshot(setup, FILES[0]).await);
                let keys = Copy::File(snapshot(setup, FILES[1]).await);
                Self { records, keys }
            }
            Some([records, keys]) => Self {
                records: Copy::Documents(documents(&records).await),
                keys: Copy::Documents(documents(&keys).await),
            },
        }
    }

    /// Whether that text lies in the records anywhere.
    pub(crate) fn records_hold(&self, text: &str) -> bool {
        let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        match &self.records {
            Copy::File(bytes) => holds(bytes),
            Copy::Documents(collections) => collections.values().flatten().any(|document| {
                let bytes = bson::serialize_to_vec(document).expect("a document");
                holds(&bytes)
            }),
        }
    }

    pub(crate) async fn restore_records(&self, setup: &Setup) {
        let database = databases(setup).await.map(|[records, _]| records);
        restore(&self.records, setup, FILES[0], database).await;
    }

    pub(crate) async fn restore_keys(&self, setup: &Setup) {
        let database = databases(setup).await.map(|[_, keys]| keys);
        restore(&self.keys, setup, FILES[1], database).await;
    }

    /// The accounts and registrations of `User1` that have a data key now.
    pub(crate) async fn data_keys(&self, setup: &Setup) -> Vec<String> {
        let user_types = ["User1", "User2"].map(|name| name.parse().expect("a user type"));
        let stores = setup.stores.open(setup.folder(), &user_types).await;
        let ids = stores.deks.versions(&user_types[0], None, 1000).await.expect("listed");
        ids.into_iter().map(|(id, _)| id.to_string()).collect()
    }
}

async fn databases(setup: &Setup) -> Option<[Database; 2]> {
    let StoreSet::Mongo { url, name, .. } = &setup.stores else {
        return None;
    };
    let client = mongodb::Client::with_uri_str(url).await.expect("a client");
    Some([client.database(name), client.database(&format!("{name}_keys"))])
}

/// The database's file in the folder, and what lies beside it.
fn paths(setup: &Setup, name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(setup.folder()).expect("a folder").flatten();
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(name));
    named.map(|entry| entry.path()).collect()
}

async fn snapshot(setup: &Setup, name: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("copy");
    let options = SqliteConnectOptions::new().filename(setup.folder().join(name));
    let mut connection = SqliteConnection::connect_with(&options).await.expect("opened");
    let vacuum = sqlx::query("VACUUM INTO ?").bind(copy.to_string_lossy().into_owned());
    vacuum.execute(&mut connection).await.expect("copied");
    connection.close().await.expect("closed");
    fs::read(copy).expect("readable")
}

async fn documents(database: &Database) -> BTreeMap<String, Vec<Document>> {
    let mut collections = BTreeMap::new();
    for name in database.list_collection_names().await.expect("listed") {
        let all = database
            .collection::<Document>(&name)
            .find(doc! {})
            .await
            .expect("found");
        collections.insert(name, all.try_collect().await.expect("read"));
    }
    assert!(!collections.is_empty());
    collections
}

async fn restore(copy: &Copy, setup: &Setup, name: &str, database: Option<Database>) {
    match (copy, database) {
        (Copy::File(bytes), None) => {
            for path in paths(setup, name) {
                fs::remove_file(path).expect("removed");
            }
            fs::write(setup.folder().join(name), bytes).expect("written");
        }
        (Copy::Documents(collections), Some(database)) => {
            for name in database.list_collection_names().await.expect("listed") {
                let collection = database.collection::<Document>(&name);
                collection.delete_many(doc! {}).await.expect("emptied");
            }
            for (name, documents) in collections.iter().filter(|(_, documents)| !documents.is_empty()) {
                let collection = database.collection::<Document>(name);
                collection.insert_many(documents).await.expect("inserted");
            }
        }
        _ => panic!("a copy of another store"),
    }
}
