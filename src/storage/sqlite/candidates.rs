//! Look-ups by blind index: any of some values, each in the slot it belongs to, in one statement.

use sqlx::AssertSqlSafe;

use crate::{crypto::blind_index::Candidate, domain::user_type::UserType, storage::sqlite::database::Query};

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
