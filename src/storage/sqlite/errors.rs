//! What SQLite's errors mean to a caller. Texts are our own: they name the file and the reason, never a value.

use sqlx::error::DatabaseError;

use crate::storage::documents::StoreError;

// Primary result codes, https://www.sqlite.org/rescode.html; the low byte of an extended one.
const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const READONLY: u32 = 8;
const IOERR: u32 = 10;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const CANTOPEN: u32 = 14;
const NOTADB: u32 = 26;

/// The error of an operation on the database file `file`.
pub(super) fn translate(file: &str, error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) => by_code(file, code(&**error)),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) | sqlx::Error::TypeNotFound { .. } => {
            StoreError::Damaged(format!("{file} has a row of an unknown shape"))
        }
        sqlx::Error::PoolTimedOut => StoreError::Unavailable(format!("{file}: too many operations wait for it")),
        sqlx::Error::PoolClosed => StoreError::Unavailable(format!("{file} is closed")),
        sqlx::Error::Io(error) => StoreError::Unavailable(format!("{file}: {}", error.kind())),
        _ => StoreError::Unavailable(format!("{file}: the connection failed")),
    }
}

/// Whether the error is a broken uniqueness.
pub(super) fn is_duplicate(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(DatabaseError::is_unique_violation)
}

/// Whether another connection held the lock that was needed.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| matches!(code(error) & 0xff, BUSY | LOCKED))
}

/// The extended result code; zero, which no error has, when there is none.
fn code(error: &dyn DatabaseError) -> u32 {
    error.code().and_then(|code| code.parse().ok()).unwrap_or(0)
}

fn by_code(file: &str, code: u32) -> StoreError {
    let reason = match code & 0xff {
        CORRUPT => return StoreError::Damaged(format!("{file} (SQLite code {code}): restore it from its back-up")),
        NOTADB => return StoreError::Damaged(format!("{file} is not a database (SQLite code {code})")),
        BUSY | LOCKED => "is locked by another process",
        READONLY => "may not be written to",
        IOERR => "cannot be read or written",
        FULL => "cannot grow: the disk is full",
        CANTOPEN => "cannot be opened",
        _ => "refused an operation",
    };
    StoreError::Unavailable(format!("{file} {reason} (SQLite code {code})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_told_from_what_passes() {
        for code in [11, 267, 26] {
            assert!(matches!(by_code("a.db", code), StoreError::Damaged(_)), "{code}");
        }
        for code in [5, 6, 8, 10, 13, 14, 1, 517] {
            assert!(matches!(by_code("a.db", code), StoreError::Unavailable(_)), "{code}");
        }
    }
}
