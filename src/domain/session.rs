//! One sign-in on one device, and the lifetimes that bound it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::clock::Timestamp;

/// How a sign-in was proven; the token's `amr` (RFC 8176).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthenticationMethod {
    /// A password.
    #[serde(rename = "pwd")]
    Password,
    /// A one-time code.
    Otp,
    /// A text to the phone.
    #[serde(rename = "sms")]
    Text,
    /// More than one factor.
    Mfa,
}

impl AuthenticationMethod {
    /// The registered name (RFC 8176 section 2).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::Otp => "otp",
            Self::Text => "sms",
            Self::Mfa => "mfa",
        }
    }
}

/// Lifetimes of what a sign-in hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPolicy {
    /// An access token's; 5 to 30 minutes.
    pub access_lifetime: Duration,
    /// How long a refresh token may lie unused.
    pub idle_lifetime: Duration,
    /// The whole session's, with `remember_me`.
    pub absolute_lifetime: Duration,
    /// The whole session's, without.
    pub short_lifetime: Duration,
    /// How many an account may have; a further one ends the oldest.
    pub most: u32,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            access_lifetime: Duration::from_mins(30),
            idle_lifetime: Duration::from_secs(14 * DAY),
            absolute_lifetime: Duration::from_secs(90 * DAY),
            short_lifetime: Duration::from_secs(DAY),
            most: 64,
        }
    }
}

impl SessionPolicy {
    /// When a session that begins `now` ends for good.
    #[must_use]
    pub fn absolute_end(&self, now: Timestamp, remember: bool) -> Timestamp {
        now.plus(if remember {
            self.absolute_lifetime
        } else {
            self.short_lifetime
        })
    }

    /// Until when a refresh token given out `now` may lie unused: never past the session's own end.
    #[must_use]
    pub fn idle_end(&self, now: Timestamp, absolute_end: Timestamp) -> Timestamp {
        now.plus(self.idle_lifetime).min(absolute_end)
    }
}
