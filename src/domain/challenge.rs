//! A pending proof: one per purpose and account, kept in the account itself, so that consuming it, its effect and
//! the message about it are one write.

use serde::{Deserialize, Serialize};

use crate::domain::{clock::Timestamp, ids::ChallengeId, token::TokenDigest};

/// What a challenge, or a link, is good for. One for another purpose is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Confirms the address of a registration.
    ConfirmAddress,
    /// Confirms a changed address of an account.
    ChangeAddress,
    /// Sets a new password.
    ResetPassword,
    /// Confirms a phone number by code.
    VerifyPhone,
}

impl Purpose {
    /// The stored name, also what the digest binds.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfirmAddress => "confirm_address",
            Self::ChangeAddress => "change_address",
            Self::ResetPassword => "reset_password",
            Self::VerifyPhone => "verify_phone",
        }
    }
}

/// A pending proof as it is stored. Lies outside the record's MAC: its counters change with every try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// Names it in answers.
    pub id: ChallengeId,
    /// Of the code or token; absent until the message that carries it is being made.
    pub digest: Option<TokenDigest>,
    /// Useless from then on.
    pub expires_at: Timestamp,
    /// Tries left for this challenge.
    pub tries: u32,
    /// The hour (Unix time / 3600) that `hour_tries` counts.
    pub hour: i64,
    /// Tries left in that hour, across challenges of this purpose.
    pub hour_tries: u32,
}
