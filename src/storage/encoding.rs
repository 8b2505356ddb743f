//! How a record becomes a document: BSON, the same bytes in every adapter, so that what one stored another can take
//! over as it is.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

use crate::storage::{
    documents::{Record, StoreError},
    schema::Schema,
};

/// The document of `record`; `name` is for the error alone.
pub fn encode<T: Serialize>(name: impl fmt::Display, record: &T) -> Result<Vec<u8>, StoreError> {
    bson::serialize_to_vec(record).map_err(|_| StoreError::Damaged(format!("{name} cannot be encoded")))
}

/// The record of a document, of one that has had one version only.
pub fn decode<T: DeserializeOwned>(name: impl fmt::Display, document: &[u8]) -> Result<T, StoreError> {
    Schema::new(&[]).decode(name, document)
}

/// The document of `record` as `schema` writes it.
pub fn encode_as<R: Record>(schema: Schema, name: impl fmt::Display, record: &R) -> Result<Vec<u8>, StoreError> {
    if record.schema() == schema.version() {
        return encode(name, record);
    }
    let mut record = record.clone();
    record.set_schema(schema.version());
    encode(name, &record)
}
