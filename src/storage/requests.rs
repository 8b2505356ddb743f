//! What was asked about any address, known or not: a forgotten password, a confirmation to be sent again. The
//! service writes one and answers; the worker finds out whether there is anybody to write to.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    crypto::{field::RequestAddress, sealed::Sealed},
    domain::{clock::Timestamp, ids::MessageId, user_type::UserType},
    storage::{
        dead_letters::DeadLetters,
        documents::{Documents, Record, Ref, StoreError},
        outbox::Outbox,
    },
};

/// One request; its id is its message's id, and its outbox holds that message alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Also the message's.
    #[serde(rename = "_id")]
    pub id: MessageId,
    /// The population.
    pub user_type: UserType,
    /// Shape of the record.
    pub schema: u16,
    /// Changes of the document.
    pub rev: u64,
    /// The address, sealed under the shared request key.
    pub address: Sealed<RequestAddress>,
    /// Past what a mailbox gets: nobody is written to. Stored all the same, so that who asks can't tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_dropped: bool,
    /// Tries left of the code that may have been mailed. Of such a request alone, which stays until its end: counted where
    /// there is nobody to sign in, too, since a write that only an account's code costs would tell of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<u32>,
    /// Removed from then on, done or not.
    pub expires_at: Timestamp,
    /// Its one message.
    #[serde(flatten)]
    pub outbox: Outbox,
}

impl RequestRecord {
    /// Charges a try, to be stored before anything is compared; `false` where there is none left, or no time.
    pub fn charge(&mut self, now: Timestamp) -> bool {
        match self.tries.as_mut().filter(|tries| **tries > 0 && now < self.expires_at) {
            Some(tries) => {
                *tries -= 1;
                true
            }
            None => false,
        }
    }
}

impl Record for RequestRecord {
    const NAME: &'static str = "requests";
    type Id = MessageId;
    fn key(&self) -> Ref<MessageId> {
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

/// The port. Only the id is unique.
#[async_trait]
pub trait Requests: Documents<RequestRecord> + DeadLetters<RequestRecord> {
    /// Requests due at `now`, longest due first, at most `limit`.
    async fn due(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<MessageId>, StoreError>;
    /// Requests past their end at `now`, at most `limit`.
    async fn expired(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<MessageId>, StoreError>;
}
