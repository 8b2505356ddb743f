//! Files of before accounts were listed by status.

use sealgate::{
    domain::account::AccountStatus,
    storage::{
        accounts::AccountFilter,
        sqlite::{self, RECORDS_FILE},
    },
};
use sqlx::{Connection as _, Executor as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::records::{Person, user_type};

#[tokio::test]
async fn what_was_stored_before_is_listed_by_its_status() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = sqlite::open(folder.path()).await.expect("opens");
    let active = Person::new(1).account();
    let locked = Person::new(2).full_account();
    for account in [&active, &locked] {
        store.stores().accounts.insert(account).await.expect("answers");
    }
    store.close().await;
    let options = SqliteConnectOptions::new().filename(folder.path().join(RECORDS_FILE));
    let mut file = SqliteConnection::connect_with(&options).await.expect("connects");
    let before = "DROP INDEX accounts_status; ALTER TABLE accounts DROP COLUMN status; PRAGMA user_version = 4";
    file.execute(sqlx::raw_sql(before)).await.expect("as it was");
    file.close().await.expect("closes");

    let store = sqlite::open(folder.path()).await.expect("opens");
    for (status, account) in [(AccountStatus::Active, active), (AccountStatus::Locked, locked)] {
        let filter = AccountFilter {
            status: Some(status),
            ..AccountFilter::default()
        };
        let accounts = store.stores().accounts;
        let listed = accounts.list(&user_type("User1"), &filter, None, 10).await;
        assert_eq!(listed.expect("answers"), [(account.id.clone(), Some(account))]);
    }
    store.close().await;
}
