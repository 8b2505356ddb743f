//! Dead letters, found by an index of their own.

use async_trait::async_trait;
use sqlx::AssertSqlSafe;

use crate::{
    domain::{ids::Id as _, user_type::UserType},
    storage::{
        dead_letters::{DeadLetters, HoldsOutbox},
        documents::StoreError,
        sqlite::documents::{Row, Table},
    },
};

#[async_trait]
impl<R: Row + HoldsOutbox> DeadLetters<R> for Table<R> {
    async fn with_dead(
        &self,
        user_type: &UserType,
        after: Option<&R::Id>,
        limit: u32,
    ) -> Result<Vec<R::Id>, StoreError> {
        let table = R::NAME;
        let sql =
            format!("SELECT id FROM {table} WHERE user_type = ? AND outbox_dead = 1 AND id > ? ORDER BY id LIMIT ?");
        let after = after.map_or("", |id| id.as_str());
        let query = sqlx::query(AssertSqlSafe(sql)).bind(user_type.as_str()).bind(after);
        self.ids(query.bind(limit)).await
    }
}
