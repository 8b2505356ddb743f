//! Wrapped root keys, in the key database. The id decides who made a version; a step is one conditional update.

use std::sync::Arc;

use async_trait::async_trait;
use bson::{Bson, doc};

use crate::{
    crypto::keyring::KeyState,
    storage::{
        documents::{Inserted, StoreError, Unique},
        encoding::encode,
        keyring::{KeyringRecord, KeyringStore},
        mongo::{
            connection::{Connection, Deadline, Documents},
            documents::{insert_once, list, read},
        },
    },
};

const NAME: &str = "keyring";

/// The collection of root keys.
#[derive(Debug)]
pub(super) struct KeyringCollection(pub(super) Arc<Connection>);

impl KeyringCollection {
    fn documents(&self) -> Documents {
        self.0.keys.collection(NAME)
    }
}

#[async_trait]
impl KeyringStore for KeyringCollection {
    async fn insert(&self, record: &KeyringRecord) -> Result<Inserted, StoreError> {
        let document = encode(format_args!("{NAME} {}", record.id), record)?;
        let is_stored = insert_once(&self.documents(), document, Deadline::start()).await?;
        Ok(if is_stored {
            Inserted::Stored
        } else {
            Inserted::Taken(Unique::Id)
        })
    }

    async fn list(&self) -> Result<Vec<KeyringRecord>, StoreError> {
        let found = list(&self.documents(), doc! {}, doc! { "_id": 1 }, None, None).await?;
        found.iter().map(|document| read(NAME, document)).collect()
    }

    async fn advance(&self, id: &str, expected: KeyState, next: KeyState) -> Result<bool, StoreError> {
        let filter = doc! { "_id": id, "state": stored(expected)? };
        let step = self.documents();
        let step = step.update_one(filter, doc! { "$set": { "state": stored(next)? } });
        Ok(Deadline::start().run(NAME, step).await?.matched_count > 0)
    }
}

fn stored(state: KeyState) -> Result<Bson, StoreError> {
    bson::serialize_to_bson(&state).map_err(|_| StoreError::Damaged(format!("{NAME}: a state cannot be encoded")))
}
