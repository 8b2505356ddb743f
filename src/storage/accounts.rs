//! Confirmed persons: the record and its port.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    crypto::{
        blind_index::{Candidate, Slot},
        record_mac::SignedSecurity,
    },
    domain::{
        account::AccountStatus,
        challenge::{Challenge, Purpose},
        clock::Timestamp,
        ids::{AccountId, ChallengeId, MessageId},
        message::MessageKind,
        second_factor::CodeState,
        token::TokenDigest,
        user_type::UserType,
    },
    storage::{
        dead_letters::DeadLetters,
        documents::{Documents, Record, Ref, StoreError},
        known_devices::KnownDevices,
        outbox::{Outbox, OutboxEntry},
        profile::SealedProfile,
    },
};

/// One account. Everything under the MAC changes by [`AccountRecord::replace_security`] only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountRecord {
    /// The registration's id, or an imported one.
    #[serde(rename = "_id")]
    pub id: AccountId,
    /// The population; each has a collection of its own.
    pub user_type: UserType,
    /// Shape of the record.
    pub schema: u16,
    /// Changes of the document.
    pub rev: u64,
    /// Changes of the profile, for clients.
    pub version: u64,
    /// When the registration was made.
    pub created_at: Timestamp,
    /// When the profile last changed.
    pub updated_at: Timestamp,
    /// The person; none in a tombstone.
    pub sealed: Option<SealedProfile>,
    /// Status, role, password hash, index slots and the rest that the MAC covers.
    #[serde(flatten)]
    security: SignedSecurity,
    /// Pending proofs, one per purpose.
    pub challenges: BTreeMap<Purpose, Challenge>,
    /// The devices it was signed in from; none until the first time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub devices: Option<KnownDevices>,
    /// Of codes of an authenticator app; none until one was enrolled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub codes: Option<CodeState>,
    /// Messages not yet taken by a provider.
    #[serde(flatten)]
    pub outbox: Outbox,
}

/// What a new account consists of.
#[derive(Debug)]
pub struct NewAccount {
    /// Its name.
    pub key: Ref<AccountId>,
    /// When the registration was made.
    pub created_at: Timestamp,
    /// Now.
    pub updated_at: Timestamp,
    /// The person.
    pub sealed: SealedProfile,
    /// Signed.
    pub security: SignedSecurity,
    /// With the welcome.
    pub outbox: Outbox,
}

impl AccountRecord {
    /// The record of a new account.
    #[must_use]
    pub fn new(account: NewAccount) -> Self {
        Self {
            id: account.key.id,
            user_type: account.key.user_type,
            schema: crate::storage::SCHEMA,
            rev: 0,
            version: 1,
            created_at: account.created_at,
            updated_at: account.updated_at,
            sealed: Some(account.sealed),
            security: account.security,
            challenges: BTreeMap::new(),
            devices: None,
            codes: None,
            outbox: account.outbox,
        }
    }

    /// What the MAC covers. Reading it takes [`RecordMac::verify`](crate::crypto::record_mac::RecordMac::verify).
    #[must_use]
    pub fn security(&self) -> &SignedSecurity {
        &self.security
    }

    /// Replaces what the MAC covers, if nobody else did since `expected_rev_sec` was read.
    pub fn replace_security(&mut self, expected_rev_sec: u64, replacement: SignedSecurity) -> bool {
        let is_expected = self.security.rev_sec() == expected_rev_sec;
        if is_expected {
            self.security = replacement;
        }
        is_expected
    }

    /// Puts a challenge in place of the last one of its purpose.
    pub fn challenge(&mut self, purpose: Purpose, id: ChallengeId, now: Timestamp) -> &mut Challenge {
        let challenge = Challenge::make(id, purpose, now, self.challenges.get(&purpose));
        self.challenges.entry(purpose).insert_entry(challenge).into_mut()
    }

    /// Makes what was sent for that purpose worth nothing.
    pub fn void(&mut self, purpose: Purpose) {
        if let Some(challenge) = self.challenges.get_mut(&purpose) {
            challenge.void();
        }
    }

    /// Whether a link's digest meets the pending challenge.
    #[must_use]
    pub fn is_met(&self, purpose: Purpose, digest: &TokenDigest, now: Timestamp) -> bool {
        self.challenges
            .get(&purpose)
            .is_some_and(|challenge| challenge.is_met_by(digest, now))
    }

    /// Makes the account a tombstone: nobody's person, found by nobody, good for nothing. `security` is the
    /// tombstone's; the one entry left removes the rest.
    pub fn erase(
        &mut self,
        expected_rev_sec: u64,
        security: SignedSecurity,
        erase: &MessageId,
        now: Timestamp,
    ) -> bool {
        if !self.replace_security(expected_rev_sec, security) {
            return false;
        }
        self.sealed = None;
        self.challenges.clear();
        self.devices = None;
        self.codes = None;
        self.outbox = Outbox::with(erase, OutboxEntry::new(MessageKind::Erase, now));
        self.updated_at = now;
        true
    }
}

impl Record for AccountRecord {
    const NAME: &'static str = "accounts";
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

/// Which accounts a list shows: those that fulfil all that is asked.
#[derive(Clone, Debug, Default)]
pub struct AccountFilter {
    /// Of that status.
    pub status: Option<AccountStatus>,
    /// With one of these, of an address, in the slot it names.
    pub email: Option<Vec<Candidate>>,
    /// With one of these, of a phone number, in the slot it names.
    pub phone: Option<Vec<Candidate>>,
}

/// The port. Beside [`Documents`], an adapter MUST keep each of `email_ix_0`, `email_ix_1`, `username_ix_0` and
/// `username_ix_1` unique within the user type, by one plain unique index each.
#[async_trait]
pub trait Accounts: Documents<AccountRecord> + DeadLetters<AccountRecord> {
    /// The account that has one of the candidates in the slot it names.
    async fn find_by_email(
        &self,
        user_type: &UserType,
        candidates: &[Candidate],
    ) -> Result<Option<AccountRecord>, StoreError>;
    /// The same by username.
    async fn find_by_username(
        &self,
        user_type: &UserType,
        candidates: &[Candidate],
    ) -> Result<Option<AccountRecord>, StoreError>;
    /// Index values of addresses in one slot, in their order from after `after`, at most `limit`: for the e-mail filter.
    /// Unused slots are among them.
    async fn email_values(
        &self,
        user_type: &UserType,
        slot: u8,
        after: Option<&Slot>,
        limit: u32,
    ) -> Result<Vec<Slot>, StoreError>;
    /// Accounts that fulfil `filter`, in order of id from after `after`, at most `limit`; without the record where it can't
    /// be read. By an index, whatever is asked. May lag.
    async fn list(
        &self,
        user_type: &UserType,
        filter: &AccountFilter,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<(AccountId, Option<AccountRecord>)>, StoreError>;
    /// Accounts with a message due at `now`, longest due first, at most `limit`.
    async fn due(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, StoreError>;
    /// Whether there is no account of any user type. Root keys are made only then.
    async fn is_empty(&self) -> Result<bool, StoreError>;
    /// Whether there is no account of that user type. Its index key is made only then.
    async fn has_none(&self, user_type: &UserType) -> Result<bool, StoreError>;
}
