//! Registrations. Only the id is unique; rivals for one address stand side by side.

use async_trait::async_trait;

use crate::{
    crypto::blind_index::{Candidate, Slot},
    domain::{clock::Timestamp, ids::AccountId, user_type::UserType},
    storage::{
        documents::{Record as _, StoreError, Unique},
        registrations::{RegistrationRecord, Registrations},
        sqlite::{
            candidates::{EMAIL, select},
            documents::{Cell, Row, Table},
        },
    },
};

/// Those that still wait, newest first. `+` keeps the planner from the index of the ends, under which all of them stand.
const LIVE: &str = "AND +expires_at > ? ORDER BY created_at DESC, id DESC";

impl Row for RegistrationRecord {
    const LOOKUPS: &'static [&'static str] = &[
        "email_ix_0",
        "email_ix_1",
        "created_at",
        "expires_at",
        "outbox_due",
        "outbox_dead",
    ];
    const UNIQUE: &'static [(&'static str, Unique)] = &[];
    fn lookups(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::Bytes(self.slots.email_ix_0.as_bytes()),
            Cell::Bytes(self.slots.email_ix_1.as_bytes()),
            Cell::Integer(self.created_at.as_millis()),
            Cell::Integer(self.expires_at.as_millis()),
            Cell::Integer(self.outbox.due().as_millis()),
            Cell::Integer(self.outbox.has_dead().into()),
        ]
    }
}

#[async_trait]
impl Registrations for Table<RegistrationRecord> {
    async fn find_by_email(
        &self,
        user_type: &UserType,
        candidates: &[Candidate],
        now: Timestamp,
    ) -> Result<Vec<RegistrationRecord>, StoreError> {
        match select(RegistrationRecord::NAME, EMAIL, user_type, candidates, LIVE) {
            Some(query) => self.records(query.bind(now.as_millis())).await,
            None => Ok(Vec::new()),
        }
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

    async fn due(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, StoreError> {
        const SQL: &str =
            "SELECT id FROM registrations WHERE user_type = ? AND outbox_due <= ? ORDER BY outbox_due, id LIMIT ?";
        let query = sqlx::query(SQL).bind(user_type.as_str()).bind(now.as_millis());
        self.ids(query.bind(limit)).await
    }

    async fn expired(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, StoreError> {
        const SQL: &str =
            "SELECT id FROM registrations WHERE user_type = ? AND expires_at <= ? ORDER BY expires_at, id LIMIT ?";
        let query = sqlx::query(SQL).bind(user_type.as_str()).bind(now.as_millis());
        self.ids(query.bind(limit)).await
    }

    async fn page(
        &self,
        user_type: &UserType,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<AccountId>, StoreError> {
        const SQL: &str = "SELECT id FROM registrations WHERE user_type = ? AND id > ? ORDER BY id LIMIT ?";
        let after = after.map_or("", AccountId::as_str);
        self.ids(sqlx::query(SQL).bind(user_type.as_str()).bind(after).bind(limit))
            .await
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use super::*;
    use crate::storage::sqlite::{database::Database, migrate::RECORDS};

    /// Whoever registers many addresses must not slow the look-up of one.
    #[tokio::test]
    async fn an_address_is_looked_up_by_its_own_index() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::open(folder.path(), "sealgate.db", RECORDS, false)
            .await
            .expect("opens");
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT id, doc FROM registrations WHERE ((user_type = ? AND email_ix_0 = ?) \
             OR (user_type = ? AND email_ix_1 = ?)) {LIVE}"
        );
        let plan = database
            .read(sqlx::query(sqlx::AssertSqlSafe(sql)))
            .await
            .expect("explains");
        let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
        assert!(
            plan.iter().any(|step| step.contains("registrations_email_ix_0")),
            "{plan:?}"
        );
        assert!(
            plan.iter().any(|step| step.contains("registrations_email_ix_1")),
            "{plan:?}"
        );
    }
}
