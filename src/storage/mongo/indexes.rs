//! The indexes that the ports need: made at start where they are missing, and compared with what is there.
//!
//! One that is there under the name and is another is never replaced by itself: making an index of a large collection is
//! the operator's decision, and a unique one that is gone for a moment lets duplicates in.

use std::fmt;

use bson::{Bson, Document};
use mongodb::{IndexModel, options::IndexOptions};

use crate::storage::{documents::StoreError, mongo::collection::RawCollection};

/// An index that an adapter keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Index {
    name: &'static str,
    fields: &'static [&'static str],
    is_unique: bool,
}

impl Index {
    pub(super) const fn plain(name: &'static str, fields: &'static [&'static str]) -> Self {
        Self {
            name,
            fields,
            is_unique: false,
        }
    }

    pub(super) const fn unique(name: &'static str, fields: &'static [&'static str]) -> Self {
        Self {
            name,
            fields,
            is_unique: true,
        }
    }

    fn keys(self) -> Document {
        let fields = self.fields.iter();
        fields.map(|field| ((*field).to_owned(), Bson::Int32(1))).collect()
    }

    fn model(self) -> IndexModel {
        let options = IndexOptions::builder()
            .name(self.name.to_owned())
            // Left out rather than false: a server compares the options of an index that is there.
            .unique(self.is_unique.then_some(true))
            .build();
        IndexModel::builder().keys(self.keys()).options(options).build()
    }

    /// Whether `found` is what this is. Servers differ in the number type of a direction.
    fn is(self, found: &IndexModel) -> bool {
        let keys = self.keys();
        let is_same = keys.len() == found.keys.len()
            && keys
                .iter()
                .zip(&found.keys)
                .all(|((name, _), (other, value))| name == other && is_ascending(value));
        let options = found.options.clone().unwrap_or_default();
        is_same
            && (options.unique == Some(true)) == self.is_unique
            && options.partial_filter_expression.is_none()
            && options.sparse != Some(true)
            && options.expire_after.is_none()
            && options.collation.is_none()
    }
}

fn is_ascending(direction: &Bson) -> bool {
    match direction {
        Bson::Int32(n) => *n == 1,
        Bson::Int64(n) => *n == 1,
        Bson::Double(n) => (*n - 1.0).abs() < f64::EPSILON,
        _ => false,
    }
}

/// What is wrong with one index, said with its mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexFinding {
    /// It is not there, though its collection is.
    Missing {
        /// Of which collection.
        collection: String,
        /// Its name.
        index: String,
    },
    /// Another is there under its name.
    Differs {
        /// Of which collection.
        collection: String,
        /// Its name.
        index: String,
    },
    /// Nobody here uses it.
    Extra {
        /// Of which collection.
        collection: String,
        /// Its name.
        index: String,
    },
}

impl fmt::Display for IndexFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { collection, index } => write!(
                f,
                "{collection} has no index {index}; the next start of a server or worker makes it, or says what stands in its way"
            ),
            Self::Differs { collection, index } => write!(
                f,
                "the index {index} of {collection} is not the one that this version needs; stop servers and workers, run \
                 `db.{collection}.dropIndex(\"{index}\")` in mongosh, and start them: they make it anew"
            ),
            Self::Extra { collection, index } => write!(
                f,
                "{collection} has an index {index} that Sealgate does not use and every write pays for; unless it is \
                 yours, run `db.{collection}.dropIndex(\"{index}\")` in mongosh"
            ),
        }
    }
}

/// Compares the indexes of `collection` with those that are needed. One that is not there yet has none to compare.
pub(super) async fn compare(
    collection: &RawCollection,
    needed: &'static [Index],
) -> Result<Vec<IndexFinding>, StoreError> {
    let there = collection.indexes().await?;
    if there.is_empty() {
        return Ok(Vec::new());
    }
    let named = |index: &IndexModel| index.options.as_ref().and_then(|options| options.name.clone());
    let mut findings = Vec::new();
    for index in needed {
        let name = || (collection.name().to_owned(), index.name.to_owned());
        match there.iter().find(|found| named(found).as_deref() == Some(index.name)) {
            None => {
                let (collection, index) = name();
                findings.push(IndexFinding::Missing { collection, index });
            }
            Some(found) if !index.is(found) => {
                let (collection, index) = name();
                findings.push(IndexFinding::Differs { collection, index });
            }
            Some(_) => {}
        }
    }
    let is_needed = |name: &str| name == "_id_" || needed.iter().any(|index| index.name == name);
    let extra = there.iter().filter_map(named).filter(|name| !is_needed(name));
    findings.extend(extra.map(|index| IndexFinding::Extra {
        collection: collection.name().to_owned(),
        index,
    }));
    Ok(findings)
}

/// Makes the indexes that are missing; refuses where another stands in the place of one.
pub(super) async fn ensure(collection: &RawCollection, needed: &'static [Index]) -> Result<(), StoreError> {
    if needed.is_empty() {
        return Ok(());
    }
    let findings = compare(collection, needed).await?;
    let mut differing = findings.iter();
    if let Some(finding) = differing.find(|finding| matches!(finding, IndexFinding::Differs { .. })) {
        return Err(StoreError::Unavailable(finding.to_string()));
    }
    collection
        .make_indexes(needed.iter().map(|index| index.model()).collect())
        .await
}
