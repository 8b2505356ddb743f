//! Counts of texts: one document per scope, changed on condition that its `rev` is what was read.

use std::sync::Arc;

use async_trait::async_trait;
use bson::doc;

use crate::{
    domain::{clock::Timestamp, text_scope::TextScope},
    storage::{
        documents::{StoreError, Verdict},
        mongo::{
            collection::{Listing, RawCollection, Replaced},
            connection::Connection,
            documents::{decode, encode},
            indexes::Index,
        },
        text_counts::{TextCountRecord, TextCounts},
    },
};

const NAME: &str = "text_counts";

/// Beside the one on `_id`.
const INDEXES: &[Index] = &[Index::plain("age", &["updated_at"])];

/// The collection of counts.
#[derive(Debug)]
pub(super) struct TextCountCollection(pub(super) Arc<Connection>);

impl TextCountCollection {
    /// The collection and the indexes it needs.
    pub(super) fn indexed(&self) -> (RawCollection, &'static [Index]) {
        (self.collection(), INDEXES)
    }

    fn collection(&self) -> RawCollection {
        self.0.records(NAME)
    }
}

#[async_trait]
impl TextCounts for TextCountCollection {
    async fn update(
        &self,
        scope: &TextScope,
        now: Timestamp,
        decide: &mut (dyn for<'r> FnMut(&'r mut TextCountRecord) -> Verdict + Send),
    ) -> Result<(), StoreError> {
        let (collection, id) = (self.collection(), scope.to_string());
        let deadline = collection.deadline();
        let (mut attempt, mut turn) = (0, None);
        loop {
            let found = collection.find_one(doc! { "_id": &id }, None, deadline).await?;
            let mut record = match &found {
                Some(document) => decode(NAME, document)?,
                None => TextCountRecord::new(scope.clone(), now),
            };
            let rev = i64::try_from(record.rev).unwrap_or(i64::MAX);
            if decide(&mut record) == Verdict::Leave {
                return Ok(());
            }
            record.rev += 1;
            let changed = encode(NAME, &id, &record)?;
            let is_stored = if found.is_some() {
                let unchanged = doc! { "_id": &id, "rev": rev };
                collection.replace_one(unchanged, changed, false, deadline).await? == Replaced::Stored
            } else {
                collection.insert_one(changed, deadline).await?
            };
            if is_stored {
                return Ok(());
            }
            if turn.is_none() {
                let turns = self.0.turns();
                turn = Some(deadline.contend(turns.wait((NAME, id.as_str()))).await?);
            } else {
                // Somebody of another process.
                deadline.back_off(attempt).await?;
                attempt += 1;
            }
        }
    }

    async fn find(&self, scope: &TextScope) -> Result<Option<TextCountRecord>, StoreError> {
        let collection = self.collection();
        let own = doc! { "_id": scope.to_string() };
        let found = collection.find_one(own, None, collection.deadline()).await?;
        found.map(|document| decode(NAME, &document)).transpose()
    }

    async fn list(&self) -> Result<Vec<TextCountRecord>, StoreError> {
        let all = Listing {
            sort: doc! { "_id": 1 },
            ..Listing::default()
        };
        let found = self.collection().list(all).await?;
        found.iter().map(|document| decode(NAME, document)).collect()
    }

    async fn remove(&self, before: Timestamp) -> Result<(), StoreError> {
        let old = doc! { "updated_at": { "$lt": before.as_millis() } };
        self.collection().delete_many(old).await.map(drop)
    }
}
