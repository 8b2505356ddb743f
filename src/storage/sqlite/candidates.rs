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
/// The same of the phone number.
pub(super) const PHONE: [&str; 2] = ["phone_ix_0", "phone_ix_1"];

fn known<'c>(slots: [&str; 2], candidates: &'c [Candidate]) -> impl Iterator<Item = &'c Candidate> + use<'c> {
    let count = slots.len();
    candidates
        .iter()
        .filter(move |candidate| usize::from(candidate.slot) < count)
}

/// That one of the candidates stands in its slot, as a condition; `None` when there is no candidate.
pub(super) fn any_of(slots: [&str; 2], candidates: &[Candidate]) -> Option<String> {
    let any: Vec<String> = known(slots, candidates)
        .map(|candidate| format!("(user_type = ? AND {} = ?)", slots[usize::from(candidate.slot)]))
        .collect();
    (!any.is_empty()).then(|| format!("({})", any.join(" OR ")))
}

/// Binds what [`any_of`] asks for.
pub(super) fn bind_any<'q>(
    query: Query<'q>,
    slots: [&str; 2],
    user_type: &'q UserType,
    candidates: &'q [Candidate],
) -> Query<'q> {
    known(slots, candidates).fold(query, |query, candidate| {
        query.bind(user_type.as_str()).bind(candidate.value.as_bytes())
    })
}

/// `SELECT id, doc` of `table` where one of the candidates stands in its slot and `rest` holds; `None` when there is
/// no candidate. The values of `rest` are bound by the caller.
pub(super) fn select<'q>(
    table: &str,
    slots: [&str; 2],
    user_type: &'q UserType,
    candidates: &'q [Candidate],
    rest: &str,
) -> Option<Query<'q>> {
    let any = any_of(slots, candidates)?;
    let sql = format!("SELECT id, doc FROM {table} WHERE {any} {rest}");
    let query = sqlx::query(AssertSqlSafe(sql));
    Some(bind_any(query, slots, user_type, candidates))
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
