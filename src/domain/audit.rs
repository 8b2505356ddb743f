//! What happened, in words that carry no personal data.

use serde::{Deserialize, Serialize};

/// An event worth keeping. The stored name is part of the format; a new one goes at the end of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditEvent {
    /// Somebody registered.
    RegistrationCreated,
    /// A link was confirmed and the account made.
    AccountConfirmed,
    /// A sign-in succeeded.
    SignedIn,
    /// A sign-in with a wrong password for an account that exists.
    SignInRefused,
    /// A refresh token was used again after its successor had been.
    RefreshTokenReused,
    /// A session was ended by its owner.
    SignedOut,
    /// A record whose MAC does not verify was met, and refused.
    RecordTampered,
    /// A password hash was replaced by one with today's parameters.
    PasswordRehashed,
    /// A message was given up.
    MessageDead,
    /// A mailed link set a new password.
    PasswordReset,
    /// The profile was changed.
    ProfileUpdated,
    /// Another address was asked for.
    AddressChangeRequested,
    /// The changed address was confirmed.
    AddressChanged,
    /// A code was asked for.
    PhoneCodeRequested,
    /// A code was wrong, late or one too many.
    PhoneCodeRefused,
    /// The number was confirmed.
    PhoneVerified,
    /// The account was erased.
    AccountErased,
    /// An administrator's account was made from the command line.
    AdminMade,
    /// Somebody filled in a field that people don't see.
    RobotSuspected,
    /// No more texts for a while: the cap of a day was reached, or codes to a dial prefix don't come back.
    TextsPaused,
    /// Too few codes to a country come back.
    TextConversionLow,
    /// An operator let texts go again.
    TextsLifted,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As asked.
    Success,
    /// Refused.
    Refused,
}
