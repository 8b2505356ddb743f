//! A data key is stored wrapped.

use sealgate::{crypto::data_key::Dek, storage::deks::DekRecord};

fn leak(record: &mut DekRecord, dek: Dek) {
    record.deks.insert("2".to_owned(), dek);
}

fn main() {}
