//! Wrapped data keys, in `keys.db`.

use crate::storage::{
    deks::{DekRecord, Deks},
    documents::Unique,
    sqlite::documents::{Cell, Row, Table},
};

impl Row for DekRecord {
    const LOOKUPS: &'static [&'static str] = &[];
    const UNIQUE: &'static [(&'static str, Unique)] = &[];
    fn lookups(&self) -> Vec<Cell<'_>> {
        Vec::new()
    }
}

impl Deks for Table<DekRecord> {}
