//! Signs of life: one document per worker, written over.

use std::sync::Arc;

use async_trait::async_trait;
use bson::doc;

use crate::{
    domain::{clock::Timestamp, ids::WorkerId},
    storage::{
        documents::StoreError,
        heartbeats::{HeartbeatRecord, Heartbeats},
        mongo::{
            collection::{Listing, RawCollection, Replaced},
            connection::Connection,
            documents::{decode, encode},
            indexes::Index,
        },
    },
};

const NAME: &str = "heartbeats";

/// Beside the one on `_id`.
const INDEXES: &[Index] = &[Index::plain("at", &["at"])];

/// The collection of signs of life.
#[derive(Debug)]
pub(super) struct HeartbeatCollection(pub(super) Arc<Connection>);

impl HeartbeatCollection {
    /// The collection and the indexes it needs.
    pub(super) fn indexed(&self) -> (RawCollection, &'static [Index]) {
        (self.collection(), INDEXES)
    }

    fn collection(&self) -> RawCollection {
        self.0.records(NAME)
    }
}

#[async_trait]
impl Heartbeats for HeartbeatCollection {
    async fn beat(&self, record: &HeartbeatRecord) -> Result<(), StoreError> {
        let collection = self.collection();
        let document = encode(NAME, record.id.as_str(), record)?;
        let deadline = collection.deadline();
        let mut attempt = 0;
        loop {
            let own = doc! { "_id": record.id.as_str() };
            let beat = collection.replace_one(own, document.clone(), true, deadline).await?;
            if beat == Replaced::Stored {
                return Ok(());
            }
            // Two first beats at once, of which the other made the document: now it is there to be replaced.
            deadline.back_off(attempt).await?;
            attempt += 1;
        }
    }

    async fn since(&self, since: Timestamp) -> Result<Vec<HeartbeatRecord>, StoreError> {
        let listing = Listing {
            filter: doc! { "at": { "$gte": since.as_millis() } },
            sort: doc! { "at": -1, "_id": -1 },
            ..Listing::default()
        };
        let found = self.collection().list(listing).await?;
        found.iter().map(|document| decode(NAME, document)).collect()
    }

    async fn remove(&self, id: Option<&WorkerId>, before: Timestamp) -> Result<(), StoreError> {
        let mut any = vec![doc! { "at": { "$lt": before.as_millis() } }];
        any.extend(id.map(|id| doc! { "_id": id.as_str() }));
        self.collection().delete_many(doc! { "$or": any }).await.map(drop)
    }
}
