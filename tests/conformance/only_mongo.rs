//! What only a server can show: that it is gone or silent, its indexes, its collections.

use std::{
    collections::BTreeMap,
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bson::{Document, RawDocumentBuf, doc};
use futures_util::TryStreamExt as _;
use mongodb::{Client, options::ClientOptions};
use sealgate::{
    domain::private::Private,
    storage::{
        StoreError, Verdict,
        accounts::AccountRecord,
        encoding,
        mongo::{self, MongoOptions},
    },
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    time::Instant,
};

use crate::{
    harness::{runtime, test_mongo_url, with_mongo},
    records::{Person, user_type},
};

/// What an operation may take, and a little for the machine.
const BOUND: Duration = Duration::from_secs(6);

fn options_at(url: String) -> MongoOptions {
    MongoOptions::new(Private::new(url), vec![user_type("User1"), user_type("User2")])
}

async fn is_unavailable<T: std::fmt::Debug>(work: impl Future<Output = Result<T, StoreError>>) {
    let started = Instant::now();
    let outcome = work.await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
}

#[test]
fn a_server_that_is_not_there_is_unavailable_soon() {
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        is_unavailable(mongo::open(&options_at(format!("mongodb://127.0.0.1:{port}")))).await;
    });
}

#[test]
fn a_server_that_says_nothing_is_unavailable_soon() {
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        is_unavailable(mongo::open(&options_at(format!("mongodb://127.0.0.1:{port}")))).await;
        drop(listener);
    });
}

#[test]
fn an_error_never_shows_the_password() {
    runtime().block_on(async {
        for url in [
            "mongodb://ada:s3cret@127.0.0.1:1/?directConnection=perhaps",
            "mongodb://ada:s3cret@127.0.0.1:1",
            "mongodb://ada:s3cret@:::/",
            "s3cret",
        ] {
            let options = options_at(url.to_owned());
            let error = mongo::open(&options).await.expect_err("no server");
            for text in [error.to_string(), format!("{error:?}"), format!("{options:?}")] {
                assert!(!text.contains("s3cret"), "{text}");
            }
        }
    });
}

/// Stands between client and server until it is told to fail.
struct Relay {
    url: String,
    is_silent: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Relay {
    async fn start() -> Self {
        let behind = ClientOptions::parse(test_mongo_url()).await.expect("a URL").hosts[0].to_string();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!(
            "mongodb://{}/?directConnection=true",
            listener.local_addr().expect("bound")
        );
        let is_silent = Arc::new(AtomicBool::new(false));
        let silent = Arc::clone(&is_silent);
        let task = tokio::spawn(async move {
            // Dropped with the task, which cuts the connections.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let (behind, silent) = (behind.clone(), Arc::clone(&silent));
                connections.spawn(async move {
                    let mut far = TcpStream::connect(behind).await.expect("the server");
                    let relayed = copy_bidirectional(&mut near, &mut far);
                    let silence = async {
                        while !silent.load(Ordering::SeqCst) {
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                    };
                    tokio::select! {
                        _ = relayed => return,
                        () = silence => {}
                    }
                    std::future::pending::<()>().await;
                });
            }
        });
        Self { url, is_silent, task }
    }
}

#[test]
fn a_server_that_goes_or_falls_silent_is_unavailable_soon() {
    with_mongo(async |options| {
        tokio::spawn(async move {
            for falls_silent in [false, true] {
                let relay = Relay::start().await;
                let options = MongoOptions {
                    database: options.database.clone(),
                    keys_database: options.keys_database.clone(),
                    ..options_at(relay.url.clone())
                };
                let store = mongo::open(&options).await.expect("opens");
                let stores = store.stores();
                let person = Person::new(1);
                stores.accounts.insert(&person.account()).await.expect("answers");
                stores.probe.probe().await.expect("sound");
                if falls_silent {
                    relay.is_silent.store(true, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                } else {
                    relay.task.abort();
                }
                let account = Person::new(2).account();
                let key = person.key();
                let store_it = &mut |_: &mut AccountRecord| Verdict::Store;
                tokio::join!(
                    is_unavailable(stores.probe.probe()),
                    is_unavailable(stores.accounts.find(&key)),
                    is_unavailable(stores.accounts.insert(&account)),
                    is_unavailable(stores.accounts.update(&key, store_it)),
                    is_unavailable(stores.accounts.delete(&key)),
                    is_unavailable(stores.accounts.is_empty()),
                    is_unavailable(stores.keyring.list()),
                );
                relay.task.abort();
            }
        })
        .await
    });
}

#[test]
fn every_look_up_has_its_index_and_every_unique_value_a_unique_one() {
    with_mongo(async |options| {
        tokio::spawn(async move {
            mongo::open(&options).await.expect("opens");
            mongo::open(&options).await.expect("opens again and finds them made");
            let client = Client::with_uri_str(test_mongo_url()).await.expect("a client");
            let indexes = async |collection: &str| {
                let documents = client.database(&options.database).collection::<Document>(collection);
                let found = documents.list_indexes().await.expect("lists");
                let models: Vec<_> = found.try_collect().await.expect("lists");
                let named = models.into_iter().map(|model| {
                    let options = model.options.expect("options");
                    let fields: Vec<String> = model.keys.keys().cloned().collect();
                    (
                        options.name.expect("a name"),
                        (fields.join(" "), options.unique == Some(true)),
                    )
                });
                named.collect::<BTreeMap<_, _>>()
            };
            for user_type in ["User1", "User2"] {
                let accounts = indexes(&format!("accounts_{user_type}")).await;
                for slot in ["email_ix_0", "email_ix_1", "username_ix_0", "username_ix_1"] {
                    assert_eq!(accounts[slot], (slot.to_owned(), true), "{user_type}");
                }
                for slot in ["phone_ix_0", "phone_ix_1"] {
                    assert_eq!(accounts[slot], (slot.to_owned(), false), "{user_type}");
                }
                assert_eq!(accounts["due"], ("outbox_due _id".to_owned(), false), "{user_type}");
            }
            for (collection, count) in [
                ("registrations", 6),
                ("sessions", 3),
                ("requests", 3),
                ("audit", 2),
                ("heartbeats", 1),
            ] {
                let found = indexes(collection).await;
                assert_eq!(found.len(), count + 1, "{collection} has these and its _id: {found:?}");
                assert!(
                    found.iter().all(|(name, (_, is_unique))| !is_unique || name == "_id_"),
                    "{found:?}"
                );
            }
        })
        .await
    });
}

#[test]
fn a_user_type_that_is_not_configured_is_refused_and_still_counted() {
    with_mongo(async |options| {
        tokio::spawn(async move {
            let both = mongo::open(&options).await.expect("opens").stores();
            let person = Person {
                user_type: user_type("User2"),
                ..Person::new(1)
            };
            both.accounts.insert(&person.account()).await.expect("answers");
            let options = MongoOptions {
                user_types: vec![user_type("User1")],
                ..options
            };
            let fewer = mongo::open(&options).await.expect("opens").stores();
            is_unavailable(fewer.accounts.insert(&person.account())).await;
            is_unavailable(fewer.deks.insert(&person.dek())).await;
            assert!(
                !fewer.accounts.is_empty().await.expect("answers"),
                "its keys are still needed"
            );
        })
        .await
    });
}

#[test]
fn a_document_is_the_encoded_record() {
    with_mongo(async |options| {
        tokio::spawn(async move {
            let stores = mongo::open(&options).await.expect("opens").stores();
            let account = Person::new(1).full_account();
            stores.accounts.insert(&account).await.expect("answers");
            stores.deks.insert(&Person::new(1).dek()).await.expect("answers");
            let client = Client::with_uri_str(test_mongo_url()).await.expect("a client");
            let find = async |database: &str, collection: &str| {
                let documents = client.database(database).collection::<RawDocumentBuf>(collection);
                documents.find_one(doc! {}).await.expect("finds").expect("one")
            };
            let document = find(&options.database, "accounts_User1").await;
            assert_eq!(
                document.as_bytes(),
                encoding::encode("account", &account).expect("encodes")
            );
            find(&options.keys_database, "deks_User1").await;
        })
        .await
    });
}

#[test]
fn a_damaged_document_is_named_and_not_shown() {
    with_mongo(async |options| {
        tokio::spawn(async move {
            let stores = mongo::open(&options).await.expect("opens").stores();
            let person = Person::new(1);
            stores.accounts.insert(&person.account()).await.expect("answers");
            let client = Client::with_uri_str(test_mongo_url()).await.expect("a client");
            let documents = client
                .database(&options.database)
                .collection::<Document>("accounts_User1");
            let damage = doc! { "$set": { "status": "ada@example.com" } };
            documents.update_one(doc! {}, damage).await.expect("damages");
            for error in [
                stores.accounts.find(&person.key()).await.expect_err("damaged"),
                stores
                    .accounts
                    .update(&person.key(), &mut |_| Verdict::Store)
                    .await
                    .expect_err("damaged"),
            ] {
                assert!(matches!(error, StoreError::Damaged(_)), "{error}");
                let text = error.to_string();
                assert!(text.contains(person.id.as_str()) && !text.contains("ada"), "{text}");
            }
        })
        .await
    });
}

#[test]
fn a_closed_store_is_unavailable() {
    with_mongo(async |options| {
        tokio::spawn(async move {
            let store = mongo::open(&options).await.expect("opens");
            let stores = store.stores();
            store.close().await;
            is_unavailable(stores.accounts.find(&Person::new(1).key())).await;
            is_unavailable(stores.probe.probe()).await;
        })
        .await
    });
}
