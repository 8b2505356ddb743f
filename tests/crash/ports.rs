//! Every port of a store, with [`Faults`] before it.

mod accounts;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use sealgate::{
    crypto::blind_index::{Candidate, Slot},
    domain::{
        clock::Timestamp,
        ids::{AccountId, AuditId, MessageId, SessionId, WorkerId},
        text_scope::TextScope,
        user_type::UserType,
    },
    storage::{
        Documents, Inserted, Probe, Record, Ref, StoreError, Stores, Updated, Verdict,
        audit::{AuditRecord, AuditStore, CheckpointRecord, StoredEntry},
        dead_letters::{DeadLetters, HoldsOutbox},
        deks::Deks,
        erasures::{ErasureLine, Erasures, FileErasures},
        heartbeats::{HeartbeatRecord, Heartbeats},
        key_jobs::KeyJobs,
        keyring::{KeyringRecord, KeyringStore},
        registrations::{RegistrationRecord, Registrations},
        requests::Requests,
        schema::Schema,
        sessions::{SessionRecord, Sessions},
        text_counts::{TextCountRecord, TextCounts},
    },
};

use crate::faults::Faults;

/// `stores`, as one process sees them through its `faults`.
pub(crate) fn faulty(stores: &Stores, faults: &Arc<Faults>) -> Stores {
    fn wrap<P: ?Sized>(inner: &Arc<P>, faults: &Arc<Faults>) -> Arc<Faulty<P>> {
        Arc::new(Faulty {
            inner: Arc::clone(inner),
            faults: Arc::clone(faults),
        })
    }
    Stores {
        accounts: wrap(&stores.accounts, faults),
        registrations: wrap(&stores.registrations, faults),
        deks: wrap(&stores.deks, faults),
        keyring: wrap(&stores.keyring, faults),
        key_jobs: wrap(&stores.key_jobs, faults),
        sessions: wrap(&stores.sessions, faults),
        requests: wrap(&stores.requests, faults),
        audit: wrap(&stores.audit, faults),
        heartbeats: wrap(&stores.heartbeats, faults),
        text_counts: wrap(&stores.text_counts, faults),
        probe: wrap(&stores.probe, faults),
    }
}

/// The journal at `path`, likewise.
pub(crate) fn faulty_erasures(path: &Path, faults: &Arc<Faults>) -> Arc<dyn Erasures> {
    let inner: Arc<dyn Erasures> = Arc::new(FileErasures::new(path.to_owned()));
    let faults = Arc::clone(faults);
    Arc::new(Faulty { inner, faults })
}

#[async_trait]
impl Erasures for Faulty<dyn Erasures> {
    async fn append(&self, line: &ErasureLine) -> Result<(), StoreError> {
        self.faults
            .write("erasures.append".to_owned(), self.inner.append(line))
            .await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.faults.read(self.inner.probe()).await
    }
}

struct Faulty<P: ?Sized> {
    inner: Arc<P>,
    faults: Arc<Faults>,
}

#[async_trait]
impl<R: Record, P: Documents<R> + ?Sized> Documents<R> for Faulty<P> {
    async fn insert(&self, record: &R) -> Result<Inserted, StoreError> {
        let what = format!("{}.insert", R::NAME);
        self.faults.write(what, self.inner.insert(record)).await
    }

    async fn find(&self, key: &Ref<R::Id>) -> Result<Option<R>, StoreError> {
        self.faults.read(self.inner.find(key)).await
    }

    async fn update(
        &self,
        key: &Ref<R::Id>,
        decide: &mut (dyn for<'r> FnMut(&'r mut R) -> Verdict + Send),
    ) -> Result<Updated, StoreError> {
        let what = format!("{}.update", R::NAME);
        self.faults.write(what, self.inner.update(key, decide)).await
    }

    async fn delete(&self, key: &Ref<R::Id>) -> Result<bool, StoreError> {
        let what = format!("{}.delete", R::NAME);
        self.faults.write(what, self.inner.delete(key)).await
    }

    fn schema(&self) -> Schema {
        self.inner.schema()
    }

    async fn versions(
        &self,
        user_type: &UserType,
        after: Option<&R::Id>,
        limit: u32,
    ) -> Result<Vec<(R::Id, u16)>, StoreError> {
        self.faults.read(self.inner.versions(user_type, after, limit)).await
    }
}

#[async_trait]
impl<R: HoldsOutbox, P: DeadLetters<R> + ?Sized> DeadLetters<R> for Faulty<P> {
    async fn with_dead(
        &self,
        user_type: &UserType,
        after: Option<&R::Id>,
        limit: u32,
    ) -> Result<Vec<R::Id>, StoreError> {
        self.faults.read(self.inner.with_dead(user_type, after, limit)).await
    }
}

#[async_trait]
impl Registrations for Faulty<dyn Registrations> {
    async fn find_by_email(
        &self,
        user_type: &UserType,
        candidates: &[Candidate],
        now: Timestamp,
    ) -> Result<Vec<RegistrationRecord>, StoreError> {
        self.faults
            .read(self.inner.find_by_email(user_type, candidates, now))
            .await
    }

    async fn email_values(
        &self,
        user_type: &UserType,
        slot: u8,
        after: Option<&Slot>,
        limit: u32,
    ) -> Result<Vec<Slot>, StoreError> {
        self.faults
            .read(self.inner.email_values(user_type, slot, after, limit))
            .await
    }

    async fn due(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, StoreError> {
        self.faults.read(self.inner.due(user_type, now, limit)).await
    }

    async fn expired(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, StoreError> {
        self.faults.read(self.inner.expired(user_type, now, limit)).await
    }

    async fn page(
        &self,
        user_type: &UserType,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<AccountId>, StoreError> {
        self.faults.read(self.inner.page(user_type, after, limit)).await
    }
}

impl Deks for Faulty<dyn Deks> {}

impl KeyJobs for Faulty<dyn KeyJobs> {}

#[async_trait]
impl Sessions for Faulty<dyn Sessions> {
    async fn ids_of_account(&self, account: &Ref<AccountId>, limit: u32) -> Result<Vec<SessionId>, StoreError> {
        self.faults.read(self.inner.ids_of_account(account, limit)).await
    }

    async fn of_account(&self, account: &Ref<AccountId>, limit: u32) -> Result<Vec<SessionRecord>, StoreError> {
        self.faults.read(self.inner.of_account(account, limit)).await
    }

    async fn expired(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<SessionId>, StoreError> {
        self.faults.read(self.inner.expired(user_type, now, limit)).await
    }
}

#[async_trait]
impl Requests for Faulty<dyn Requests> {
    async fn due(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<MessageId>, StoreError> {
        self.faults.read(self.inner.due(user_type, now, limit)).await
    }

    async fn expired(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<MessageId>, StoreError> {
        self.faults.read(self.inner.expired(user_type, now, limit)).await
    }
}

#[async_trait]
impl KeyringStore for Faulty<dyn KeyringStore> {
    async fn insert(&self, record: &KeyringRecord) -> Result<Inserted, StoreError> {
        self.faults
            .write("keyring.insert".to_owned(), self.inner.insert(record))
            .await
    }

    async fn list(&self) -> Result<Vec<KeyringRecord>, StoreError> {
        self.faults.read(self.inner.list()).await
    }

    async fn replace(&self, expected: &KeyringRecord, record: &KeyringRecord) -> Result<bool, StoreError> {
        self.faults
            .write("keyring.replace".to_owned(), self.inner.replace(expected, record))
            .await
    }
}

#[async_trait]
impl AuditStore for Faulty<dyn AuditStore> {
    async fn append(&self, record: &AuditRecord) -> Result<Inserted, StoreError> {
        self.faults
            .write("audit.append".to_owned(), self.inner.append(record))
            .await
    }

    async fn list(
        &self,
        user_type: &UserType,
        account_id: Option<&AccountId>,
        after: Option<&AuditId>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        self.faults
            .read(self.inner.list(user_type, account_id, after, limit))
            .await
    }

    async fn append_checkpoint(&self, record: &CheckpointRecord) -> Result<Inserted, StoreError> {
        self.faults
            .write("audit.checkpoint".to_owned(), self.inner.append_checkpoint(record))
            .await
    }

    async fn page(&self, after: Option<&AuditId>, limit: u32) -> Result<Vec<StoredEntry>, StoreError> {
        self.faults.read(self.inner.page(after, limit)).await
    }

    async fn ids(&self, after: Option<&AuditId>, before: &AuditId, limit: u32) -> Result<Vec<AuditId>, StoreError> {
        self.faults.read(self.inner.ids(after, before, limit)).await
    }

    async fn entries(&self, ids: &[AuditId]) -> Result<Vec<StoredEntry>, StoreError> {
        self.faults.read(self.inner.entries(ids)).await
    }

    async fn last_checkpoint(&self) -> Result<Option<CheckpointRecord>, StoreError> {
        self.faults.read(self.inner.last_checkpoint()).await
    }

    async fn checkpoints(&self, from: u64, limit: u32) -> Result<Vec<CheckpointRecord>, StoreError> {
        self.faults.read(self.inner.checkpoints(from, limit)).await
    }

    async fn remove_entries(&self, ids: &[AuditId]) -> Result<u64, StoreError> {
        self.faults
            .write("audit.remove".to_owned(), self.inner.remove_entries(ids))
            .await
    }

    async fn remove_checkpoints(&self, before: u64, limit: u32) -> Result<u64, StoreError> {
        self.faults
            .write(
                "audit.remove_checkpoints".to_owned(),
                self.inner.remove_checkpoints(before, limit),
            )
            .await
    }

    async fn cursor(&self, reader: &str) -> Result<Option<u64>, StoreError> {
        self.faults.read(self.inner.cursor(reader)).await
    }

    async fn advance(&self, reader: &str, expected: Option<u64>, place: u64) -> Result<bool, StoreError> {
        self.faults
            .write("audit.advance".to_owned(), self.inner.advance(reader, expected, place))
            .await
    }
}

#[async_trait]
impl TextCounts for Faulty<dyn TextCounts> {
    async fn update(
        &self,
        scope: &TextScope,
        now: Timestamp,
        decide: &mut (dyn for<'r> FnMut(&'r mut TextCountRecord) -> Verdict + Send),
    ) -> Result<(), StoreError> {
        let what = "text_counts.update".to_owned();
        self.faults.write(what, self.inner.update(scope, now, decide)).await
    }

    async fn find(&self, scope: &TextScope) -> Result<Option<TextCountRecord>, StoreError> {
        self.faults.read(self.inner.find(scope)).await
    }

    async fn list(&self) -> Result<Vec<TextCountRecord>, StoreError> {
        self.faults.read(self.inner.list()).await
    }

    async fn remove(&self, before: Timestamp) -> Result<(), StoreError> {
        let what = "text_counts.remove".to_owned();
        self.faults.write(what, self.inner.remove(before)).await
    }
}

#[async_trait]
impl Heartbeats for Faulty<dyn Heartbeats> {
    async fn beat(&self, record: &HeartbeatRecord) -> Result<(), StoreError> {
        self.faults
            .write("heartbeats.beat".to_owned(), self.inner.beat(record))
            .await
    }

    async fn since(&self, since: Timestamp) -> Result<Vec<HeartbeatRecord>, StoreError> {
        self.faults.read(self.inner.since(since)).await
    }

    async fn remove(&self, id: Option<&WorkerId>, before: Timestamp) -> Result<(), StoreError> {
        self.faults
            .write("heartbeats.remove".to_owned(), self.inner.remove(id, before))
            .await
    }
}

#[async_trait]
impl Probe for Faulty<dyn Probe> {
    async fn probe(&self) -> Result<(), StoreError> {
        self.faults.read(self.inner.probe()).await
    }
}
