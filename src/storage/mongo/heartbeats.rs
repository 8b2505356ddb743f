//! Signs of life: one document per worker, written over.

use std::sync::Arc;

use async_trait::async_trait;
use bson::doc;

use crate::{
    domain::{clock::Timestamp, ids::WorkerId},
    storage::{
        documents::StoreError,
        encoding::encode,
        heartbeats::{HeartbeatRecord, Heartbeats},
        mongo::{
            connection::{Connection, Deadline, Documents, Index},
            documents::{list, raw, read},
            errors::{is_duplicate, translate},
        },
    },
};

const NAME: &str = "heartbeats";

/// Beside the one on `_id`.
pub(super) const INDEXES: &[Index] = &[Index::plain("at", &["at"])];

/// The collection of signs of life.
#[derive(Debug)]
pub(super) struct HeartbeatCollection(pub(super) Arc<Connection>);

impl HeartbeatCollection {
    pub(super) fn documents(&self) -> Documents {
        self.0.records.collection(NAME)
    }
}

#[async_trait]
impl Heartbeats for HeartbeatCollection {
    async fn beat(&self, record: &HeartbeatRecord) -> Result<(), StoreError> {
        let document = raw(NAME, encode(format_args!("{NAME} {}", record.id), record)?)?;
        let documents = self.documents();
        let deadline = Deadline::start();
        loop {
            let own = doc! { "_id": record.id.as_str() };
            let beat = documents.replace_one(own, document.clone()).upsert(true);
            match deadline.attempt(NAME, beat).await? {
                Ok(_) => return Ok(()),
                // Two first beats at once, of which the other made the document: now it is there to be replaced.
                Err(error) if is_duplicate(&error) => {}
                Err(error) => return Err(translate(NAME, &error)),
            }
        }
    }

    async fn since(&self, since: Timestamp) -> Result<Vec<HeartbeatRecord>, StoreError> {
        let filter = doc! { "at": { "$gte": since.as_millis() } };
        let found = list(&self.documents(), filter, doc! { "at": -1, "_id": -1 }, None, None).await?;
        found.iter().map(|document| read(NAME, document)).collect()
    }

    async fn remove(&self, id: Option<&WorkerId>, before: Timestamp) -> Result<(), StoreError> {
        let mut any = vec![doc! { "at": { "$lt": before.as_millis() } }];
        any.extend(id.map(|id| doc! { "_id": id.as_str() }));
        let documents = self.documents();
        let removed = documents.delete_many(doc! { "$or": any });
        Deadline::start().run(NAME, removed).await.map(drop)
    }
}
