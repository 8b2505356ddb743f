//! The indexes that are there, compared with those that are needed; and the settings that bound an operation.

use std::time::Duration;

use bson::{Document, doc};
use mongodb::{Client, IndexModel, options::IndexOptions};
use sealgate::{
    domain::private::Private,
    storage::{
        StoreError,
        mongo::{self, IndexFinding, MongoOptions},
    },
};
use tokio::{net::TcpListener, time::Instant};

use crate::harness::{runtime, test_mongo_url, with_mongo};

fn model(name: &str, keys: Document) -> IndexModel {
    let options = IndexOptions::builder().name(name.to_owned()).build();
    IndexModel::builder().keys(keys).options(options).build()
}

#[test]
fn indexes_that_are_missing_differ_or_are_not_ours_are_told_with_their_mend() {
    with_mongo(async |options| {
        tokio::spawn(async move {
            let examine = async || mongo::examine_indexes(&options).await.expect("answers");
            assert_eq!(examine().await, [], "nothing is there yet");
            mongo::open(&options).await.expect("opens");
            assert_eq!(examine().await, [], "all were made, none was changed");

            let client = Client::with_uri_str(test_mongo_url()).await.expect("a client");
            let collection = |name: &str| client.database(&options.database).collection::<Document>(name);
            collection("registrations").drop_index("page").await.expect("drops");
            let extra = model("nobodys", doc! { "created_at": 1 });
            collection("sessions").create_index(extra).await.expect("makes");
            collection("heartbeats").drop_index("at").await.expect("drops");
            let differing = model("at", doc! { "at": 1, "email": 1 });
            collection("heartbeats").create_index(differing).await.expect("makes");

            let named = |collection: &str, index: &str| (collection.to_owned(), index.to_owned());
            let (missing, extra, differing) = (
                named("registrations", "page"),
                named("sessions", "nobodys"),
                named("heartbeats", "at"),
            );
            let expected = [
                IndexFinding::Missing {
                    collection: missing.0,
                    index: missing.1,
                },
                IndexFinding::Extra {
                    collection: extra.0,
                    index: extra.1,
                },
                IndexFinding::Differs {
                    collection: differing.0,
                    index: differing.1,
                },
            ];
            assert_eq!(examine().await, expected);
            assert_eq!(examine().await, expected, "looking changes nothing");

            let refused = mongo::open(&options).await.expect_err("one differs").to_string();
            assert!(refused.contains(r#"db.heartbeats.dropIndex("at")"#), "{refused}");
            collection("heartbeats").drop_index("at").await.expect("drops");
            mongo::open(&options).await.expect("opens, and makes what is missing");
            assert_eq!(examine().await, expected[1..2], "what is not ours stays");
        })
        .await
    });
}

#[test]
fn a_silent_server_is_given_up_within_the_configured_time() {
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let url = Private::new(format!("mongodb://127.0.0.1:{port}"));
        let options = MongoOptions {
            server_selection_timeout: Duration::from_millis(200),
            connect_timeout: Duration::from_millis(200),
            operation_timeout: Duration::from_millis(400),
            ..MongoOptions::new(url, Vec::new())
        };
        let began = Instant::now();
        let refused = mongo::open(&options).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
        drop(listener);
    });
}
