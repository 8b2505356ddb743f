//! What every record's port has in common: insert, find, conditional change, delete.
//!
//! A conditional change is a function over the record, so that its rules are written once, pure, beside the record,
//! and an adapter only has to apply it atomically: under a write lock, or by compare-and-set on `rev` and trying again.

use std::fmt;

use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    domain::{ids::Id, user_type::UserType},
    storage::schema::Schema,
};

/// What a store can't do for the caller. The text is for the operator's log and never leaves the service.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store does not answer, refuses, or is full. Nothing was written, unless the write was done and its answer
    /// alone was lost: a step that is tried again must stand that. Worth trying again later.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// Too many changes of one record at once; nothing was written. Worth trying again later.
    #[error("too many concurrent changes of one record")]
    Contended,
    /// A record was written by a newer version of Sealgate. Names the record, never its content. Another server may be
    /// able to.
    #[error("a stored record is of a newer version; bring this process up to date: {0}")]
    Newer(String),
    /// A record can't be read back. Names the record, never its content.
    #[error("a stored record is damaged: {0}")]
    Damaged(String),
}

impl StoreError {
    /// For lists: a record that is damaged is none, and named in the log.
    #[cfg(any(feature = "sqlite", feature = "mongo"))]
    pub(in crate::storage) fn pass_over<R>(self) -> Result<Option<R>, Self> {
        match self {
            Self::Damaged(_) => {
                tracing::error!(error = %self, "a record is listed without what it holds");
                Ok(None)
            }
            other => Err(other),
        }
    }
}

/// Names a record: ids are unique within their user type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ref<I> {
    /// The population.
    pub user_type: UserType,
    /// The record.
    pub id: I,
}

impl<I> Ref<I> {
    /// Names `id` of `user_type`.
    pub fn new(user_type: &UserType, id: I) -> Self {
        Self {
            user_type: user_type.clone(),
            id,
        }
    }
}

impl<I: fmt::Display> fmt::Display for Ref<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.user_type, self.id)
    }
}

/// A stored document. Serialises to the same BSON in every adapter; byte strings are binary, times are Unix
/// milliseconds.
pub trait Record: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Table or collection.
    const NAME: &'static str;
    /// Its id's type.
    type Id: Id;
    /// Its name.
    fn key(&self) -> Ref<Self::Id>;
    /// Counts the changes of the document. Adapters set it; nothing else does.
    fn rev(&self) -> u64;
    /// For adapters.
    fn set_rev(&mut self, rev: u64);
    /// The version of its shape that it was written with.
    fn schema(&self) -> u16;
    /// For adapters.
    fn set_schema(&mut self, schema: u16);
}

/// A value that only one record of a user type may have. A write that wants several taken ones is told of the first in
/// this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unique {
    /// The id.
    Id,
    /// The e-mail address (either slot).
    Email,
    /// The username (either slot).
    Username,
}

/// What an insert did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// Durably stored.
    Stored,
    /// Another record has that value; nothing was stored.
    Taken(Unique),
}

/// What a change function decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Store the record as changed.
    Store,
    /// Store nothing.
    Leave,
}

/// What an update did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updated {
    /// The changed record is durably stored.
    Stored,
    /// The change function left it.
    Left,
    /// No such record.
    Missing,
    /// The change would take a value that another record has; nothing was stored.
    Taken(Unique),
}

/// What every record's port does: four things to one record, and a look at the versions of all.
///
/// An adapter MUST guarantee:
/// - *Forward*: a record of an older version is read as its [`Schema`] makes it, and whatever is written is of the newest;
///   one of a newer version is neither read nor written over, but [`StoreError::Newer`].
/// - *Durable*: `Stored` and `true` are answered only when the write survives a crash of store and machine.
/// - *Atomic*: concurrent updates of one record behave as if they came one after the other; no update is lost, and a
///   change function sees everything that was stored before it. It may be called several times; only the last call
///   counts.
/// - *Unique*: of concurrent inserts or updates that want the same unique value, exactly one is `Stored`.
/// - *Current*: reads see every write that was answered before they began, from whatever process.
/// - *Bounded*: an operation ends within seconds, with [`StoreError::Unavailable`] when the store does not answer.
#[async_trait]
pub trait Documents<R: Record>: Send + Sync + 'static {
    /// Stores a new record, `rev` as given.
    async fn insert(&self, record: &R) -> Result<Inserted, StoreError>;
    /// Reads a record.
    async fn find(&self, key: &Ref<R::Id>) -> Result<Option<R>, StoreError>;
    /// Applies `decide` to the record and stores it, or leaves it, as it says. Sets `rev` one higher when it stores.
    async fn update(
        &self,
        key: &Ref<R::Id>,
        decide: &mut (dyn for<'r> FnMut(&'r mut R) -> Verdict + Send),
    ) -> Result<Updated, StoreError>;
    /// Removes a record; `true` when this call removed it.
    async fn delete(&self, key: &Ref<R::Id>) -> Result<bool, StoreError>;
    /// The versions that records are read from and written with.
    fn schema(&self) -> Schema;
    /// All records in order of id from after `after`, at most `limit`, each with the version it was written with.
    async fn versions(
        &self,
        user_type: &UserType,
        after: Option<&R::Id>,
        limit: u32,
    ) -> Result<Vec<(R::Id, u16)>, StoreError>;
}

/// What a typed change function decided, and what it found out on the way.
#[derive(Debug)]
pub enum Change<T> {
    /// Store the record as changed.
    Store(T),
    /// Store nothing.
    Leave(T),
}

/// What a typed change did.
#[derive(Debug, PartialEq, Eq)]
pub enum Changed<T> {
    /// Stored.
    Stored(T),
    /// Left as it was.
    Left(T),
    /// No such record.
    Missing,
    /// The value belongs to another record; nothing was stored.
    Taken(Unique),
}

impl<T> Changed<T> {
    /// What the change function found out, stored or not.
    pub fn into_value(self) -> Option<T> {
        match self {
            Self::Stored(value) | Self::Left(value) => Some(value),
            Self::Missing | Self::Taken(_) => None,
        }
    }
}

/// [`Documents::update`] with an answer.
pub async fn change<R: Record, T: Send>(
    port: &(impl Documents<R> + ?Sized),
    key: &Ref<R::Id>,
    mut decide: impl FnMut(&mut R) -> Change<T> + Send,
) -> Result<Changed<T>, StoreError> {
    let mut answer = None;
    let updated = port
        .update(key, &mut |record| match decide(record) {
            Change::Store(value) => {
                answer = Some(value);
                Verdict::Store
            }
            Change::Leave(value) => {
                answer = Some(value);
                Verdict::Leave
            }
        })
        .await?;
    Ok(match (updated, answer) {
        (Updated::Stored, Some(value)) => Changed::Stored(value),
        (Updated::Left, Some(value)) => Changed::Left(value),
        (Updated::Taken(unique), _) => Changed::Taken(unique),
        (Updated::Missing | Updated::Stored | Updated::Left, _) => Changed::Missing,
    })
}
