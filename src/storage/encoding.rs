//! How a record becomes a document: BSON, the same bytes in every adapter, so that what one stored another can take
//! over as it is.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

use crate::storage::documents::StoreError;

/// The document of `record`; `name` is for the error alone.
pub fn encode<T: Serialize>(name: impl fmt::Display, record: &T) -> Result<Vec<u8>, StoreError> {
    bson::serialize_to_vec(record).map_err(|_| StoreError::Damaged(format!("{name} cannot be encoded")))
}

/// The record of a document. What is wrong with it is not told: the decoder's words may quote a value.
pub fn decode<T: DeserializeOwned>(name: impl fmt::Display, document: &[u8]) -> Result<T, StoreError> {
    bson::deserialize_from_slice(document).map_err(|_| StoreError::Damaged(name.to_string()))
}
