//! Jobs of keys, in the key database; their ids name the user type.

use crate::storage::{
    key_jobs::{KeyJobRecord, KeyJobs},
    mongo::{
        documents::{Collections, Stored},
        indexes::Index,
    },
};

impl Stored for KeyJobRecord {
    const IS_KEY: bool = true;
    const INDEXES: &'static [Index] = &[];
}

impl KeyJobs for Collections<KeyJobRecord> {}
