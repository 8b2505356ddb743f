//! Accounts. Each slot of address and username has a unique index of its own over `(user_type, slot)`.

use async_trait::async_trait;
use sqlx::AssertSqlSafe;

use crate::{
    crypto::blind_index::{Candidate, Slot},
    domain::{clock::Timestamp, ids::AccountId, user_type::UserType},
    storage::{
        accounts::{AccountFilter, AccountRecord, Accounts},
        documents::{Record as _, StoreError, Unique},
        sqlite::{
            candidates::{EMAIL, PHONE, USERNAME, any_of, bind_any, select},
            documents::{Cell, Row, Table},
        },
    },
};

impl Row for AccountRecord {
    const LOOKUPS: &'static [&'static str] = &[
        "email_ix_0",
        "email_ix_1",
        "username_ix_0",
        "username_ix_1",
        "phone_ix_0",
        "phone_ix_1",
        "outbox_due",
        "outbox_dead",
        "status",
    ];
    const UNIQUE: &'static [(&'static str, Unique)] = &[
        ("email_ix_0", Unique::Email),
        ("email_ix_1", Unique::Email),
        ("username_ix_0", Unique::Username),
        ("username_ix_1", Unique::Username),
    ];
    fn lookups(&self) -> Vec<Cell<'_>> {
        let slots = self.security().slots();
        vec![
            Cell::Bytes(slots.email_ix_0.as_bytes()),
            Cell::Bytes(slots.email_ix_1.as_bytes()),
            Cell::Bytes(slots.username_ix_0.as_bytes()),
            Cell::Bytes(slots.username_ix_1.as_bytes()),
            Cell::Bytes(slots.phone_ix_0.as_bytes()),
            Cell::Bytes(slots.phone_ix_1.as_bytes()),
            Cell::Integer(self.outbox.due().as_millis()),
            Cell::Integer(self.outbox.has_dead().into()),
            Cell::Text(self.security().status().as_str()),
        ]
    }
}

impl Table<AccountRecord> {
    async fn find_by(
        &self,
        slots: [&str; 2],
        user_type: &UserType,
        candidates: &[Candidate],
    ) -> Result<Option<AccountRecord>, StoreError> {
        let Some(query) = select(AccountRecord::NAME, slots, user_type, candidates, "LIMIT 1") else {
            return Ok(None);
        };
        Ok(self.records(query).await?.pop())
    }
}

fn identifiers(filter: &AccountFilter) -> [([&'static str; 2], Option<&[Candidate]>); 2] {
    [(EMAIL, filter.email.as_deref()), (PHONE, filter.phone.as_deref())]
}

/// The statement that lists what `filter` asks for; `None` where nothing fulfils it.
fn list_sql(filter: &AccountFilter) -> Option<String> {
    let mut parts = Vec::new();
    for (slots, candidates) in identifiers(filter) {
        if let Some(candidates) = candidates {
            parts.push(any_of(slots, candidates)?);
        }
    }
    // Who is found by an identifier is few: the `+` keeps all others from being walked for their order's sake.
    let plus = if parts.is_empty() { "" } else { "+" };
    parts.push(format!("{plus}user_type = ?"));
    parts.extend(filter.status.map(|_| format!("{plus}status = ?")));
    let all = parts.join(" AND ");
    Some(format!(
        "SELECT id, doc FROM accounts WHERE {all} AND {plus}id > ? ORDER BY {plus}id LIMIT ?"
    ))
}

#[async_trait]
impl Accounts for Table<AccountRecord> {
    async fn find_by_email(
        &self,
        user_type: &UserType,
        candidates: &[Candidate],
    ) -> Result<Option<AccountRecord>, StoreError> {
        self.find_by(EMAIL, user_type, candidates).await
    }

    async fn find_by_username(
        &self,
        user_type: &UserType,
        candidates: &[Candidate],
    ) -> Result<Option<AccountRecord>, StoreError> {
        self.find_by(USERNAME, user_type, candidates).await
    }

    async fn email_values(
        &self,
        user_type: &UserType,
        slot: u8,
        after: Option<&Slot>,
        limit: u32,
    ) -> Result<Vec<Slot>, StoreError> {
        self.slot_values(EMAIL, user_type, slot, after, limit).await
    }

    async fn list(
        &self,
        user_type: &UserType,
        filter: &AccountFilter,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<(AccountId, Option<AccountRecord>)>, StoreError> {
        let Some(sql) = list_sql(filter) else {
            return Ok(Vec::new());
        };
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (slots, candidates) in identifiers(filter) {
            query = bind_any(query, slots, user_type, candidates.unwrap_or_default());
        }
        query = query.bind(user_type.as_str());
        if let Some(status) = filter.status {
            query = query.bind(status.as_str());
        }
        self.listed(query.bind(after.map_or("", AccountId::as_str)).bind(limit))
            .await
    }

    async fn due(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, StoreError> {
        const SQL: &str =
            "SELECT id FROM accounts WHERE user_type = ? AND outbox_due <= ? ORDER BY outbox_due, id LIMIT ?";
        let query = sqlx::query(SQL).bind(user_type.as_str()).bind(now.as_millis());
        self.ids(query.bind(limit)).await
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        self.is_none(sqlx::query("SELECT 1 FROM accounts LIMIT 1")).await
    }

    async fn has_none(&self, user_type: &UserType) -> Result<bool, StoreError> {
        let query = sqlx::query("SELECT 1 FROM accounts WHERE user_type = ? LIMIT 1");
        self.is_none(query.bind(user_type.as_str())).await
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, Row as _, SqliteConnection};

    use super::*;
    use crate::{
        domain::account::AccountStatus,
        storage::sqlite::migrate::{RECORDS, migrate},
    };

    /// Whatever is asked, nobody walks over all accounts.
    #[tokio::test]
    async fn lists_go_by_an_index() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.expect("opens");
        migrate("memory", &mut connection, RECORDS).await.expect("tables");
        let candidates = |slots: &[u8]| {
            let candidate = |slot: &u8| Candidate {
                slot: *slot,
                value: Slot::from_bytes(vec![*slot; 32]),
            };
            Some(slots.iter().map(candidate).collect::<Vec<_>>())
        };
        let (none, active) = (AccountFilter::default(), Some(AccountStatus::Active));
        for (filter, wanted) in [
            (none.clone(), vec!["sqlite_autoindex_accounts_1"]),
            (
                AccountFilter {
                    status: active,
                    ..none.clone()
                },
                vec!["accounts_status"],
            ),
            (
                AccountFilter {
                    email: candidates(&[1]),
                    ..none.clone()
                },
                vec!["accounts_email_ix_1"],
            ),
            (
                AccountFilter {
                    phone: candidates(&[0, 1]),
                    ..none.clone()
                },
                vec!["accounts_phone_ix_0", "accounts_phone_ix_1"],
            ),
            (
                AccountFilter {
                    status: active,
                    phone: candidates(&[0]),
                    ..none.clone()
                },
                vec!["accounts_phone_ix_0"],
            ),
        ] {
            let sql = format!("EXPLAIN QUERY PLAN {}", list_sql(&filter).expect("a statement"));
            let rows = sqlx::query(AssertSqlSafe(sql))
                .fetch_all(&mut connection)
                .await
                .expect("a plan");
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            let plan = plan.join("; ");
            assert!(!plan.contains("SCAN accounts"), "{plan}");
            for index in wanted {
                assert!(plan.contains(index), "{index}: {plan}");
            }
        }
        let impossible = AccountFilter {
            email: Some(Vec::new()),
            ..none
        };
        assert_eq!(list_sql(&impossible), None);
    }
}
