//! Records of several versions in one store, read and written by processes of two: one that knows the first version of a
//! request and one that knows a third. No record has a second version yet, so the steps are the test's own.

use std::time::Duration;

use bson::Bson;
use sealgate::{
    domain::{clock::Timestamp, private::Private, user_type::UserType},
    service::migrate::{Progress, migrate},
    storage::{
        Change, Changed, Record as _, StoreError, Stores, Verdict, change,
        mongo::{self, MongoOptions},
        requests::RequestRecord,
        schema::{Schemas, Step},
        sqlite,
    },
};
use tokio::task::JoinSet;

use crate::{
    harness::{runtime, with_mongo},
    records::{NOW, Person, at, request, user_type},
};

/// The second version ends an hour later, the third twice as late as that: applied twice, left out or out of order, the
/// end is another.
const STEPS: &[Step] = &[
    |mut document| {
        let end = document.get_i64("expires_at").ok()?;
        document.insert("expires_at", Bson::Int64(end + 3_600_000));
        Some(document)
    },
    |mut document| {
        let end = document.get_i64("expires_at").ok()?;
        document.insert("expires_at", Bson::Int64(end * 2));
        Some(document)
    },
];

fn migrated(end: Timestamp) -> Timestamp {
    Timestamp::from_millis((end.as_millis() + 3_600_000) * 2)
}

/// One store, opened by processes of two versions.
struct Ages {
    old: Stores,
    new: Stores,
    also_new: Stores,
}

fn third() -> Schemas {
    Schemas::current().with(RequestRecord::NAME, STEPS)
}

fn in_sqlite<F: Future<Output = ()>>(case: impl FnOnce(Ages) -> F) {
    runtime().block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let open = async |schemas| sqlite::open_with(folder.path(), schemas).await.expect("opens").stores();
        let ages = Ages {
            old: open(Schemas::current()).await,
            new: open(third()).await,
            also_new: open(third()).await,
        };
        case(ages).await;
    });
}

fn in_mongo<F: Future<Output = ()> + Send + 'static>(case: impl FnOnce(Ages) -> F) {
    with_mongo(async |options| {
        let open = async |schemas| {
            let options = MongoOptions {
                url: Private::new(options.url.expose().to_owned()),
                database: options.database.clone(),
                keys_database: options.keys_database.clone(),
                schemas,
                ..MongoOptions::new(Private::new(String::new()), options.user_types.clone())
            };
            mongo::open(&options).await.expect("opens").stores()
        };
        let ages = Ages {
            old: open(Schemas::current()).await,
            new: open(third()).await,
            also_new: open(third()).await,
        };
        tokio::spawn(case(ages)).await
    });
}

macro_rules! cases {
    ($($case:ident)+) => {
        mod sqlite_ages {$(
            #[test]
            fn $case() { super::in_sqlite(super::$case); }
        )+}
        mod mongo_ages {$(
            #[test]
            fn $case() { super::in_mongo(super::$case); }
        )+}
    };
}

cases! {
    an_older_record_is_read_as_the_newest_and_stays_as_it_was
    a_newer_record_is_neither_read_nor_written_over
    what_is_changed_is_written_as_the_newest_once
    a_dry_run_counts_and_changes_nothing
    two_migrations_and_the_changes_of_servers_lose_nothing
    one_that_was_stopped_goes_on
}

async fn insert(stores: &Stores, records: &[RequestRecord]) {
    for record in records {
        stores.requests.insert(record).await.expect("answers");
    }
}

async fn find(stores: &Stores, record: &RequestRecord) -> RequestRecord {
    let found = stores.requests.find(&record.key()).await.expect("answers");
    found.expect("there")
}

async fn version(stores: &Stores, record: &RequestRecord) -> u16 {
    let versions = stores.requests.versions(&record.user_type, None, 500).await;
    let versions = versions.expect("answers");
    versions.iter().find(|(id, _)| *id == record.id).expect("there").1
}

async fn an_older_record_is_read_as_the_newest_and_stays_as_it_was(ages: Ages) {
    let record = request(1, at(0), at(10));
    insert(&ages.old, std::slice::from_ref(&record)).await;
    let read = find(&ages.new, &record).await;
    assert_eq!(read.expires_at, migrated(record.expires_at));
    let mut expected = record.clone();
    expected.expires_at = read.expires_at;
    assert_eq!(read, expected, "and nothing else");
    let left = ages.new.requests.update(&record.key(), &mut |_| Verdict::Leave).await;
    left.expect("answers");
    assert_eq!(find(&ages.old, &record).await, record);
    assert_eq!(version(&ages.new, &record).await, 1);
    let by_look_up = ages.new.requests.due(&user_type("User1"), NOW, 10).await;
    assert_eq!(by_look_up.expect("answers"), [record.id]);
}

async fn a_newer_record_is_neither_read_nor_written_over(ages: Ages) {
    let record = request(1, at(0), at(10));
    insert(&ages.new, std::slice::from_ref(&record)).await;
    assert_eq!(version(&ages.old, &record).await, 3);
    let store = &mut |_: &mut RequestRecord| -> Verdict { unreachable!("it can't be read") };
    for refused in [
        ages.old.requests.find(&record.key()).await.expect_err("newer"),
        ages.old.requests.update(&record.key(), store).await.expect_err("newer"),
    ] {
        assert!(matches!(refused, StoreError::Newer(_)), "{refused}");
        let text = refused.to_string();
        assert!(
            text.contains(record.id.as_str()) && text.contains("newer version"),
            "{text}"
        );
    }
    let mut expected = record.clone();
    expected.schema = 3;
    assert_eq!(find(&ages.also_new, &record).await, expected);
}

async fn what_is_changed_is_written_as_the_newest_once(ages: Ages) {
    let record = request(1, at(0), at(10));
    insert(&ages.old, std::slice::from_ref(&record)).await;
    for changes in 1..=3 {
        let changed = change(&*ages.new.requests, &record.key(), |_| Change::Store(())).await;
        assert_eq!(changed.expect("answers"), Changed::Stored(()));
        let found = find(&ages.also_new, &record).await;
        assert_eq!(
            (found.schema, found.rev, found.expires_at),
            (3, changes, migrated(record.expires_at))
        );
    }
}

fn types() -> [UserType; 2] {
    ["User1", "User2"].map(user_type)
}

/// What it told last of requests, user type by user type.
async fn run(stores: &Stores, is_dry: bool) -> Vec<Progress> {
    let mut told = Vec::new();
    let mut tell = |progress: &Progress| {
        if progress.is_done && (progress.record == RequestRecord::NAME || progress.older > 0) {
            told.push(progress.clone());
        }
        Ok(())
    };
    migrate(stores, &types(), is_dry, &mut tell).await.expect("answers");
    told
}

fn counts(told: &[Progress]) -> Vec<(u64, u64, u64)> {
    let of = |progress: &Progress| (progress.seen, progress.older, progress.migrated);
    told.iter().map(of).collect()
}

fn requests(count: usize) -> Vec<RequestRecord> {
    (0..count).map(|n| request(n, at(0), at(10))).collect()
}

async fn a_dry_run_counts_and_changes_nothing(ages: Ages) {
    let records = requests(3);
    insert(&ages.old, &records[..2]).await;
    insert(&ages.new, &records[2..]).await;
    let elsewhere = RequestRecord {
        user_type: user_type("User2"),
        ..request(9, at(0), at(10))
    };
    insert(&ages.old, std::slice::from_ref(&elsewhere)).await;
    ages.old
        .accounts
        .insert(&Person::new(1).account())
        .await
        .expect("answers");
    for _ in 0..2 {
        assert_eq!(counts(&run(&ages.new, true).await), [(3, 2, 0), (1, 1, 0)]);
        assert_eq!(version(&ages.new, &records[0]).await, 1);
    }
    assert_eq!(counts(&run(&ages.new, false).await), [(3, 2, 2), (1, 1, 1)]);
    assert_eq!(
        counts(&run(&ages.new, false).await),
        [(3, 0, 0), (1, 0, 0)],
        "again, nothing"
    );
    let told = run(&ages.old, false).await;
    assert_eq!(
        (counts(&told), told[0].newer),
        (vec![(3, 0, 0), (1, 0, 0)], 3),
        "an old process leaves them alone"
    );
    assert_eq!(
        find(&ages.new, &elsewhere).await.expires_at,
        migrated(elsewhere.expires_at)
    );
}

async fn two_migrations_and_the_changes_of_servers_lose_nothing(ages: Ages) {
    const COUNT: usize = 250;
    const CHANGES: u32 = 3;
    let records = requests(COUNT);
    insert(&ages.old, &records).await;
    let mut servers = JoinSet::new();
    for (n, record) in records.iter().enumerate().step_by(5) {
        let stores = if n.is_multiple_of(2) { &ages.new } else { &ages.also_new }.clone();
        let key = record.key();
        servers.spawn(async move {
            for _ in 0..CHANGES {
                let changed = change(&*stores.requests, &key, |request: &mut RequestRecord| {
                    let now = NOW.plus(Duration::from_secs(request.rev));
                    Change::Store(request.outbox.hand_over_due(now))
                });
                changed.await.expect("answers");
            }
        });
    }
    let (one, other) = tokio::join!(run(&ages.new, false), run(&ages.also_new, false));
    servers.join_all().await;
    let moved = one[0].migrated + other[0].migrated;
    assert!(moved <= COUNT as u64, "each at most once: {one:?} {other:?}");
    assert_eq!(counts(&run(&ages.new, true).await)[0], (COUNT as u64, 0, 0));
    for (n, record) in records.iter().enumerate() {
        let found = find(&ages.new, record).await;
        assert_eq!(
            (found.schema, found.expires_at),
            (3, migrated(record.expires_at)),
            "{n}"
        );
        let changes = if n.is_multiple_of(5) { u64::from(CHANGES) } else { 0 };
        // One more where a migration was quicker than the first change.
        assert!([changes, changes + 1].contains(&found.rev), "{n}: {}", found.rev);
    }
}

async fn one_that_was_stopped_goes_on(ages: Ages) {
    let records = requests(450);
    insert(&ages.old, &records).await;
    let mut pages = 0;
    let mut stop = |progress: &Progress| {
        pages += usize::from(progress.record == RequestRecord::NAME);
        if pages == 1 {
            Err(std::io::ErrorKind::BrokenPipe.into())
        } else {
            Ok(())
        }
    };
    let stopped = migrate(&ages.new, &types(), false, &mut stop).await;
    assert!(stopped.is_err());
    assert_eq!(counts(&run(&ages.new, true).await)[0], (450, 250, 0));
    assert_eq!(counts(&run(&ages.also_new, false).await)[0], (450, 250, 250));
    for record in [&records[0], &records[199], &records[200], &records[449]] {
        assert_eq!(find(&ages.new, record).await.expires_at, migrated(record.expires_at));
    }
}
