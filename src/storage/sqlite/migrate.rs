//! The tables' shape: numbered steps of SQL, compiled in, each applied once and in order.
//!
//! `PRAGMA user_version` counts the steps that a file has seen. They are applied in one `BEGIN IMMEDIATE` transaction,
//! so that of processes that start together one applies them and the others find them applied.
//!
//! To add a step: the next number under `migrations/`, and a line below. A step that was released is never edited.

use sqlx::{Connection as _, SqliteConnection};

use crate::storage::{documents::StoreError, sqlite::errors::translate};

/// Steps of `sealgate.db`.
pub(super) const RECORDS: &[&str] = &[
    include_str!("migrations/sealgate/0001_records.sql"),
    include_str!("migrations/sealgate/0002_dead_letters.sql"),
    include_str!("migrations/sealgate/0003_audit.sql"),
    include_str!("migrations/sealgate/0004_text_counts.sql"),
    include_str!("migrations/sealgate/0005_account_status.sql"),
];
/// Steps of `keys.db`.
pub(super) const KEYS: &[&str] = &[
    include_str!("migrations/keys/0001_keys.sql"),
    include_str!("migrations/keys/0002_key_jobs.sql"),
];

/// Brings the database to the last of `steps`; refuses one that has seen more than that.
pub(super) async fn migrate(
    file: &str,
    connection: &mut SqliteConnection,
    steps: &'static [&'static str],
) -> Result<(), StoreError> {
    let failed = |error: sqlx::Error| translate(file, &error);
    if pending(file, connection, steps).await?.is_empty() {
        return Ok(());
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    // Asked again: another process may have been quicker.
    for step in pending(file, &mut transaction, steps).await? {
        sqlx::raw_sql(*step).execute(&mut *transaction).await.map_err(failed)?;
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA user_version = {}", steps.len())))
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

async fn pending<'s>(
    file: &str,
    connection: &mut SqliteConnection,
    steps: &'s [&'static str],
) -> Result<&'s [&'static str], StoreError> {
    let seen: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(connection)
        .await
        .map_err(|error| translate(file, &error))?;
    usize::try_from(seen).ok().and_then(|seen| steps.get(seen..)).ok_or_else(|| {
        StoreError::Unavailable(format!(
            "{file} was written by a newer version of Sealgate (its schema is {seen}, this version knows {}): start \
             that version, or restore the back-up from before its first start",
            steps.len()
        ))
    })
}
