//! Wrapped root keys, in the key database. The id decides who made a version; a step is one conditional replacement.

use std::sync::Arc;

use async_trait::async_trait;
use bson::{Binary, Bson, doc, spec::BinarySubtype};

use crate::{
    crypto::keyring::KeyState,
    storage::{
        documents::{Inserted, StoreError},
        keyring::{KeyringRecord, KeyringStore},
        mongo::{
            collection::{Listing, RawCollection, Replaced},
            connection::Connection,
            documents::{decode, encode},
        },
    },
};

const NAME: &str = "keyring";

/// The collection of root keys.
#[derive(Debug)]
pub(super) struct KeyringCollection(pub(super) Arc<Connection>);

impl KeyringCollection {
    fn collection(&self) -> RawCollection {
        self.0.keys(NAME)
    }
}

#[async_trait]
impl KeyringStore for KeyringCollection {
    async fn insert(&self, record: &KeyringRecord) -> Result<Inserted, StoreError> {
        let document = encode(NAME, &record.id, record)?;
        self.collection().insert(document).await
    }

    async fn list(&self) -> Result<Vec<KeyringRecord>, StoreError> {
        let all = Listing {
            sort: doc! { "_id": 1 },
            ..Listing::default()
        };
        let found = self.collection().list(all).await?;
        found.iter().map(|document| decode(NAME, document)).collect()
    }

    async fn replace(&self, expected: &KeyringRecord, record: &KeyringRecord) -> Result<bool, StoreError> {
        let wrapped = Binary {
            subtype: BinarySubtype::Generic,
            bytes: expected.wrapped.wrapped.clone(),
        };
        let filter = doc! { "_id": &record.id, "state": stored(expected.state)?, "wrapped": wrapped };
        let document = encode(NAME, &record.id, record)?;
        let collection = self.collection();
        let replaced = collection
            .replace_one(filter, document, false, collection.deadline())
            .await?;
        Ok(replaced == Replaced::Stored)
    }
}

fn stored(state: KeyState) -> Result<Bson, StoreError> {
    bson::serialize_to_bson(&state).map_err(|_| StoreError::Damaged(format!("{NAME}: a state cannot be encoded")))
}
