//! Copies of an installation's two databases, and putting them back: what a back-up is to the service.

use std::{collections::BTreeMap, fs, path::PathBuf};

use bson::{Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Database;

use crate::support::{Setup, StoreSet};

/// Of one database.
enum Copy {
    /// Files by name: the database and what lies beside it.
    Files(BTreeMap<String, Vec<u8>>),
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
                let [records, keys] = FILES.map(|name| Copy::Files(files(setup, name)));
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
            Copy::Files(files) => files.values().any(|bytes| holds(bytes)),
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

/// The database's files in the folder, journal and shared memory among them.
fn paths(setup: &Setup, name: &str) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(setup.folder()).expect("a folder").flatten();
    let named = entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    named.filter(|(file, _)| file.starts_with(name)).collect()
}

fn files(setup: &Setup, name: &str) -> BTreeMap<String, Vec<u8>> {
    let read = |(file, path)| (file, fs::read(path).expect("readable"));
    let files: BTreeMap<_, _> = paths(setup, name).into_iter().map(read).collect();
    assert!(files.contains_key(name), "{:?}", files.keys());
    files
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
        (Copy::Files(files), None) => {
            for (_, path) in paths(setup, name) {
                fs::remove_file(path).expect("removed");
            }
            for (file, bytes) in files {
                fs::write(setup.folder().join(file), bytes).expect("written");
            }
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
