//! What happened, appended and never changed, and the chain of checkpoints over it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    crypto::audit_chain::{Digest, Link},
    domain::{
        audit::{AuditEvent, Details, Outcome},
        clock::Timestamp,
        ids::{AccountId, AuditId},
        network::Network,
        octets,
        user_type::UserType,
    },
    storage::{
        documents::{Inserted, StoreError},
        encoding::decode,
    },
};

/// One entry. Ids and fixed words only: no personal data. Its document is covered byte by byte by the chain, so that one
/// that is there is never migrated: a field that comes later is left out where it holds nothing, and may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Sorts by time.
    #[serde(rename = "_id")]
    pub id: AuditId,
    /// Shape of the record.
    pub schema: u16,
    /// The population; none where it is about the whole service.
    pub user_type: Option<UserType>,
    /// Whom it concerns, where that is known.
    pub account_id: Option<AccountId>,
    /// What.
    pub event: AuditEvent,
    /// How it ended.
    pub outcome: Outcome,
    /// When.
    pub at: Timestamp,
    /// The HTTP request that caused it.
    pub request_id: Option<String>,
    /// Where that came from, coarsely.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub network: Option<Network>,
    /// What else is to be known.
    #[serde(skip_serializing_if = "Details::is_empty", default)]
    pub details: Details,
}

/// An entry as it lies in the store, whatever it holds by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// What it is found by.
    pub id: AuditId,
    document: Vec<u8>,
}

impl StoredEntry {
    /// Of the document that lies under `id`.
    #[must_use]
    pub fn new(id: AuditId, document: Vec<u8>) -> Self {
        Self { id, document }
    }

    /// Of one that is damaged: what it is looked up by is not what it holds.
    #[must_use]
    pub fn damaged(id: AuditId) -> Self {
        Self::new(id, Vec::new())
    }

    /// What the chain covers beside the id: the bytes of all elements after the first, which is the id. None where this
    /// is no such document.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        let (length, rest) = self.document.split_first_chunk::<4>()?;
        let is_whole = usize::try_from(i32::from_le_bytes(*length)) == Ok(self.document.len());
        let rest = rest.strip_prefix(b"\x02_id\0")?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (id, rest) = rest.split_at_checked(usize::try_from(i32::from_le_bytes(*length)).ok()?)?;
        let is_own = id.strip_suffix(b"\0") == Some(self.id.as_str().as_bytes());
        rest.strip_suffix(b"\0").filter(|_| is_whole && is_own)
    }

    /// What it says.
    pub fn record(&self) -> Result<AuditRecord, StoreError> {
        decode(format_args!("audit {}", self.id), &self.document)
    }
}

/// One link of the chain, a checkpoint: which entries there were, what they held, and which link came before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointRecord {
    /// Place in the chain, from 1, as twenty digits: of two that write the same link, one wins.
    #[serde(rename = "_id")]
    pub id: String,
    /// Shape of the record.
    pub schema: u16,
    /// When; never before the link before.
    pub at: Timestamp,
    /// The entries it covers, in order.
    pub entries: Vec<AuditId>,
    /// SHA-256 of each of them, in the same order.
    #[serde(with = "octets")]
    pub digests: Vec<u8>,
    /// The newest entry that this link or one before it covers was made then.
    pub through: Timestamp,
    /// The first link that is kept: those before it went with their time, and their entries with them.
    pub begins_at: u64,
    /// `through` of the last link that went.
    pub begins_after: Timestamp,
    /// `mac` of the link before; empty in the first.
    #[serde(with = "octets")]
    pub previous: Vec<u8>,
    /// `key version u16 BE | HMAC-SHA-256` over all of this.
    #[serde(with = "octets")]
    pub mac: Vec<u8>,
}

impl CheckpointRecord {
    /// The id of the link at `place`.
    #[must_use]
    pub fn id_at(place: u64) -> String {
        format!("{place:020}")
    }

    /// The link that lies under `id`; one that vouches for nothing where it can't be read.
    #[must_use]
    pub fn read(id: &str, document: &[u8]) -> Self {
        let read: Option<Self> = decode(format_args!("checkpoint {id}"), document).ok();
        let never = Timestamp::from_millis(0);
        read.filter(|read| read.id == id).unwrap_or_else(|| Self {
            id: id.to_owned(),
            schema: 0,
            at: never,
            entries: Vec::new(),
            digests: Vec::new(),
            through: never,
            begins_at: 0,
            begins_after: never,
            previous: Vec::new(),
            mac: Vec::new(),
        })
    }

    /// Its place; 0, which no link has, where its id is none.
    #[must_use]
    pub fn place(&self) -> u64 {
        self.id.parse().unwrap_or(0)
    }

    /// What its MAC covers; nothing where it is misshapen.
    #[must_use]
    pub fn link(&self) -> Option<Link<'_>> {
        let (digests, rest) = self.digests.as_chunks::<{ size_of::<Digest>() }>();
        let is_sound = rest.is_empty() && digests.len() == self.entries.len() && self.id == Self::id_at(self.place());
        is_sound.then(|| Link {
            place: self.place(),
            at: self.at,
            entries: &self.entries,
            digests,
            through: self.through,
            begins_at: self.begins_at,
            begins_after: self.begins_after,
            previous: &self.previous,
        })
    }
}

/// The port. Entries and links are inserted, read, and never changed; what goes is removed from the beginning on, by
/// retention alone. Whatever the chain is made or verified by is *current*: read from the primary.
#[async_trait]
pub trait AuditStore: Send + Sync + 'static {
    /// Appends an entry.
    async fn append(&self, record: &AuditRecord) -> Result<Inserted, StoreError>;
    /// Entries in order of id from after `after`, at most `limit`; of one account, or of all of a user type. May lag.
    async fn list(
        &self,
        user_type: &UserType,
        account_id: Option<&AccountId>,
        after: Option<&AuditId>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError>;
    /// All entries in order of id from after `after`, at most `limit`, as they lie there. One whose look-up columns are
    /// not what its document says comes as [`StoredEntry::damaged`].
    async fn page(&self, after: Option<&AuditId>, limit: u32) -> Result<Vec<StoredEntry>, StoreError>;
    /// Ids in order from after `after` to before `before`, at most `limit`.
    async fn ids(&self, after: Option<&AuditId>, before: &AuditId, limit: u32) -> Result<Vec<AuditId>, StoreError>;
    /// Those of `ids` that are there, in order of id, as in [`page`](Self::page).
    async fn entries(&self, ids: &[AuditId]) -> Result<Vec<StoredEntry>, StoreError>;
    /// Appends a link; `Taken` when there is one at that place.
    async fn append_checkpoint(&self, record: &CheckpointRecord) -> Result<Inserted, StoreError>;
    /// The last link.
    async fn last_checkpoint(&self) -> Result<Option<CheckpointRecord>, StoreError>;
    /// Links in order from the place `from` on, at most `limit`.
    async fn checkpoints(&self, from: u64, limit: u32) -> Result<Vec<CheckpointRecord>, StoreError>;
    /// Removes those of `ids` that are there; answers how many.
    async fn remove_entries(&self, ids: &[AuditId]) -> Result<u64, StoreError>;
    /// Removes the first links, at most `limit`, before the place `before`; answers how many.
    async fn remove_checkpoints(&self, before: u64, limit: u32) -> Result<u64, StoreError>;
    /// The place of the link that `reader` has had last.
    async fn cursor(&self, reader: &str) -> Result<Option<u64>, StoreError>;
    /// Moves the cursor of `reader` on to `place`; `false` when it was not at `expected`.
    async fn advance(&self, reader: &str, expected: Option<u64>, place: u64) -> Result<bool, StoreError>;
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use serde_json::Value;

    use super::*;
    use crate::{domain::message::MessageKind, storage::encoding::encode};

    fn hex(value: &Value) -> Vec<u8> {
        HEXLOWER.decode(value.as_str().expect("text").as_bytes()).expect("hex")
    }

    /// What is covered by the chain is what is stored: of an entry from before there were networks and details, and of
    /// one with both.
    #[test]
    fn entries_are_the_frozen_documents() {
        let frozen: Value = serde_json::from_str(include_str!("../../tests/vectors/frozen.json")).expect("JSON");
        let vectors = frozen["audit"]["entries"].as_array().expect("a list");
        assert_eq!(vectors.len(), 2);
        for (n, vector) in vectors.iter().enumerate() {
            let id: AuditId = vector["id"].as_str().expect("text").parse().expect("an id");
            let stored = StoredEntry::new(id.clone(), hex(&vector["document"]));
            assert_eq!(stored.body(), Some(hex(&vector["body"]).as_slice()));
            let record = stored.record().expect("readable");
            assert_eq!(encode("it", &record).expect("encoded"), hex(&vector["document"]));
            assert_eq!((&record.id, record.network.is_some()), (&id, n == 1));
            let message = "msg_06dbd5v801rgf1o70s3ge1o70s".parse().expect("an id");
            let details = [
                Details::default(),
                Details::of_message(&message, MessageKind::PhoneCode),
            ];
            assert_eq!(record.details, details[n]);
        }
    }

    #[test]
    fn what_is_no_entry_has_no_body() {
        let frozen: Value = serde_json::from_str(include_str!("../../tests/vectors/frozen.json")).expect("JSON");
        let vector = &frozen["audit"]["entries"][0];
        let id: AuditId = vector["id"].as_str().expect("text").parse().expect("an id");
        let document = hex(&vector["document"]);
        for length in 0..document.len() {
            assert_eq!(
                StoredEntry::new(id.clone(), document[..length].to_vec()).body(),
                None,
                "{length}"
            );
        }
        let other = AuditId::first_at(Timestamp::from_millis(1));
        assert_eq!(StoredEntry::new(other, document).body(), None, "of another id");
        assert_eq!(StoredEntry::damaged(id).body(), None);
    }
}
