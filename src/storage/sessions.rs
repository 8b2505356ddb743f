//! Sign-ins: the record with its rotation rules, and its port.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    crypto::{
        data_key::DataKeys,
        field::{SessionAgent, SessionNetwork},
        sealed::{CannotOpen, Sealed},
        session_mac::SessionFacts,
    },
    domain::{
        clock::Timestamp,
        ids::{AccountId, SessionId},
        octets,
        session::AuthenticationMethod,
        token::TokenDigest,
        user_type::UserType,
    },
    storage::documents::{Documents, Record, Ref, StoreError},
};

/// For how long the direct parent of an unused token gets the same successor again: tabs that refresh together, and
/// answers that were lost. That the successor is unused needs no flag of its own: using it makes it the parent.
pub const GRACE: Duration = Duration::from_mins(1);

/// One sign-in on one device, which is one family of refresh tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Names it, also in tokens.
    #[serde(rename = "_id")]
    pub id: SessionId,
    /// The population.
    pub user_type: UserType,
    /// Shape of the record.
    pub schema: u16,
    /// Changes of the document.
    pub rev: u64,
    /// Whose it is.
    pub account_id: AccountId,
    /// The account's epoch that was read together with the password hash.
    pub epoch: u64,
    /// When it began.
    pub created_at: Timestamp,
    /// When the person last proved who they are.
    pub authenticated_at: Timestamp,
    /// How.
    pub methods: Vec<AuthenticationMethod>,
    /// What the client called itself, under the account's key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub agent: Option<Sealed<SessionAgent>>,
    /// Where it was, under the account's key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub network: Option<Sealed<SessionNetwork>>,
    /// Tokens of the family before the current one.
    pub generation: u32,
    /// Digest of the token that may be used.
    pub current: TokenDigest,
    /// Digest of the one before.
    pub parent: Option<TokenDigest>,
    /// When `current` took over.
    pub rotated_at: Option<Timestamp>,
    /// Over when the current token lies unused until then.
    pub idle_expires_at: Timestamp,
    /// Over then in any case.
    pub expires_at: Timestamp,
    /// Ended before its time.
    pub ended_at: Option<Timestamp>,
    /// Over whose it is and since when: [`SessionFacts`].
    #[serde(with = "octets", default)]
    pub mac: Vec<u8>,
}

/// What presenting a refresh token did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It was the current one: its successor takes over.
    Rotated,
    /// It was the direct parent of one that nobody has used: hand out the same successor again.
    Repeated,
    /// It was used before, and so was its successor: the family is ended.
    Reused,
    /// The session is over.
    Over,
}

impl SessionRecord {
    /// What its MAC covers.
    #[must_use]
    pub fn facts(&self) -> SessionFacts<'_> {
        SessionFacts {
            user_type: &self.user_type,
            id: &self.id,
            account_id: &self.account_id,
            epoch: self.epoch,
            created_at: self.created_at,
            expires_at: self.expires_at,
        }
    }

    /// Whether the session itself is still on at `now`. The account's epoch decides beside it.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.expires_at && now < self.idle_expires_at
    }

    /// A genuine token of this family was presented. `successors` are the digests that may follow it, the one to issue
    /// first.
    pub fn rotate(
        &mut self,
        presented: &TokenDigest,
        successors: &[TokenDigest],
        now: Timestamp,
        idle_expires_at: Timestamp,
    ) -> Rotation {
        if !self.is_live(now) {
            return Rotation::Over;
        }
        if *presented == self.current {
            let Some(first) = successors.first() else {
                return Rotation::Over;
            };
            self.parent = Some(self.current);
            self.current = *first;
            self.generation = self.generation.saturating_add(1);
            self.rotated_at = Some(now);
            self.idle_expires_at = idle_expires_at.min(self.expires_at);
            return Rotation::Rotated;
        }
        let is_parent = self.parent.as_ref() == Some(presented) && successors.contains(&self.current);
        let is_recent = self.rotated_at.is_some_and(|at| now.since(at) < GRACE);
        if is_parent && is_recent {
            return Rotation::Repeated;
        }
        self.end(now);
        Rotation::Reused
    }

    /// Seals anew what another key than the sealing one has sealed; whether there was anything.
    pub fn renew(&mut self, keys: &DataKeys) -> Result<bool, CannotOpen> {
        let renewed = [keys.renew_any(&mut self.agent)?, keys.renew_any(&mut self.network)?];
        Ok(renewed.contains(&true))
    }

    /// Ends it; `true` when it was not ended yet.
    pub fn end(&mut self, now: Timestamp) -> bool {
        let was_live = self.ended_at.is_none();
        self.ended_at.get_or_insert(now);
        was_live
    }
}

impl Record for SessionRecord {
    const NAME: &'static str = "sessions";
    type Id = SessionId;
    fn key(&self) -> Ref<SessionId> {
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
pub trait Sessions: Documents<SessionRecord> {
    /// Ids of every session of an account, ended ones too, in no order, at most `limit`: for removing them.
    async fn ids_of_account(&self, account: &Ref<AccountId>, limit: u32) -> Result<Vec<SessionId>, StoreError>;
    /// Sessions of an account that are not ended, newest first, at most `limit`.
    async fn of_account(&self, account: &Ref<AccountId>, limit: u32) -> Result<Vec<SessionRecord>, StoreError>;
    /// Sessions past their idle or absolute end at `now`, at most `limit`. One that was ended before stays until then.
    async fn expired(&self, user_type: &UserType, now: Timestamp, limit: u32) -> Result<Vec<SessionId>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);

    fn digest(n: u8) -> TokenDigest {
        TokenDigest::new([n; 32])
    }

    fn session() -> SessionRecord {
        SessionRecord {
            id: "ses_00000000000000000000000000".parse().expect("valid"),
            user_type: "User1".parse().expect("valid"),
            schema: crate::storage::SCHEMA,
            rev: 0,
            account_id: "usr_a".parse().expect("valid"),
            epoch: 0,
            created_at: NOW,
            authenticated_at: NOW,
            methods: vec![AuthenticationMethod::Password],
            agent: None,
            network: None,
            generation: 0,
            current: digest(0),
            parent: None,
            rotated_at: None,
            idle_expires_at: NOW.plus(Duration::from_hours(1)),
            expires_at: NOW.plus(Duration::from_hours(2)),
            ended_at: None,
            mac: Vec::new(),
        }
    }

    fn present(session: &mut SessionRecord, n: u8, after: Duration) -> Rotation {
        let now = NOW.plus(after);
        session.rotate(&digest(n), &[digest(n + 1)], now, now.plus(Duration::from_hours(1)))
    }

    #[test]
    fn the_direct_parent_gets_the_same_successor_for_a_minute() {
        let mut session = session();
        assert_eq!(present(&mut session, 0, Duration::ZERO), Rotation::Rotated);
        assert_eq!(present(&mut session, 0, Duration::from_secs(59)), Rotation::Repeated);
        assert_eq!(session.generation, 1, "a repetition makes no new generation");
        assert_eq!(present(&mut session, 0, Duration::from_mins(1)), Rotation::Reused);
        assert!(session.ended_at.is_some(), "reuse ends the family");
    }

    #[test]
    fn once_the_successor_was_used_its_parent_ends_the_family_at_once() {
        let mut session = session();
        present(&mut session, 0, Duration::ZERO);
        present(&mut session, 1, Duration::ZERO);
        assert_eq!(present(&mut session, 0, Duration::ZERO), Rotation::Reused);
        assert_eq!(present(&mut session, 2, Duration::ZERO), Rotation::Over);
    }

    #[test]
    fn idle_and_absolute_ends_hold() {
        let mut idle = session();
        assert_eq!(present(&mut idle, 0, Duration::from_hours(1)), Rotation::Over);
        let mut used = session();
        assert_eq!(present(&mut used, 0, Duration::from_mins(59)), Rotation::Rotated);
        assert_eq!(used.idle_expires_at, NOW.plus(Duration::from_mins(119)));
        assert_eq!(present(&mut used, 1, Duration::from_mins(90)), Rotation::Rotated);
        assert_eq!(
            used.idle_expires_at, used.expires_at,
            "never past the session's own end"
        );
        assert_eq!(present(&mut used, 2, Duration::from_hours(2)), Rotation::Over);
    }
}
