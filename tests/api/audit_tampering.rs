//! An installation's audit without a server, and somebody who writes to its store behind the service's back.

use std::{path::Path, sync::Arc, time::Duration};

use bson::{Document, doc};
use mongodb::{Collection, Database};
use sealgate::{
    app::{Foundation, World},
    crypto::system_entropy::SystemEntropy,
    domain::{
        audit::{AuditEvent, Details, Outcome},
        clock::Timestamp,
        ids::AuditId,
        message::MessageKind,
        user_type::UserType,
    },
    service::{
        Core,
        audit::Happened,
        audit_chain::extend,
        verify_audit::{Finding, Report, verify_audit},
    },
};
use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};

use crate::support::{Setup, StoreSet};

/// Table or collection of entries.
pub(crate) const ENTRIES: &str = "audit";
/// Of checkpoints.
pub(crate) const LINKS: &str = "audit_checkpoints";

pub(crate) enum Tamperer {
    Sqlite { records: SqlitePool, keys: SqlitePool },
    Mongo { records: Database, keys: Database },
}

impl Tamperer {
    pub(crate) async fn of(stores: &StoreSet, folder: &Path) -> Self {
        match stores {
            StoreSet::Sqlite => {
                let open = |file: &str| {
                    let options = SqliteConnectOptions::new().filename(folder.join(file));
                    SqlitePool::connect_lazy_with(options)
                };
                Self::Sqlite {
                    records: open("sealgate.db"),
                    keys: open("keys.db"),
                }
            }
            StoreSet::Mongo { url, name, .. } => {
                let client = mongodb::Client::with_uri_str(url).await.expect("a client");
                Self::Mongo {
                    records: client.database(name),
                    keys: client.database(&format!("{name}_keys")),
                }
            }
        }
    }

    pub(crate) async fn read(&self, table: &str, id: &str) -> Document {
        match self {
            Self::Sqlite { records, .. } => {
                let sql = sqlx::AssertSqlSafe(format!("SELECT doc FROM {table} WHERE id = ?"));
                let doc: Vec<u8> = sqlx::query_scalar(sql)
                    .bind(id)
                    .fetch_one(records)
                    .await
                    .expect("there");
                bson::deserialize_from_slice(&doc).expect("a document")
            }
            Self::Mongo { records, .. } => {
                let found = records.collection(table).find_one(doc! { "_id": id }).await;
                found.expect("read").expect("there")
            }
        }
    }

    /// Puts `document` under `id`, in place of what is there.
    pub(crate) async fn write(&self, table: &str, id: &str, document: &Document) {
        self.remove(table, id).await;
        match self {
            Self::Sqlite { records, .. } => {
                let bytes = bson::serialize_to_vec(document).expect("a document");
                let written = if table == ENTRIES {
                    sqlx::query("INSERT INTO audit (user_type, id, account_id, doc) VALUES (?, ?, ?, ?)")
                        .bind(document.get_str("user_type").unwrap_or_default().to_owned())
                        .bind(id)
                        .bind(document.get_str("account_id").ok().map(str::to_owned))
                        .bind(bytes)
                        .execute(records)
                        .await
                } else {
                    sqlx::query("INSERT INTO audit_checkpoints (id, doc) VALUES (?, ?)")
                        .bind(id)
                        .bind(bytes)
                        .execute(records)
                        .await
                };
                written.expect("written");
            }
            Self::Mongo { records, .. } => {
                let written = records.collection::<Document>(table).insert_one(document).await;
                written.expect("written");
            }
        }
    }

    pub(crate) async fn remove(&self, table: &str, id: &str) {
        match self {
            Self::Sqlite { records, .. } => {
                let sql = sqlx::AssertSqlSafe(format!("DELETE FROM {table} WHERE id = ?"));
                sqlx::query(sql).bind(id).execute(records).await.expect("removed");
            }
            Self::Mongo { records, .. } => {
                let collection = records.collection::<Document>(table);
                collection.delete_one(doc! { "_id": id }).await.expect("removed");
            }
        }
    }

    /// A record of a user type, as it lies there.
    pub(crate) async fn find(&self, table: &str, user_type: &str, id: &str) -> Document {
        match self {
            Self::Sqlite { .. } => {
                let sql = sqlx::AssertSqlSafe(format!("SELECT doc FROM {table} WHERE user_type = ? AND id = ?"));
                let doc: Vec<u8> = sqlx::query_scalar(sql)
                    .bind(user_type)
                    .bind(id)
                    .fetch_one(self.pool(table))
                    .await
                    .expect("there");
                bson::deserialize_from_slice(&doc).expect("a document")
            }
            Self::Mongo { .. } => {
                let filter = doc! { "_id": id, "user_type": user_type };
                let found = self.collection(table, user_type).find_one(filter).await;
                found.expect("read").expect("there")
            }
        }
    }

    /// Puts `document` in place of that record.
    pub(crate) async fn put(&self, table: &str, user_type: &str, id: &str, document: &Document) {
        match self {
            Self::Sqlite { .. } => {
                let sql = sqlx::AssertSqlSafe(format!("UPDATE {table} SET doc = ? WHERE user_type = ? AND id = ?"));
                let written = sqlx::query(sql)
                    .bind(bson::serialize_to_vec(document).expect("a document"))
                    .bind(user_type)
                    .bind(id)
                    .execute(self.pool(table))
                    .await;
                assert_eq!(written.expect("written").rows_affected(), 1);
            }
            Self::Mongo { .. } => {
                let filter = doc! { "_id": id, "user_type": user_type };
                let replaced = self.collection(table, user_type).replace_one(filter, document).await;
                assert_eq!(replaced.expect("replaced").matched_count, 1);
            }
        }
    }

    fn pool(&self, table: &str) -> &SqlitePool {
        let Self::Sqlite { records, keys } = self else {
            panic!("of the embedded store");
        };
        if table == "deks" { keys } else { records }
    }

    /// Accounts and data keys have one for each user type.
    fn collection(&self, table: &str, user_type: &str) -> Collection<Document> {
        let Self::Mongo { records, keys } = self else {
            panic!("of MongoDB");
        };
        match table {
            "deks" => keys.collection(&format!("deks_{user_type}")),
            "accounts" => records.collection(&format!("accounts_{user_type}")),
            other => records.collection(other),
        }
    }

    /// Removes a root key.
    pub(crate) async fn forget_key(&self, id: &str) {
        match self {
            Self::Sqlite { keys, .. } => {
                let removed = sqlx::query("DELETE FROM keyring WHERE id = ?")
                    .bind(id)
                    .execute(keys)
                    .await;
                assert_eq!(removed.expect("removed").rows_affected(), 1);
            }
            Self::Mongo { keys, .. } => {
                let collection = keys.collection::<Document>("keyring");
                let removed = collection.delete_one(doc! { "_id": id }).await.expect("removed");
                assert_eq!(removed.deleted_count, 1);
            }
        }
    }

    pub(crate) async fn close(&self) {
        if let Self::Sqlite { records, keys } = self {
            records.close().await;
            keys.close().await;
        }
    }
}

/// An installation without a server: what it covers and when is the test's.
pub(crate) struct Chain {
    pub(crate) setup: Setup,
    foundation: Foundation,
    pub(crate) tamperer: Tamperer,
}

impl Chain {
    pub(crate) async fn begin(stores: &StoreSet) -> Self {
        let setup = Setup::new(stores);
        Self {
            foundation: open(&setup).await,
            tamperer: Tamperer::of(stores, setup.folder()).await,
            setup,
        }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.foundation.core
    }

    /// Notes `count` events, one a second.
    pub(crate) async fn note(&self, count: usize) {
        for n in 0..count {
            let (user_type, account): (UserType, _) = (
                ["User1", "User2"][n % 2].parse().expect("valid"),
                format!("usr_{n}").parse().expect("valid"),
            );
            let message = "msg_00000000000000000000000001".parse().expect("an id");
            let details = Details::of_message(&message, MessageKind::Welcome);
            match n % 3 {
                0 => {
                    self.core()
                        .note(&user_type, &account, AuditEvent::SignedIn, Outcome::Success)
                        .await;
                }
                1 => {
                    let (event, outcome) = (AuditEvent::MessageSent, Outcome::Success);
                    self.core()
                        .note_with(&user_type, Some(&account), event, outcome, details)
                        .await;
                }
                _ => {
                    self.core()
                        .note_of_nobody(&user_type, AuditEvent::SignInRefused, Outcome::Refused)
                        .await;
                }
            }
            self.setup.clock.advance(Duration::from_secs(1));
        }
    }

    /// Lets what is there settle, and covers it.
    pub(crate) async fn cover(&self) -> usize {
        self.setup.clock.advance(Duration::from_secs(31));
        extend(self.core()).await.expect("extended")
    }

    /// Three links over four entries each, beside what starting noted.
    pub(crate) async fn three_links(&self) -> Vec<AuditId> {
        self.cover().await;
        let before = self.ids().await;
        for _ in 0..3 {
            self.note(4).await;
            assert_eq!(self.cover().await, 4);
        }
        let ids = self.ids().await;
        ids.into_iter().filter(|id| !before.contains(id)).collect()
    }

    pub(crate) async fn ids(&self) -> Vec<AuditId> {
        let end = AuditId::first_at(Timestamp::NEVER);
        self.core().stores.audit.ids(None, &end, 100_000).await.expect("listed")
    }

    pub(crate) async fn verify(&self) -> Report {
        verify_audit(self.core(), None).await.expect("verified")
    }

    pub(crate) async fn found(&self) -> Vec<Finding> {
        let report = self.verify().await;
        assert_eq!(report.more, 0);
        report.findings
    }

    /// As an operator's clock, or another process, would note it.
    pub(crate) async fn append(&self, at: Timestamp) -> AuditId {
        let happened = Happened {
            event: AuditEvent::SignedIn,
            outcome: Outcome::Success,
            user_type: Some("User1".parse().expect("valid")),
            account_id: None,
            details: Details::default(),
        };
        let entry = happened.entry(at, &SystemEntropy);
        self.core().stores.audit.append(&entry).await.expect("appended");
        entry.id
    }

    pub(crate) async fn end(self) {
        self.tamperer.close().await;
        self.foundation.close().await;
    }
}

/// Opens the stores and keys of an installation, as a process would.
pub(crate) async fn open(setup: &Setup) -> Foundation {
    let world = World {
        clock: Arc::clone(&setup.clock) as Arc<_>,
        ..World::default()
    };
    Foundation::open(&setup.config(), world).await.expect("opens")
}
