//! What a wrong mount or half of a back-up leaves of the embedded store's folder.

use std::fs;

use sealgate::storage::sqlite::{self, KEYS_FILE, RECORDS_FILE};

#[tokio::test]
async fn records_that_are_gone_while_their_keys_are_there_are_told_not_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let remove = |file: &str| {
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(folder.path().join(format!("{file}{end}")));
        }
    };
    sqlite::open(folder.path()).await.expect("opens").close().await;
    remove(RECORDS_FILE);
    let error = sqlite::open(folder.path()).await.expect_err("refused").to_string();
    assert!(
        error.contains("sealgate.db is missing") && error.contains("back-up"),
        "{error}"
    );
    assert!(!folder.path().join(RECORDS_FILE).exists());
    remove(KEYS_FILE);
    sqlite::open(folder.path()).await.expect("opens").close().await;
}
