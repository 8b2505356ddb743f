//! Records as they were read last, for as long as nobody has written to their file since.
//!
//! Why a record from here is *current*:
//! 1. It is kept under the [`Version`] that was taken before its row was read: it shows that version, or a later one.
//! 2. It is handed out only under a version that is taken after the reader asked, and only if the two are equal. Then no
//!    commit lies between them: what was read is what stands there, and every write that was answered before the reader
//!    asked is in it.
//!
//! A reader that was overtaken by a write, of this process or another, keeps its record under the version from before
//! that write, under which nobody asks any more. So nothing has to be told of a write, nor could it be forgotten.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{domain::recent::Recent, storage::sqlite::watch::Version};

/// Records of one table at most. Those of an account with everything in it take some 3 KiB each.
const BOUND: usize = 4096;

/// The records of one table by name.
#[derive(Debug)]
pub(super) struct Cache<R>(Mutex<Recent<String, (Version, Arc<R>)>>);

impl<R> Cache<R> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Recent::new(BOUND)))
    }

    /// The record as of `now`, which was taken after the reader asked. One of another version is forgotten.
    pub(super) fn get(&self, name: &str, now: Version) -> Option<Arc<R>> {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (version, record) = records.get(name)?;
        if *version == now {
            return Some(Arc::clone(record));
        }
        records.remove(name);
        None
    }

    /// Keeps a record whose row was read after `before` was taken.
    pub(super) fn keep(&self, name: String, before: Version, record: Arc<R>) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.insert(name, (before, record));
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        crypto::kek::WrappedKey,
        domain::ids::AccountId,
        storage::{
            Documents as _, Ref, StoreError,
            deks::DekRecord,
            schema::Schemas,
            sqlite::{database::Database, documents::Table, migrate::KEYS},
        },
    };

    async fn open(folder: &std::path::Path) -> std::sync::Arc<Database> {
        let opened = Database::open(folder, "keys.db", KEYS, true).await;
        std::sync::Arc::new(opened.expect("opens"))
    }

    /// With the readers closed, only what is remembered can still be found.
    #[tokio::test]
    async fn what_nobody_changed_is_not_read_again_and_what_somebody_did_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let (database, other) = (open(folder.path()).await, open(folder.path()).await);
        let table = Table::<DekRecord>::remembering(&database, &Schemas::current());
        let records = ["usr_a", "usr_b"].map(|id| {
            let id: AccountId = id.parse().expect("valid");
            let wrapped = WrappedKey {
                kek_id: "kek_00000000000000000000000000".parse().expect("valid"),
                wrapped: vec![7; 40],
            };
            DekRecord::first(&Ref::new(&"User1".parse().expect("valid"), id), wrapped, 1)
        });
        let [key, unread] = records.each_ref().map(crate::storage::Record::key);
        for record in &records {
            table.insert(record).await.expect("answers");
        }
        assert_eq!(table.find(&key).await.expect("answers").as_ref(), Some(&records[0]));
        database.close_readers().await;
        assert_eq!(table.find(&key).await.expect("remembered").as_ref(), Some(&records[0]));
        let not_remembered = table.find(&unread).await;
        assert!(
            matches!(not_remembered, Err(StoreError::Unavailable(_))),
            "{not_remembered:?}"
        );

        // A commit of another connection that has nothing to do with the record.
        let elsewhere = Table::<DekRecord>::new(&other, &Schemas::current());
        assert!(elsewhere.delete(&unread).await.expect("answers"));
        let to_be_read = table.find(&key).await;
        assert!(matches!(to_be_read, Err(StoreError::Unavailable(_))), "{to_be_read:?}");
    }
}
