//! Dead letters, found by an index of their own.

use async_trait::async_trait;
use bson::doc;

use crate::{
    domain::{ids::Id as _, user_type::UserType},
    storage::{
        dead_letters::{DeadLetters, HoldsOutbox},
        documents::StoreError,
        mongo::documents::{Collections, Stored},
    },
};

#[async_trait]
impl<R: Stored + HoldsOutbox> DeadLetters<R> for Collections<R> {
    async fn with_dead(
        &self,
        user_type: &UserType,
        after: Option<&R::Id>,
        limit: u32,
    ) -> Result<Vec<R::Id>, StoreError> {
        let after = after.map_or("", |id| id.as_str());
        let filter = doc! { "outbox_dead": true, "_id": { "$gt": after } };
        self.ids(user_type, filter, doc! { "_id": 1 }, limit).await
    }
}
