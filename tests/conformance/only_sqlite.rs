//! What only files can show: other processes, locks, removal, modes, versions.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command, time::Duration};

use sealgate::{
    crypto::keyring::KeyState,
    storage::{
        Change, Changed, Inserted, StoreError, Stores, Verdict, change, encoding,
        sqlite::{self, KEYS_FILE, RECORDS_FILE, SqliteStores},
    },
};
use sqlx::{Connection as _, Executor as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::records::{Person, audit_entry, root_key, user_type};

/// What an operation may take, and a little for the machine.
const BOUND: Duration = Duration::from_secs(6);
/// Names the folder to the other process.
const FOLDER: &str = "SEALGATE_TEST_FOLDER";

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

async fn open(folder: &Path) -> SqliteStores {
    sqlite::open(folder).await.expect("opens")
}

/// A connection that is nobody's but the test's.
async fn connect(folder: &Path, file: &str) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.join(file));
    SqliteConnection::connect_with(&options).await.expect("connects")
}

async fn count_up(stores: &Stores, times: u32) {
    for _ in 0..times {
        let counted = stores
            .accounts
            .update(&Person::new(1).key(), &mut |account| {
                account.version += 1;
                Verdict::Store
            })
            .await;
        counted.expect("answers");
    }
}

#[tokio::test]
async fn two_processes_lose_no_update_of_each_other() {
    let folder = folder();
    let store = open(folder.path()).await;
    let stores = store.stores();
    stores
        .accounts
        .insert(&Person::new(1).account())
        .await
        .expect("answers");
    let mut other = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "only_sqlite::the_other_process", "--ignored"])
        .env(FOLDER, folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("starts");
    count_up(&stores, 100).await;
    let ended = tokio::task::spawn_blocking(move || other.wait()).await.expect("joins");
    assert!(ended.expect("waits").success());
    let found = stores.accounts.find(&Person::new(1).key()).await.expect("answers");
    assert_eq!(found.expect("there").version, 201);
}

#[tokio::test]
#[ignore = "one half of two_processes_lose_no_update_of_each_other, which starts it"]
#[expect(clippy::disallowed_methods, reason = "how the one process tells the other")]
async fn the_other_process() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let store = open(Path::new(&folder)).await;
    count_up(&store.stores(), 100).await;
    store.close().await;
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let folder = folder();
    let (person, entry, key) = (Person::new(1), audit_entry(1, None), root_key(1, KeyState::Active));
    let store = open(folder.path()).await;
    let stores = store.stores();
    stores.accounts.insert(&person.full_account()).await.expect("answers");
    stores.deks.insert(&person.dek()).await.expect("answers");
    stores.audit.append(&entry).await.expect("answers");
    stores.keyring.insert(&key).await.expect("answers");
    store.close().await;

    let stores = open(folder.path()).await.stores();
    let account = stores.accounts.find(&person.key()).await.expect("answers");
    assert_eq!(account, Some(person.full_account()));
    assert_eq!(
        stores.deks.find(&person.key()).await.expect("answers"),
        Some(person.dek())
    );
    let listed = stores.audit.list(&user_type("User1"), None, None, 9).await;
    assert_eq!(listed.expect("answers"), [entry]);
    assert_eq!(stores.keyring.list().await.expect("answers"), [key]);
}

/// A process that is killed runs nothing; what it was told is stored must be there all the same.
#[tokio::test]
async fn what_was_stored_is_there_without_a_close() {
    let folder = folder();
    let store = open(folder.path()).await;
    store
        .stores()
        .accounts
        .insert(&Person::new(1).account())
        .await
        .expect("answers");
    std::mem::forget(store);
    let copy = tempfile::tempdir().expect("a folder");
    for file in [RECORDS_FILE, "sealgate.db-wal", KEYS_FILE, "keys.db-wal"] {
        fs::copy(folder.path().join(file), copy.path().join(file)).expect("copies");
    }
    let stores = open(copy.path()).await.stores();
    let found = stores.accounts.find(&Person::new(1).key()).await.expect("answers");
    assert_eq!(found, Some(Person::new(1).account()));
}

#[tokio::test]
async fn a_document_is_the_encoded_record() {
    let folder = folder();
    let account = Person::new(1).full_account();
    open(folder.path())
        .await
        .stores()
        .accounts
        .insert(&account)
        .await
        .expect("answers");
    let mut connection = connect(folder.path(), RECORDS_FILE).await;
    let stored: Vec<u8> = sqlx::query_scalar("SELECT doc FROM accounts")
        .fetch_one(&mut connection)
        .await
        .expect("one");
    assert_eq!(stored, encoding::encode("account", &account).expect("encodes"));
}

#[tokio::test]
async fn keys_and_records_lie_in_files_of_their_own() {
    let folder = folder();
    let store = open(folder.path()).await;
    store
        .stores()
        .deks
        .insert(&Person::new(1).dek())
        .await
        .expect("answers");
    let mut connection = connect(folder.path(), RECORDS_FILE).await;
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .fetch_all(&mut connection)
        .await
        .expect("a list");
    assert!(tables.contains(&"accounts".to_owned()));
    assert!(!tables.contains(&"deks".to_owned()) && !tables.contains(&"keyring".to_owned()));
}

/// A wrapped key that lay about in a free page would undo an erasure for whoever has the wrapping key.
#[tokio::test]
async fn a_destroyed_key_is_in_none_of_the_files() {
    let folder = folder();
    let stores = open(folder.path()).await.stores();
    let wrapped = Person::new(0).dek().deks["1"].wrapped.clone();
    let is_anywhere = || {
        [KEYS_FILE, "keys.db-wal"].into_iter().any(|file| {
            let bytes = fs::read(folder.path().join(file)).expect("reads");
            bytes.windows(wrapped.len()).any(|window| window == wrapped)
        })
    };
    // As many as make pages split and merge, which writes more of them than a single row does.
    let persons: Vec<Person> = (0..60).map(Person::new).collect();
    for person in &persons {
        stores.deks.insert(&person.dek()).await.expect("answers");
    }
    assert!(is_anywhere());
    let other = root_key(8, KeyState::Active).wrapped;
    for (n, person) in persons.iter().enumerate() {
        if n.is_multiple_of(2) {
            assert!(stores.deks.delete(&person.key()).await.expect("answers"));
            continue;
        }
        let replaced = change(&*stores.deks, &person.key(), |dek| {
            dek.deks.insert("1".into(), other.clone());
            Change::Store(())
        })
        .await;
        assert_eq!(replaced.expect("answers"), Changed::Stored(()));
    }
    assert!(!is_anywhere());
}

#[tokio::test]
async fn files_are_their_owners_alone() {
    let parent = folder();
    let folder = parent.path().join("a/data");
    let store = open(&folder).await;
    store
        .stores()
        .accounts
        .insert(&Person::new(1).account())
        .await
        .expect("answers");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = fs::read_dir(&folder)
        .expect("a folder")
        .map(|file| file.expect("a file").path())
        .collect();
    assert!(
        files.len() >= 6,
        "two files, each with its log and its index: {files:?}"
    );
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_and_left_alone() {
    let folder = folder();
    open(folder.path()).await.close().await;
    for file in [KEYS_FILE, RECORDS_FILE] {
        let mut connection = connect(folder.path(), file).await;
        connection.execute("PRAGMA user_version = 99").await.expect("sets");
        let refused = sqlite::open(folder.path()).await.expect_err("newer").to_string();
        assert!(refused.contains(file) && refused.contains("newer version"), "{refused}");
        let version: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut connection)
            .await
            .expect("reads");
        assert_eq!(version, 99);
    }
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let folder = folder();
    fs::write(
        folder.path().join(RECORDS_FILE),
        "ada@example.com, and much else that is no database".repeat(99),
    )
    .expect("writes");
    let refused = sqlite::open(folder.path()).await.expect_err("no database");
    assert!(matches!(refused, StoreError::Damaged(_)), "{refused}");
    assert!(!refused.to_string().contains("ada"), "{refused}");
}

#[tokio::test]
async fn a_damaged_document_is_named_and_not_shown() {
    let folder = folder();
    let stores = open(folder.path()).await.stores();
    let person = Person::new(1);
    stores.accounts.insert(&person.account()).await.expect("answers");
    let mut connection = connect(folder.path(), RECORDS_FILE).await;
    // Sound BSON of another shape: the decoder's own words would quote the value.
    let document = encoding::encode("", &bson::doc! { "_id": "ada@example.com" }).expect("encodes");
    sqlx::query("UPDATE accounts SET doc = ?")
        .bind(document)
        .execute(&mut connection)
        .await
        .expect("damages");
    for error in [
        stores.accounts.find(&person.key()).await.expect_err("damaged"),
        stores
            .accounts
            .find_by_email(&person.user_type, &person.email_candidates())
            .await
            .expect_err("damaged"),
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
}

#[tokio::test]
async fn a_lock_of_another_process_is_waited_for_and_then_told() {
    for file in [RECORDS_FILE, KEYS_FILE] {
        let folder = folder();
        let stores = open(folder.path()).await.stores();
        let mut locker = connect(folder.path(), file).await;
        locker.execute("BEGIN EXCLUSIVE").await.expect("locks");

        let person = Person::new(1);
        let started = Instant::now();
        let (probed, inserted) = if file == RECORDS_FILE {
            let account = person.account();
            tokio::join!(stores.probe.probe(), stores.accounts.insert(&account))
        } else {
            let dek = person.dek();
            tokio::join!(stores.probe.probe(), stores.deks.insert(&dek))
        };
        assert!(matches!(probed, Err(StoreError::Unavailable(_))), "{probed:?}");
        assert!(matches!(inserted, Err(StoreError::Unavailable(_))), "{inserted:?}");
        assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());

        locker.execute("ROLLBACK").await.expect("unlocks");
        stores.probe.probe().await.expect("recovered");
        let inserted = if file == RECORDS_FILE {
            stores.accounts.insert(&person.account()).await
        } else {
            stores.deks.insert(&person.dek()).await
        };
        assert_eq!(inserted.expect("answers"), Inserted::Stored);
    }
}

#[tokio::test]
async fn a_short_lock_is_waited_out() {
    let folder = folder();
    let stores = open(folder.path()).await.stores();
    let mut locker = connect(folder.path(), RECORDS_FILE).await;
    locker.execute("BEGIN IMMEDIATE").await.expect("locks");
    let account = Person::new(1).account();
    let release = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        locker.execute("ROLLBACK").await.expect("unlocks");
    };
    let (inserted, ()) = tokio::join!(stores.accounts.insert(&account), release);
    assert_eq!(inserted.expect("answers"), Inserted::Stored);
}

#[tokio::test]
async fn a_removed_or_replaced_file_fails_the_probe() {
    for file in [RECORDS_FILE, KEYS_FILE] {
        let folder = folder();
        let stores = open(folder.path()).await.stores();
        stores.probe.probe().await.expect("sound");
        let (path, aside) = (folder.path().join(file), folder.path().join("aside"));
        fs::rename(&path, &aside).expect("moves");
        assert!(stores.probe.probe().await.is_err(), "{file} is gone");
        fs::copy(&aside, &path).expect("copies");
        assert!(stores.probe.probe().await.is_err(), "{file} is another file");
        fs::rename(&aside, &path).expect("moves back");
        stores.probe.probe().await.expect("the file itself again");
    }
}

#[tokio::test]
async fn a_closed_store_is_unavailable() {
    let folder = folder();
    let store = open(folder.path()).await;
    let stores = store.stores();
    store.close().await;
    let found = stores.accounts.find(&Person::new(1).key()).await;
    assert!(matches!(found, Err(StoreError::Unavailable(_))), "{found:?}");
    assert!(stores.probe.probe().await.is_err());
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_said_so() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").expect("writes");
    let refused = sqlite::open(&file.join("data")).await.expect_err("no folder");
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
}

/// Ids and values that would mean something to SQL are values to it.
#[tokio::test]
async fn ids_are_never_read_as_sql() {
    let folder = folder();
    let stores = open(folder.path()).await.stores();
    let person = Person {
        id: "x-1--".parse().expect("a valid id"),
        ..Person::new(1)
    };
    stores.accounts.insert(&person.account()).await.expect("answers");
    let changed = change(&*stores.accounts, &person.key(), |_| Change::Store(())).await;
    assert_eq!(changed.expect("answers"), Changed::Stored(()));
    assert!(stores.accounts.delete(&person.key()).await.expect("answers"));
}
