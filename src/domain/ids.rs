//! One registry of typed ids.
//!
//! An id of ours is its type's prefix and a `UUIDv7` (RFC 9562 section 5.7) in lower-case base32hex without padding
//! (RFC 4648 section 7, whose alphabet keeps the order), 26 characters: ids of one type sort by the time they were
//! made. An [`AccountId`] may also come from an import and is then any 1 to 64 of `[A-Za-z0-9_-]`.
//!
//! To add an id: one line in the registry below.

use std::{fmt, str::FromStr};

use data_encoding::BASE32_DNSSEC;
use serde::{Deserialize, Serialize};

use crate::domain::{
    clock::Timestamp,
    entropy::{Entropy, make_bytes},
    user_type::UserType,
};

/// Characters of a `UUIDv7` in base32hex.
const UUID_LEN: usize = 26;

/// The text is not an id of the type that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id")]
pub struct InvalidId;

fn make_text(prefix: &str, now: Timestamp, entropy: &dyn Entropy) -> String {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &make_bytes(entropy)).into_uuid();
    format!("{prefix}{}", BASE32_DNSSEC.encode(uuid.as_bytes()))
}

/// Nothing of it is random: the first of all ids of its moment.
struct First;

impl Entropy for First {
    fn fill(&self, out: &mut [u8]) {
        out.fill(0);
    }
}

/// The time in the first six bytes of a `UUIDv7`.
fn time_of(uuid: &str) -> Option<Timestamp> {
    let bytes = BASE32_DNSSEC.decode(uuid.as_bytes()).ok()?;
    let millis = bytes.first_chunk::<6>()?;
    Some(Timestamp::from_millis(
        millis.iter().fold(0, |millis, byte| millis << 8 | i64::from(*byte)),
    ))
}

fn is_ours(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|rest| rest.len() == UUID_LEN && rest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'v')))
}

fn is_account_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Any typed id: what a store needs of it.
pub trait Id: Clone + Eq + fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// The id as text.
    fn as_str(&self) -> &str;
}

macro_rules! typed_ids {
    ($($(#[$doc:meta])+ $name:ident $prefix:literal $accepts:expr;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// What an id of ours begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A new one.
            pub fn make(now: Timestamp, entropy: &dyn Entropy) -> Self {
                Self(make_text(Self::PREFIX, now, entropy))
            }

            /// The first id that could be made at `moment`: ids made before it sort before it.
            #[must_use]
            pub fn first_at(moment: Timestamp) -> Self {
                Self(make_text(Self::PREFIX, moment, &First))
            }

            /// When it was made; nothing where it is not of ours.
            #[must_use]
            pub fn made_at(&self) -> Option<Timestamp> {
                let uuid = self.0.strip_prefix(Self::PREFIX)?;
                is_ours(Self::PREFIX, &self.0).then(|| time_of(uuid)).flatten()
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Id for $name {
            fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let accepts: fn(&str) -> bool = $accepts;
                if accepts(text) { Ok(Self(text.to_owned())) } else { Err(InvalidId) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

typed_ids! {
    /// A registration's id, which becomes the account's.
    AccountId "usr_" is_account_id;
    /// One sign-in on one device.
    SessionId "ses_" |text| is_ours("ses_", text);
    /// A message in an outbox; also the mail's `Message-ID` and a request's id.
    MessageId "msg_" |text| is_ours("msg_", text);
    /// A pending proof.
    ChallengeId "chl_" |text| is_ours("chl_", text);
    /// One audit entry.
    AuditId "aud_" |text| is_ours("aud_", text);
    /// One worker process.
    WorkerId "wrk_" |text| is_ours("wrk_", text);
    /// One access token (`jti`).
    TokenId "tok_" |text| is_ours("tok_", text);
    /// One key-encryption key of a provider.
    KekId "kek_" |text| is_ours("kek_", text);
    /// The work that a new version of a key makes over one user type.
    KeyJobId "job_" |text| text.strip_prefix("job_").is_some_and(is_account_id);
    /// One request over HTTP, where the client sent no sane id of its own.
    RequestId "req_" |text| is_ours("req_", text);
}

impl KeyJobId {
    /// Of the work that `version` of the keys of `key_use` makes over `user_type`: whoever begins it second finds it.
    #[must_use]
    pub fn of(key_use: &str, version: u16, user_type: &UserType) -> Self {
        let key_use = key_use.split('.').next().unwrap_or_default();
        Self(format!("{}{key_use}-{version}-{user_type}", Self::PREFIX))
    }
}

impl MessageId {
    /// The sixteen bytes that its text stands for.
    #[must_use]
    pub fn uuid(&self) -> [u8; 16] {
        let text = self.0.strip_prefix(Self::PREFIX).unwrap_or_default();
        let bytes = BASE32_DNSSEC.decode(text.as_bytes()).unwrap_or_default();
        bytes.try_into().unwrap_or_default()
    }

    /// Of these sixteen bytes.
    #[must_use]
    pub fn of_uuid(bytes: [u8; 16]) -> Self {
        Self(format!("{}{}", Self::PREFIX, BASE32_DNSSEC.encode(&bytes)))
    }
}

impl ChallengeId {
    /// Of the challenge that `request` asks for: made twice, it is the same one.
    #[must_use]
    pub fn of_message(request: &MessageId) -> Self {
        let uuid = request.0.strip_prefix(MessageId::PREFIX).unwrap_or_default();
        Self(format!("{}{uuid}", Self::PREFIX))
    }
}

impl AuditId {
    /// Of the entry that tells of `message`'s making: found again by the message alone.
    #[must_use]
    pub fn of_message(message: &MessageId) -> Self {
        let uuid = message.0.strip_prefix(MessageId::PREFIX).unwrap_or_default();
        Self(format!("{}{uuid}", Self::PREFIX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);
    impl Entropy for Fixed {
        fn fill(&self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    #[test]
    fn ids_sort_by_time_whatever_the_random_part() {
        let early = SessionId::make(Timestamp::from_millis(1_000), &Fixed(0xff));
        let late = SessionId::make(Timestamp::from_millis(1_001), &Fixed(0x00));
        assert!(early < late, "{early} must sort before {late}");
    }

    #[test]
    fn an_id_of_one_type_is_not_an_id_of_another() {
        let session = SessionId::make(Timestamp::from_millis(1), &Fixed(1));
        assert_eq!(session.as_str().parse::<SessionId>().as_ref(), Ok(&session));
        assert!(session.as_str().parse::<MessageId>().is_err());
    }

    #[test]
    fn an_id_tells_its_moment_and_sorts_from_its_first_one_on() {
        let at = Timestamp::from_millis(1_764_000_000_123);
        let first = AuditId::first_at(at);
        for byte in [0, 7, 255] {
            let id = AuditId::make(at, &Fixed(byte));
            assert_eq!(id.made_at(), Some(at));
            assert!(first <= id);
        }
        assert!(AuditId::make(Timestamp::from_millis(1_764_000_000_122), &Fixed(255)) < first);
        assert_eq!("imported".parse::<AccountId>().expect("an id").made_at(), None);
        let message = MessageId::make(at, &Fixed(9));
        assert_eq!(AuditId::of_message(&message).made_at(), Some(at));
        assert_eq!(ChallengeId::of_message(&message).made_at(), Some(at));
        assert_eq!(MessageId::of_uuid(message.uuid()), message);
    }

    #[test]
    fn imported_account_ids_are_kept_and_hostile_ones_refused() {
        for good in ["a", "550e8400-e29b-41d4-a716-446655440000", &"x".repeat(64)] {
            assert!(good.parse::<AccountId>().is_ok(), "{good}");
        }
        for bad in ["", &"x".repeat(65), "a.b", "$where", "a/b", "ä", "a b", "a\n"] {
            assert!(bad.parse::<AccountId>().is_err(), "{bad:?}");
        }
    }
}
