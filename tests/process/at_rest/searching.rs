//! The search finds what is planted: every mark in every form, in files, journals of SQLite, collections and Redis.

use bson::{Binary, doc, spec::BinarySubtype};
use redis::AsyncCommands as _;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{
    markers::{Form, Mark, Searcher},
    person::Person,
    places,
};
use crate::{
    installation::Installation,
    stores::{OwnRedis, SharedStores},
};

fn marks() -> Vec<Mark> {
    let mut marks = Person::new("somebody").marks;
    marks.push(Mark::code("code", "042137"));
    marks.push(Mark::new("bytes", (0x80..0xA0).collect::<Vec<u8>>()));
    marks
}

/// Every form with its mark.
fn forms(marks: &[Mark]) -> Vec<(&Mark, Form)> {
    let forms = marks
        .iter()
        .flat_map(|mark| mark.forms().into_iter().map(move |form| (mark, form)));
    forms.collect()
}

/// Among other text, so that nothing depends on where it stands.
fn buried(form: &Form) -> Vec<u8> {
    [b"\x00some words: \"", form.bytes.as_slice(), b"\", and others\xff"].concat()
}

fn is_found(searcher: &Searcher, mark: &Mark, place: &str, hay: &[u8]) -> bool {
    searcher.search(place, hay).iter().any(|hit| hit.what == mark.what)
}

#[test]
fn every_mark_is_found_in_every_form_in_a_file() {
    let installation = Installation::new();
    let marks = marks();
    let searcher = Searcher::new(&marks);
    let forms = forms(&marks);
    assert!(
        forms.len() > marks.len() * 9,
        "{} forms of {}",
        forms.len(),
        marks.len()
    );
    for (number, (mark, form)) in forms.iter().enumerate() {
        let folder = installation.path().join(format!("{number}"));
        std::fs::create_dir(&folder).expect("made");
        std::fs::write(folder.join("a file"), buried(form)).expect("written");
        let [(name, hay)] = places::files(&folder, &|_| false).try_into().expect("one");
        assert!(is_found(&searcher, mark, &name, &hay), "{} as {}", mark.what, form.name);
    }
    assert_eq!(
        searcher.search("elsewhere", b"\x00some words: nothing of anybody\xff"),
        []
    );
    // A name of a file tells as well.
    let named = installation.path().join("named");
    std::fs::create_dir(&named).expect("made");
    std::fs::write(
        named.join(String::from_utf8_lossy(&marks[2].bytes[..]).replace('/', "_")),
        b"",
    )
    .expect("written");
    let named = places::files(&named, &|_| false);
    assert!(!searcher.search("named", &named[0].1).is_empty());
}

#[test]
fn base64_is_found_wherever_its_group_begins_and_ends() {
    let mark = Mark::new("a text", "mark?of~somebody>");
    let searcher = Searcher::new(std::slice::from_ref(&mark));
    for before in 0..7 {
        for after in 0..4 {
            let text = [&vec![b'<'; before][..], &mark.bytes, &vec![b'>'; after]].concat();
            for encoding in [
                data_encoding::BASE64,
                data_encoding::BASE64_NOPAD,
                data_encoding::BASE64URL,
                data_encoding::BASE64URL_NOPAD,
            ] {
                let hay = encoding.encode(&text);
                assert!(is_found(&searcher, &mark, "", hay.as_bytes()), "{before} {after} {hay}");
            }
        }
    }
}

#[test]
fn six_digits_count_where_they_stand_alone() {
    let searcher = Searcher::new(&[Mark::code("code", "042137")]);
    for (text, hits) in [
        ("code 042137.", 1),
        ("3.042137 s", 0),
        ("\"042137\"", 1),
        ("otp=042137&", 1),
        ("1042137", 0),
        (".042137Z", 0),
    ] {
        assert_eq!(searcher.search("", text.as_bytes()).len(), hits, "{text}");
    }
}

#[tokio::test]
async fn every_mark_is_found_in_a_journal_of_sqlite() {
    let installation = Installation::new();
    let marks = marks();
    let searcher = Searcher::new(&marks);
    let options = SqliteConnectOptions::new()
        .filename(installation.path().join("planted.db"))
        .create_if_missing(true)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
        .pragma("wal_autocheckpoint", "0");
    let mut database = SqliteConnection::connect_with(&options).await.expect("opened");
    sqlx::query("CREATE TABLE planted (text TEXT, bytes BLOB)")
        .execute(&mut database)
        .await
        .expect("made");
    for (mark, form) in forms(&marks) {
        let insert = "INSERT INTO planted VALUES (?, ?)";
        let text = String::from_utf8_lossy(&form.bytes).into_owned();
        sqlx::query(insert)
            .bind(text)
            .bind(buried(&form))
            .execute(&mut database)
            .await
            .expect("planted");
        let files = places::files(installation.path(), &|_| false);
        let journal = files
            .iter()
            .find(|(name, _)| name.ends_with("planted.db-wal"))
            .expect("a journal");
        assert!(
            is_found(&searcher, mark, &journal.0, &journal.1),
            "{} as {}",
            mark.what,
            form.name
        );
        sqlx::query("DELETE FROM planted")
            .execute(&mut database)
            .await
            .expect("removed");
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut database)
            .await
            .expect("emptied");
    }
    database.close().await.expect("closed");
}

#[tokio::test]
async fn every_mark_is_found_in_a_collection() {
    let stores = SharedStores::new();
    let database = stores.mongo().await;
    let marks = marks();
    let searcher = Searcher::new(&marks);
    let planted = database.collection("planted");
    for (number, (mark, form)) in forms(&marks).into_iter().enumerate() {
        let bytes = Binary {
            subtype: BinarySubtype::Generic,
            bytes: buried(&form),
        };
        // As text where it is one, as bytes, as the name of a member.
        let text = String::from_utf8(form.bytes.clone()).ok();
        let id = i64::try_from(number).expect("small");
        let mut documents = vec![doc! { "_id": id, "deep": { "list": [1, bytes] } }];
        documents.extend(text.map(|text| doc! { "_id": id, "text": text }));
        for document in documents {
            planted.insert_one(document).await.expect("planted");
            let places = places::collections(&database).await;
            let is_found = places.iter().any(|(name, hay)| is_found(&searcher, mark, name, hay));
            assert!(is_found, "{} as {}", mark.what, form.name);
            planted.delete_one(doc! { "_id": id }).await.expect("removed");
        }
    }
    stores.remove().await;
}

#[tokio::test]
async fn every_mark_is_found_in_redis_in_a_key_and_in_every_kind_of_value() {
    let installation = Installation::new();
    let server = OwnRedis::start(&installation, &[]).await;
    let monitor = places::Monitor::of(server.url.trim_start_matches("redis://"));
    let client = redis::Client::open(server.url.as_str()).expect("a client");
    let mut redis = client.get_multiplexed_async_connection().await.expect("Redis answers");
    let marks = marks();
    let searcher = Searcher::new(&marks);
    for (mark, form) in forms(&marks) {
        let value = buried(&form);
        for kind in ["key", "SET", "HSET", "SADD", "LPUSH", "ZADD", "XADD"] {
            let mut command = redis::cmd(if kind == "key" { "SET" } else { kind });
            match kind {
                "key" => command.arg(&value).arg("1"),
                "SET" | "SADD" | "LPUSH" => command.arg("k").arg(&value),
                "HSET" => command.arg("k").arg("field").arg(&value),
                "ZADD" => command.arg("k").arg(1).arg(&value),
                _ => command.arg("k").arg("*").arg("field").arg(&value),
            };
            let _: redis::Value = command.query_async(&mut redis).await.expect("planted");
            let places = places::redis_values(&server.url).await;
            let is_found = places.iter().any(|(name, hay)| is_found(&searcher, mark, name, hay));
            assert!(is_found, "{} as {} in {kind}", mark.what, form.name);
            let _: () = redis.flushall().await.expect("removed");
        }
    }
    // What is gone was told, all the same.
    let seen = monitor.seen();
    for mark in &marks {
        assert!(is_found(&searcher, mark, "commands", &seen), "{}", mark.what);
    }
}
