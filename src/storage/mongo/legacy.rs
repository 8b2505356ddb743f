//! The Python service's database, which is read and nothing else: no index is made there, and no write concern asked for.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use futures_util::StreamExt as _;
use mongodb::{Client, Collection, Database, error::Error, options::ClientOptions};
use tokio::time::timeout;

use crate::{
    domain::private::Private,
    storage::{
        documents::StoreError,
        legacy::{LegacyAccounts, LegacyRecord, LegacyRecords},
        mongo::errors,
    },
};

/// For a server to be found, and for a batch to come.
const PATIENCE: Duration = Duration::from_secs(5);
const BATCH_PATIENCE: Duration = Duration::from_mins(1);
/// Documents of a batch: few enough that the next one is asked for long before the server forgets the cursor.
const BATCH: u32 = 200;

struct LegacyDatabase(Database);

/// Opens it and asks whether it answers.
pub async fn open_legacy(url: &Private, database: &str) -> Result<Arc<dyn LegacyAccounts>, StoreError> {
    let parsed = timeout(PATIENCE, ClientOptions::parse(url.expose())).await;
    let mut options = parsed.map_err(|_| late())?.map_err(|error| translate(&error))?;
    options.app_name.get_or_insert_with(|| "sealgate-import".to_owned());
    options.server_selection_timeout = Some(PATIENCE);
    options.connect_timeout = Some(PATIENCE);
    let client = Client::with_options(options).map_err(|error| translate(&error))?;
    let database = client.database(database);
    let names = database.list_collection_names();
    timeout(2 * PATIENCE, names.into_future())
        .await
        .map_err(|_| late())?
        .map_err(|error| translate(&error))?;
    Ok(Arc::new(LegacyDatabase(database)))
}

#[async_trait]
impl LegacyAccounts for LegacyDatabase {
    async fn records(&self, collection: &str, is_email_verified: bool) -> Result<LegacyRecords, StoreError> {
        let filter = if is_email_verified {
            doc! { "is_email_verified": true }
        } else {
            doc! { "is_email_verified": { "$ne": true } }
        };
        let collection: Collection<Document> = self.0.collection(collection);
        let find = collection.find(filter).sort(doc! { "_id": 1 }).batch_size(BATCH);
        let cursor = timeout(BATCH_PATIENCE, find.into_future()).await.map_err(|_| late())?;
        let cursor = cursor.map_err(|error| translate(&error))?;
        let records = futures_util::stream::unfold(cursor, |mut cursor| async move {
            let next = match timeout(BATCH_PATIENCE, cursor.next()).await {
                Ok(next) => next?.map(record).map_err(|error| translate(&error)),
                Err(_) => Err(late()),
            };
            Some((next, cursor))
        });
        Ok(Box::pin(records))
    }

    async fn count(&self, collection: &str) -> Result<u64, StoreError> {
        let collection: Collection<Document> = self.0.collection(collection);
        let count = collection.count_documents(doc! {});
        let count = timeout(BATCH_PATIENCE, count.into_future()).await.map_err(|_| late())?;
        count.map_err(|error| translate(&error))
    }
}

fn record(mut document: Document) -> LegacyRecord {
    let document_id = match document.get("_id") {
        Some(Bson::ObjectId(id)) => id.to_hex(),
        // Of any other shape it may be anything, an address too.
        _ => "?".to_owned(),
    };
    let is_email_verified = document.get("is_email_verified") == Some(&Bson::Boolean(true));
    let mut text = |name: &str| match document.remove(name) {
        Some(Bson::String(text)) => Some(text),
        _ => None,
    };
    LegacyRecord {
        document_id,
        id: text("id"),
        first_name: text("first_name_encrypted"),
        last_name: text("last_name_encrypted"),
        email: text("email_encrypted"),
        phone: text("phone_encrypted"),
        email_search_hash: text("email_search_hash"),
        country_code: text("country_code"),
        password: text("password"),
        is_email_verified,
    }
}

fn late() -> StoreError {
    StoreError::Unavailable("the old database: no answer in time".to_owned())
}

fn translate(error: &Error) -> StoreError {
    match errors::translate("the old database", error) {
        StoreError::Unavailable(text) => StoreError::Unavailable(text.replace("MONGO_URL", "its URL")),
        other => other,
    }
}
