//! What happened, in words that carry no personal data.
//!
//! To add an event: a variant here, its row in the table of `docs/OPERATIONS.md` (a test compares the two), and the line
//! that notes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{
    account::AccountStatus, ids::MessageId, message::MessageKind, permission::Permission, role::Role,
    second_factor::SecondFactor,
};

/// An event worth keeping. The stored name is part of the format; a new one goes at the end of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditEvent {
    /// Somebody registered.
    RegistrationCreated,
    /// A link was confirmed and the account made; or that of an imported account.
    AccountConfirmed,
    /// A sign-in succeeded.
    SignedIn,
    /// A sign-in was refused: of the account that was meant, or of nobody where there is none.
    SignInRefused,
    /// A refresh token was used again after its successor had been.
    RefreshTokenReused,
    /// A session was ended by its owner.
    SignedOut,
    /// The owner ended one of their sessions, here or by the link in a mail.
    SessionEnded,
    /// The owner ended all sessions but one.
    OtherSessionsEnded,
    /// Sessions past the number that an account may have were ended.
    OldSessionsEnded,
    /// A sign-in from a device that the account did not know.
    NewDeviceSeen,
    /// A secret was not compared: too many wrong ones lately.
    TriesThrottled,
    /// The password was right, and a second factor is due.
    SecondFactorAsked,
    /// A code by text was asked for, as a second factor.
    SecondFactorCodeRequested,
    /// A code of an authenticator app or of a text, or a recovery code, was wrong, used before, or one too many.
    SecondFactorRefused,
    /// Signing in takes an authenticator app, or codes by text, from now on.
    SecondFactorEnrolled,
    /// The authenticator app, or codes by text, were turned off.
    SecondFactorRemoved,
    /// A recovery code was used up.
    RecoveryCodeUsed,
    /// The recovery codes were replaced.
    RecoveryCodesReplaced,
    /// Somebody who is signed in proved anew who they are.
    Reauthenticated,
    /// The owner changed the password.
    PasswordChanged,
    /// A record whose MAC does not verify was met, and refused.
    RecordTampered,
    /// A sealed field of an account, or the key of its fields, was met that does not open.
    FieldDamaged,
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
    /// An account was taken over from elsewhere.
    AccountImported,
    /// Somebody filled in a field that people don't see.
    RobotSuspected,
    /// A refresh token was exchanged for the next pair.
    TokensRefreshed,
    /// A refresh token was refused: garbled, unknown, or of a session that is over.
    RefreshRefused,
    /// An access token was refused that is none of ours, or altered. Not one that is merely over.
    AccessTokenRefused,
    /// A mailed link was refused: garbled, used, replaced or too late.
    LinkRefused,
    /// Somebody asked for a link that sets a new password, and there is an account to mail it to.
    PasswordResetRequested,
    /// Somebody asked to sign in by mail, and there is an account to mail to.
    EmailSignInRequested,
    /// The link of a sign-in by mail was used, and its code shown.
    EmailSignInCodeShown,
    /// Somebody asked for the confirmation again, and there is a registration to mail it to.
    ConfirmationRequested,
    /// A provider took a message.
    MessageSent,
    /// The provider says that a text arrived.
    MessageDelivered,
    /// The provider says that a text did not arrive.
    MessageUndelivered,
    /// An operator had a message that was given up sent after all.
    MessageRetried,
    /// An operator removed a message that was given up.
    MessageDropped,
    /// A limit was met.
    LimitReached,
    /// A version of a root key was made.
    KeyMade,
    /// A version that nothing named any more was destroyed by an operator.
    KeyDestroyed,
    /// No more texts for a while: the cap of a day was reached, or codes to a dial prefix don't come back.
    TextsPaused,
    /// Too few codes to a country come back.
    TextConversionLow,
    /// An operator let texts go again.
    TextsLifted,
    /// The owner had everything that is kept of the account given out.
    AccountExported,
    /// An operator vouched for a record that somebody had changed.
    RecordResigned,
    /// An administrator was shown a list of accounts, without personal data.
    AccountsListed,
    /// An administrator read an account, with its personal data.
    AccountRead,
    /// An administrator made an account, or had its link mailed again.
    AccountInvited,
    /// An administrator gave the account another role.
    RoleChanged,
    /// An administrator locked the account.
    AccountLocked,
    /// An administrator unlocked the account.
    AccountUnlocked,
    /// An administrator ended all sessions of the account.
    SessionsRevoked,
    /// An administrator took the second factor off the account.
    FactorsReset,
    /// An administrator read the audit.
    AuditRead,
    /// A super-admin looked at the keys.
    KeysRead,
    /// Somebody who is signed in asked for what their role doesn't allow.
    AdministrationRefused,
    /// An operator had a process read its settings again.
    SettingsReread,
}

impl AuditEvent {
    /// The event of that stored name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(name);
        Self::deserialize(name).ok()
    }
}

/// What else is to be known of an event, by name. Ids, numbers and fixed words: no personal data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Details(BTreeMap<String, String>);

impl Details {
    /// Of a message.
    #[must_use]
    pub fn of_message(id: &MessageId, kind: MessageKind) -> Self {
        Self::default()
            .with("message_id", id.as_str())
            .with("kind", kind.as_str())
    }

    /// Of a limit that was met on `route`.
    #[must_use]
    pub fn of_limit(route: &str) -> Self {
        Self::default().with("route", route)
    }

    /// Of settings that count from now on, and of those that wait for a restart: names with commas between.
    #[must_use]
    pub fn of_settings(changed: &str, waiting: &str) -> Self {
        let named = [("changed", changed), ("needs_restart", waiting)];
        let named = named.into_iter().filter(|(_, names)| !names.is_empty());
        named.fold(Self::default(), |details, (name, names)| details.with(name, names))
    }

    /// Of a version of a root key.
    #[must_use]
    pub fn of_key(key_use: &str, version: u16) -> Self {
        Self::default()
            .with("use", key_use)
            .with("version", &version.to_string())
    }

    /// Of a second factor.
    #[must_use]
    pub fn of_factor(factor: SecondFactor) -> Self {
        Self::default().with("factor", factor.as_str())
    }

    /// Of who wanted it, where that was not the owner: an account's id, or a fixed word.
    #[must_use]
    pub fn of_actor(actor: &str) -> Self {
        Self::default().with("by", actor)
    }

    /// Of an account: whether it may be used, and what it may do.
    #[must_use]
    pub fn of_standing(status: AccountStatus, role: &Role) -> Self {
        Self::default()
            .with("status", status.as_str())
            .with("role", role.as_str())
    }

    /// And which role it has.
    #[must_use]
    pub fn and_role(self, role: &Role) -> Self {
        self.with("role", role.as_str())
    }

    /// And which role took the place of which.
    #[must_use]
    pub fn and_roles(self, from: &Role, to: &Role) -> Self {
        self.with("from", from.as_str()).with("to", to.as_str())
    }

    /// And what would have been needed.
    #[must_use]
    pub fn and_permission(self, permission: Permission) -> Self {
        self.with("permission", permission.as_str())
    }

    /// And why: a fixed phrase.
    #[must_use]
    pub fn and_reason(self, reason: &'static str) -> Self {
        self.with("reason", reason)
    }

    /// And the provider's number of the error.
    #[must_use]
    pub fn and_code(self, code: u32) -> Self {
        self.with("code", &code.to_string())
    }

    /// Whether there is nothing else.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All of them, by name.
    #[must_use]
    pub fn into_map(self) -> BTreeMap<String, String> {
        self.0
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }
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
