//! Wrapped data keys, in the key database; a collection for each user type, because their ids are the accounts'.

use crate::storage::{
    deks::{DekRecord, Deks},
    documents::Unique,
    mongo::{
        connection::Index,
        documents::{Collections, Stored},
    },
};

impl Stored for DekRecord {
    const IS_PER_USER_TYPE: bool = true;
    const INDEXES: &'static [Index] = &[];
    fn unique_values(&self) -> Vec<(&'static str, Unique, &[u8])> {
        Vec::new()
    }
}

impl Deks for Collections<DekRecord> {}
