//! Look-ups by blind index: any of some values, each in the slot it belongs to, in one statement.

use sqlx::{AssertSqlSafe, Row as _};

use crate::{
    crypto::blind_index::{Candidate, Slot},
    domain::user_type::UserType,
    storage::{
        documents::StoreError,
        sqlite::{
            database::Query,
            documents::{Row, Table},
        },
    },
};

/// The columns of both slots of an identifier.
pub(super) const EMAIL: [&str; 2] = ["email_ix_0", "email_ix_1"];
/// The same of the username.
pub(super) const USERNAME: [&str; 2] = ["username_ix_0", "username_ix_1"];

/// `SELECT id, doc` of `table` where one of the candidates stands in its slot and `rest` holds; `None` when there is
/// no candidate. The values of `rest` are bound by the caller.
pub(super) fn select<'q>(
    table: &str,
    slots: [&str; 2],
    user_type: &'q UserType,
    candidates: &'q [Candidate],
    rest: &str,
) -> Option<Query<'q>> {
    let known = || {
        candidates
            .iter()
            .filter(|candidate| usize::from(candidate.slot) < slots.len())
    };
    let any: Vec<String> = known()
        .map(|candidate| format!("(user_type = ? AND {} = ?)", slots[usize::from(candidate.slot)]))
        .collect();
    if any.is_empty() {
        return None;
    }
    let sql = format!("SELECT id, doc FROM {table} WHERE ({}) {rest}", any.join(" OR "));
    let query = sqlx::query(AssertSqlSafe(sql));
    Some(known().fold(query, |query, candidate| {
        query.bind(user_type.as_str()).bind(candidate.value.as_bytes())
    }))
}

impl<R: Row> Table<R> {
    /// Values of one slot in their order, read from its index alone.
    pub(super) async fn slot_values(
        &self,
        slots: [&'static str; 2],
        user_type: &UserType,
        slot: u8,
        after: Option<&Slot>,
        limit: u32,
    ) -> Result<Vec<Slot>, StoreError> {
        let Some(column) = slots.get(usize::from(slot)) else {
            return Ok(Vec::new());
        };
        let sql = format!(
            "SELECT {column} AS value FROM {} WHERE user_type = ? AND {column} > ? ORDER BY {column} LIMIT ?",
            R::NAME
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(user_type.as_str());
        let query = query.bind(after.map_or(&[][..], Slot::as_bytes)).bind(limit);
        let rows = self.database.read(query).await?;
        let value = |row| {
            let bytes: Result<Vec<u8>, _> = sqlx::sqlite::SqliteRow::try_get(row, "value");
            bytes
                .map(Slot::from_bytes)
                .map_err(|error| self.database.failure(&error))
        };
        rows.iter().map(value).collect()
    }
}
