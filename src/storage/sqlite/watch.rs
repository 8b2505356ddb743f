//! Tells whether anything was committed to a database file, without leaving the thread that asks.
//!
//! A connection of its own, which only reads: SQLite counts for each connection the commits that it did not make itself
//! (`PRAGMA data_version`), whichever connection of whichever process made them. The driver of the other connections has
//! a thread for each, and what goes there and back costs a hundred times as much as the answer; this one is asked where
//! the question arises. What it reads lies in memory (the index of the log), so that nobody waits for a disk.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

/// The state of a file as of one moment: two that are equal have no commit between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version(i64);

/// The connection.
#[derive(Debug)]
pub(super) struct Watch(Mutex<Option<Connection>>);

impl Watch {
    /// Watches the file at `path`, which is a database in WAL mode by now. Without a connection nothing is ever known,
    /// and everything is read.
    pub(super) fn open(path: &Path) -> Self {
        // Its mutex is ours.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
            connection.busy_timeout(Duration::ZERO)?;
            Ok(connection)
        });
        Self(Mutex::new(opened.ok()))
    }

    /// The state right now; nothing where it can't be told, which is not waited for.
    pub(super) fn version(&self) -> Option<Version> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.as_ref()?.prepare_cached("PRAGMA data_version").ok()?;
        statement.query_row([], |row| row.get(0)).ok().map(Version)
    }

    /// Closes the connection; from then on nothing is known.
    pub(super) fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
