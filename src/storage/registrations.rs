//! Pending creates: the record and its port. Several may wait for one address, each with its own password and link;
//! confirming one discards the others.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    crypto::{
        blind_index::{Candidate, IndexSlots, Slot},
        password_hasher::PasswordHash,
    },
    domain::{clock::Timestamp, ids::AccountId, token::TokenDigest, user_type::UserType},
    storage::{
        dead_letters::DeadLetters,
        documents::{Documents, Record, Ref, StoreError},
        outbox::Outbox,
        profile::SealedProfile,
    },
};

/// One pending create. Its id becomes the account's, its data key the account's data key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegistrationRecord {
    /// Becomes the account's.
    #[serde(rename = "_id")]
    pub id: AccountId,
    /// The population.
    pub user_type: UserType,
    /// Shape of the record.
    pub schema: u16,
    /// Changes of the document.
    pub rev: u64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Gone from then on; never, once its link was used.
    pub expires_at: Timestamp,
    /// The person.
    pub sealed: SealedProfile,
    /// The password it was made with.
    pub password_hash: PasswordHash,
    /// Reserve nothing: plainly indexed, for finding the rivals.
    #[serde(flatten)]
    pub slots: IndexSlots,
    /// Of the link that was mailed last; none until its mail is being made.
    pub link_digest: Option<TokenDigest>,
    /// The mail with the link.
    #[serde(flatten)]
    pub outbox: Outbox,
}

impl RegistrationRecord {
    /// Whether `digest` is of the link that was mailed last and the registration still waits.
    #[must_use]
    pub fn is_confirmed_by(&self, digest: &TokenDigest, now: Timestamp) -> bool {
        now < self.expires_at && self.link_digest.as_ref() == Some(digest)
    }

    /// Its link is used: from now on it is not discarded, neither by time nor by anybody, but becomes an account or
    /// learns that its address has one.
    pub fn use_link(&mut self) {
        self.expires_at = Timestamp::NEVER;
    }

    /// Whether its link was used.
    #[must_use]
    pub fn is_link_used(&self) -> bool {
        self.expires_at == Timestamp::NEVER
    }

    /// It is over: no link confirms it and nothing is mailed any more.
    pub fn withdraw(&mut self, now: Timestamp) {
        self.expires_at = self.expires_at.min(now);
        self.link_digest = None;
        self.outbox = Outbox::default();
    }
}

impl Record for RegistrationRecord {
    const NAME: &'static str = "registrations";
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

/// The port. Nothing but the id is unique.
#[async_trait]
pub trait Registrations: Documents<RegistrationRecord> + DeadLetters<RegistrationRecord> {
    /// Registrations of that address that still wait at `now`, newest first.
    async fn find_by_email(
        &self,
        user_type: &UserType,
        candidates: &[Candidate],
        now: Timestamp,
    ) -> Result<Vec<RegistrationRecord>, StoreError>;
    /// Index values of addresses in one slot, in their order from after `after`, at most `limit`: for the e-mail filter.
    /// Unused slots are among them; a value that ends a page may stand in more registrations, and does not come again.
    async fn email_values(
        &self,
        user_type: &UserType,
        slot: u8,
        after: Option<&Slot>,
        limit: u32,
    ) -> Result<Vec<Slot>, StoreError>;
    /// Registrations with a message due at `now`, longest due first, at most `limit`.
    async fn due(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, StoreError>;
    /// Registrations past their end at `now`, oldest end first, at most `limit`.
    async fn expired(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, StoreError>;
    /// All registrations in order of id from after `after`, at most `limit`: for sweeps that look at each.
    async fn page(
        &self,
        user_type: &UserType,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<AccountId>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crypto::sealed::Sealed, domain::message::MessageKind, storage::outbox::OutboxEntry};

    const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);
    const END: Timestamp = Timestamp::from_millis(1_764_000_001_000);
    const DIGEST: TokenDigest = TokenDigest::new([7; 32]);

    fn registration() -> RegistrationRecord {
        let id: AccountId = "usr_a".parse().expect("valid");
        let message = "msg_00000000000000000000000000".parse().expect("valid");
        RegistrationRecord {
            user_type: "User1".parse().expect("valid"),
            schema: crate::storage::SCHEMA,
            rev: 0,
            created_at: NOW,
            expires_at: END,
            sealed: SealedProfile {
                email: Sealed::from_envelope(Vec::new()),
                email_pending: None,
                username: None,
                first_name: Sealed::from_envelope(Vec::new()),
                last_name: Sealed::from_envelope(Vec::new()),
                phone: None,
                country_code: None,
                attributes: None,
                totp_pending: None,
            },
            password_hash: PasswordHash::from_stored(String::new()),
            slots: IndexSlots::unused(&id),
            link_digest: Some(DIGEST),
            outbox: Outbox::with(&message, OutboxEntry::new(MessageKind::ConfirmAddress, NOW)),
            id,
        }
    }

    #[test]
    fn its_link_confirms_it_until_its_end() {
        let registration = registration();
        assert!(registration.is_confirmed_by(&DIGEST, NOW));
        assert!(!registration.is_confirmed_by(&TokenDigest::new([8; 32]), NOW));
        assert!(!registration.is_confirmed_by(&DIGEST, END));
    }

    #[test]
    fn once_its_link_was_used_it_does_not_end_by_time() {
        let mut registration = registration();
        assert!(!registration.is_link_used());
        registration.use_link();
        assert!(registration.is_link_used());
        assert!(
            registration.is_confirmed_by(&DIGEST, END),
            "the next click goes on with it"
        );
    }

    #[test]
    fn withdrawn_it_is_confirmed_and_mailed_no_more() {
        let mut registration = registration();
        registration.use_link();
        registration.withdraw(NOW);
        assert!(!registration.is_link_used());
        assert!(!registration.is_confirmed_by(&DIGEST, NOW));
        assert_eq!(registration.outbox, Outbox::default());
    }
}
