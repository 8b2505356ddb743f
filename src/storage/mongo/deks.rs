//! Wrapped data keys, in the key database; a collection for each user type, because their ids are the accounts'.

use crate::storage::{
    deks::{DekRecord, Deks},
    mongo::{
        documents::{Collections, Stored},
        indexes::Index,
    },
};

impl Stored for DekRecord {
    const IS_KEY: bool = true;
    const IS_PER_USER_TYPE: bool = true;
    const INDEXES: &'static [Index] = &[];
}

impl Deks for Collections<DekRecord> {}
