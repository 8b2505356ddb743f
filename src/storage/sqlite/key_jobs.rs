//! Jobs of keys, in `keys.db`.

use crate::storage::{
    documents::Unique,
    key_jobs::{KeyJobRecord, KeyJobs},
    sqlite::documents::{Cell, Row, Table},
};

impl Row for KeyJobRecord {
    const LOOKUPS: &'static [&'static str] = &[];
    const UNIQUE: &'static [(&'static str, Unique)] = &[];
    fn lookups(&self) -> Vec<Cell<'_>> {
        Vec::new()
    }
}

impl KeyJobs for Table<KeyJobRecord> {}
