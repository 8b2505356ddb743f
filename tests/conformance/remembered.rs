//! What the embedded store remembers of a read holds no longer than until the next commit, of whatever process.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use sealgate::storage::{
    Change, Changed, change, encoding,
    sqlite::{self, RECORDS_FILE},
};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::records::Person;

/// Names the folder to the other process.
const FOLDER: &str = "SEALGATE_TEST_REMEMBERED";
const WRITES: u64 = 100;

/// The other process says of each write that it was answered; from then on nobody may read what stood there before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_was_answered_is_read_here() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = sqlite::open(folder.path()).await.expect("opens");
    let (stores, person) = (store.stores(), Person::new(1));
    stores.accounts.insert(&person.account()).await.expect("answers");
    let mut other = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "remembered::the_other_process", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut last = 1;
    for line in BufReader::new(other.stdout.take().expect("piped")).lines() {
        let line = line.expect("reads");
        let Some(answered) = line.strip_prefix("answered ") else {
            continue;
        };
        last = answered.parse().expect("a number");
        // Twice: the second may come from what the first left behind.
        for _ in 0..2 {
            let found = stores.accounts.find(&person.key()).await.expect("answers");
            let version = found.expect("there").version;
            assert!(version >= last, "{last} was answered, {version} read");
        }
    }
    assert!(other.wait().expect("waits").success());
    assert_eq!(last, WRITES + 1);
}

#[tokio::test]
#[ignore = "one half of what_another_process_was_answered_is_read_here, which starts it"]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "how the two processes talk"
)]
async fn the_other_process() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let store = sqlite::open(Path::new(&folder)).await.expect("opens");
    let stores = store.stores();
    for _ in 0..WRITES {
        let key = Person::new(1).key();
        let changed = change(&*stores.accounts, &key, |account| {
            account.version += 1;
            Change::Store(account.version)
        });
        let Changed::Stored(version) = changed.await.expect("answers") else {
            panic!("the account is there");
        };
        println!("\nanswered {version}");
    }
    store.close().await;
}

/// Not even the record's own count of changes is believed: a row that somebody edits by hand is read again.
#[tokio::test]
async fn a_row_that_was_edited_by_hand_is_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let stores = sqlite::open(folder.path()).await.expect("opens").stores();
    let person = Person::new(1);
    let mut account = person.account();
    stores.accounts.insert(&account).await.expect("answers");
    for _ in 0..3 {
        let found = stores.accounts.find(&person.key()).await.expect("answers");
        assert_eq!(found.as_ref(), Some(&account));
    }
    account.version = 7;
    let options = SqliteConnectOptions::new().filename(folder.path().join(RECORDS_FILE));
    let mut by_hand = SqliteConnection::connect_with(&options).await.expect("connects");
    sqlx::query("UPDATE accounts SET doc = ?")
        .bind(encoding::encode("account", &account).expect("encodes"))
        .execute(&mut by_hand)
        .await
        .expect("edits");
    let found = stores.accounts.find(&person.key()).await.expect("answers");
    assert_eq!(found, Some(account));
}
