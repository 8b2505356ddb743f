//! Stores to run a case against.

use std::{panic::resume_unwind, sync::Arc};

use sealgate::{
    crypto::system_entropy::SystemEntropy,
    domain::{entropy::make_bytes, private::Private},
    storage::{
        Stores,
        mongo::{self, MongoOptions},
        sqlite,
    },
};
use tokio::{runtime::Runtime, sync::Barrier, task::JoinSet};

use crate::records::user_type;

/// One store, opened twice.
#[derive(Clone)]
pub(crate) struct World {
    /// As one process has it.
    pub(crate) stores: Stores,
    /// As another does.
    pub(crate) other: Stores,
}

impl World {
    /// One opening or the other, by turns.
    pub(crate) fn by_turns(&self, n: usize) -> Stores {
        if n.is_multiple_of(2) { &self.stores } else { &self.other }.clone()
    }
}

/// Runs `case` against SQLite.
pub(crate) fn sqlite<F: Future<Output = ()>>(case: impl FnOnce(World) -> F) {
    runtime().block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let one = sqlite::open(folder.path()).await.expect("opens");
        let two = sqlite::open(folder.path()).await.expect("opens again");
        case(World {
            stores: one.stores(),
            other: two.stores(),
        })
        .await;
        one.close().await;
        two.close().await;
    });
}

/// Runs `case` against the server that `TEST_MONGO_URL` names, in databases of its own.
pub(crate) fn mongo<F: Future<Output = ()> + Send + 'static>(case: impl FnOnce(World) -> F) {
    with_mongo(async |options| {
        let one = mongo::open(&options).await.expect("opens");
        let two = mongo::open(&options).await.expect("opens again");
        let outcome = tokio::spawn(case(World {
            stores: one.stores(),
            other: two.stores(),
        }))
        .await;
        one.close().await;
        two.close().await;
        outcome
    });
}

/// Runs `work` with options that name new databases, and drops these, whatever came of it.
pub(crate) fn with_mongo(work: impl AsyncFnOnce(MongoOptions) -> Result<(), tokio::task::JoinError>) {
    runtime().block_on(async {
        let url = test_mongo_url();
        let name = data_encoding::HEXLOWER.encode(&make_bytes::<8>(&SystemEntropy));
        let options = MongoOptions {
            database: format!("test_{name}"),
            keys_database: format!("test_{name}_keys"),
            ..MongoOptions::new(Private::new(url.clone()), vec![user_type("User1"), user_type("User2")])
        };
        let databases = [options.database.clone(), options.keys_database.clone()];
        let outcome = work(options).await;
        let client = mongodb::Client::with_uri_str(url).await.expect("a client");
        for database in databases {
            client.database(&database).drop().await.expect("drops");
        }
        if let Err(failure) = outcome {
            resume_unwind(failure.into_panic());
        }
    });
}

#[expect(clippy::disallowed_methods, reason = "names the server that the tests run against")]
pub(crate) fn test_mongo_url() -> String {
    std::env::var("TEST_MONGO_URL").expect(
        "TEST_MONGO_URL must name a MongoDB server to test against: run scripts/test, which starts one, or start \
         scripts/mongo-test-server and set it to the URL that it prints",
    )
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Does `work` `count` times at once; the answers in order of their numbers.
pub(crate) async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: usize,
    work: impl Fn(usize) -> F,
) -> Vec<T> {
    let start = Arc::new(Barrier::new(count));
    let mut tasks = JoinSet::new();
    for n in 0..count {
        let (start, work) = (Arc::clone(&start), work(n));
        tasks.spawn(async move {
            start.wait().await;
            (n, work.await)
        });
    }
    let mut answers = tasks.join_all().await;
    answers.sort_by_key(|(n, _)| *n);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// How many of `answers` are `wanted`.
pub(crate) fn count<T: PartialEq>(answers: &[T], wanted: &T) -> usize {
    answers.iter().filter(|answer| *answer == wanted).count()
}
