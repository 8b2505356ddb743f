//! Versions of the records' shape, and the way from each to the next.
//!
//! Every record carries the version it was written with in `schema`. One of an older version is read as what its steps
//! make of it, and stands in the store as it was until somebody changes it, or `sealgate migrate` does; whatever is
//! written is of the newest. One of a newer version is refused: this process does not know what it means.
//!
//! # To change a record's shape
//! 1. A function from its document of version n to n + 1, at the end of its line in [`Schemas::current`]. A step that
//!    was released is never edited.
//! 2. The record's type, and the version that it is made with, as the steps leave it. Nothing sealed or signed depends
//!    on the version, and a step touches neither.
//! 3. A frozen document of version n in the step's test.
//!
//! While servers of both versions run, the old ones answer 503 for records that the new ones have written: change the
//! servers over quickly, and run `sealgate migrate` after the last.

use std::{collections::BTreeMap, fmt};

use bson::{Document, RawDocument};
use serde::de::DeserializeOwned;

use crate::storage::documents::StoreError;

/// What the first version is called.
const FIRST: u16 = 1;

/// Brings a document of one version to the next; `None` where it is not what that version was.
pub type Step = fn(Document) -> Option<Document>;

/// How old a stored record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Steps lead from it to the version that is written.
    Older,
    /// As it would be written.
    Current,
    /// Written by a newer process.
    Newer,
}

/// The versions of one record.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    steps: &'static [Step],
}

impl Schema {
    /// One that `steps` lead to, the first of them from version 1.
    #[must_use]
    pub const fn new(steps: &'static [Step]) -> Self {
        Self { steps }
    }

    /// The version that is written.
    #[must_use]
    pub fn version(self) -> u16 {
        FIRST + u16::try_from(self.steps.len()).unwrap_or(u16::MAX - FIRST)
    }

    /// How a record of `version` compares.
    #[must_use]
    pub fn age(self, version: u16) -> Age {
        match version.cmp(&self.version()) {
            std::cmp::Ordering::Less => Age::Older,
            std::cmp::Ordering::Equal => Age::Current,
            std::cmp::Ordering::Greater => Age::Newer,
        }
    }

    /// The record of a stored document; `name` is for the error alone. Its `schema` stays what it was written with.
    pub fn decode<T: DeserializeOwned>(self, name: impl fmt::Display, stored: &[u8]) -> Result<T, StoreError> {
        let damaged = || StoreError::Damaged(name.to_string());
        let version = version_of(stored).ok_or_else(damaged)?;
        match self.age(version) {
            // What is wrong with it is not told: the decoder's words may quote a value.
            Age::Current => bson::deserialize_from_slice(stored).map_err(|_| damaged()),
            Age::Older => {
                let document: Document = bson::deserialize_from_slice(stored).map_err(|_| damaged())?;
                let done = usize::from(version.saturating_sub(FIRST));
                let mut steps = self.steps.iter().skip(done);
                let migrated = steps.try_fold(document, |document, step| step(document));
                bson::deserialize_from_document(migrated.ok_or_else(damaged)?).map_err(|_| damaged())
            }
            Age::Newer => Err(StoreError::Newer(format!(
                "{name} has schema {version}, this process knows {}",
                self.version()
            ))),
        }
    }
}

/// The version that a stored document says it is of. One that says nothing is of the first.
pub(in crate::storage) fn version_of(stored: &[u8]) -> Option<u16> {
    match RawDocument::from_bytes(stored).ok()?.get("schema").ok()? {
        None => Some(FIRST),
        Some(version) => {
            let version = version.as_i64().or_else(|| version.as_i32().map(i64::from))?;
            u16::try_from(version).ok().filter(|version| *version >= FIRST)
        }
    }
}

/// The steps of every record, by its name.
#[derive(Clone, Debug, Default)]
pub struct Schemas(BTreeMap<&'static str, &'static [Step]>);

impl Schemas {
    /// Those of this version of Sealgate. No record has a second version yet.
    #[must_use]
    pub fn current() -> Self {
        Self::default()
    }

    /// These, and others for `record`.
    #[must_use]
    pub fn with(mut self, record: &'static str, steps: &'static [Step]) -> Self {
        self.0.insert(record, steps);
        self
    }

    /// The versions of `record`.
    #[must_use]
    pub fn of(&self, record: &str) -> Schema {
        Schema::new(self.0.get(record).copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;
    use serde::{Deserialize, Serialize};

    use super::*;

    /// Version 1 had one name, version 2 has two, version 3 calls the number a count.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Third {
        schema: u16,
        first: String,
        last: String,
        count: i64,
    }

    const STEPS: &[Step] = &[
        |mut document| {
            let name = document.remove("name")?;
            let (first, last) = name.as_str()?.split_once(' ')?;
            document.extend(doc! { "first": first, "last": last });
            Some(document)
        },
        |mut document| {
            let number = document.remove("number")?;
            document.insert("count", number);
            Some(document)
        },
    ];

    fn third(schema: u16) -> Third {
        Third {
            schema,
            first: "Ada".into(),
            last: "Lovelace".into(),
            count: 7,
        }
    }

    fn decode(document: &Document) -> Result<Third, StoreError> {
        let bytes = bson::serialize_to_vec(document).expect("bytes");
        Schema::new(STEPS).decode("things t_1", &bytes)
    }

    #[test]
    fn every_older_version_is_read_as_the_newest() {
        let first = doc! { "name": "Ada Lovelace", "number": 7_i64 };
        let mut said = first.clone();
        said.insert("schema", 1);
        let second = doc! { "schema": 2, "first": "Ada", "last": "Lovelace", "number": 7_i64 };
        let newest = doc! { "schema": 3, "first": "Ada", "last": "Lovelace", "count": 7_i64 };
        for (document, schema) in [(said, 1), (second, 2), (newest, 3)] {
            assert_eq!(decode(&document).expect("decodes"), third(schema));
        }
        let bytes = bson::serialize_to_vec(&first).expect("bytes");
        assert_eq!(version_of(&bytes), Some(1), "one that says nothing is of the first");
    }

    #[test]
    fn a_newer_one_is_refused_and_named_and_not_shown() {
        let newer = doc! { "schema": 4, "first": "Ada", "last": "Lovelace", "count": 7_i64 };
        let refused = decode(&newer).expect_err("newer");
        assert!(matches!(refused, StoreError::Newer(_)), "{refused}");
        let text = refused.to_string();
        assert!(
            text.contains("t_1") && text.contains('4') && !text.contains("Ada"),
            "{text}"
        );
    }

    #[test]
    fn what_no_step_can_read_is_damaged() {
        for damaged in [
            doc! { "schema": 1, "name": "Ada", "number": 7_i64 },
            doc! { "schema": 0, "name": "Ada Lovelace", "number": 7_i64 },
            doc! { "schema": "one", "name": "Ada Lovelace", "number": 7_i64 },
            doc! { "schema": 3, "name": "Ada Lovelace" },
        ] {
            let refused = decode(&damaged).expect_err("damaged");
            assert!(matches!(refused, StoreError::Damaged(_)), "{refused}");
            assert!(!refused.to_string().contains("Ada"), "{refused}");
        }
    }
}
