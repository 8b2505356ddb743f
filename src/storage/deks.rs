//! Wrapped data keys, in a database of their own: its back-ups can expire sooner, and a back-up of the accounts
//! without it reads nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    crypto::kek::WrappedKey,
    domain::{ids::AccountId, user_type::UserType},
    storage::documents::{Documents, Record, Ref},
};

/// The data keys of one account or registration, by number from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DekRecord {
    /// Whose they are.
    #[serde(rename = "_id")]
    pub id: AccountId,
    /// The population.
    pub user_type: UserType,
    /// Shape of the record.
    pub schema: u16,
    /// Changes of the document.
    pub rev: u64,
    /// Number (as text, as a document's names must be) to wrapped key.
    pub deks: BTreeMap<String, WrappedKey>,
    /// Of which generation the newest is; the first, where nothing is said.
    #[serde(default = "first_generation")]
    pub generation: u16,
}

const fn first_generation() -> u16 {
    1
}

impl DekRecord {
    /// The record of a first key.
    #[must_use]
    pub fn first(key: &Ref<AccountId>, wrapped: WrappedKey, generation: u16) -> Self {
        Self {
            id: key.id.clone(),
            user_type: key.user_type.clone(),
            schema: crate::storage::SCHEMA,
            rev: 0,
            deks: BTreeMap::from([("1".to_owned(), wrapped)]),
            generation,
        }
    }

    /// The number of the newest; `None` where one is no number.
    #[must_use]
    pub fn newest(&self) -> Option<u16> {
        let numbers = self.deks.keys().map(|number| number.parse().ok());
        numbers.collect::<Option<Vec<u16>>>()?.into_iter().max()
    }

    /// Adds a key of `generation`, which seals from now on; the others open what they sealed.
    pub fn add(&mut self, number: u16, wrapped: WrappedKey, generation: u16) {
        self.deks.insert(number.to_string(), wrapped);
        self.generation = generation;
    }

    /// Removes all but `newest`, if that is still the newest; whether anything was removed.
    pub fn keep_only(&mut self, newest: u16) -> bool {
        if self.newest() != Some(newest) || self.deks.len() < 2 {
            return false;
        }
        let name = newest.to_string();
        self.deks.retain(|number, _| *number == name);
        true
    }
}

impl Record for DekRecord {
    const NAME: &'static str = "deks";
    type Id = AccountId;
    fn key(&self) -> Ref<AccountId> {
        Ref::new(&self.user_type, self.id.clone())
    }
    fn rev(&self) -> u64 {
        self.rev
    }
    fn set_rev(&mut self, rev: u64) {
        self.rev = rev;
    }
    fn schema(&self) -> u16 {
        self.schema
    }
    fn set_schema(&mut self, schema: u16) {
        self.schema = schema;
    }
}

/// The port. A data key is stored before what it seals, and removed after it.
pub trait Deks: Documents<DekRecord> {}
