//! Messages to people: what they are about, how long they are worth sending, and when to try again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a message is about. The stored name is part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// To a registration's address: its link, or, where the address has an account, that it has one. The worker
    /// decides which, so that creating tells a stranger nothing.
    ConfirmAddress,
    /// To a new account: welcome.
    Welcome,
    /// Somebody asked, for any address, that the confirmation be sent again.
    ResendConfirmation,
    /// Somebody asked, for any address, to reset the password.
    ForgottenPassword,
    /// To an account: the link that sets a new password.
    ResetPassword,
    /// To an account: its password was changed.
    PasswordChanged,
    /// To a changed address: the link that confirms it; or, where it has an account, that it has one.
    ChangeAddress,
    /// To the address an account had before: it has another now.
    AddressChanged,
    /// To an account: somebody signed in from a device that it does not know.
    NewDevice,
    /// To an account: a refresh token was used twice, and its session has been ended.
    RefreshTokenReused,
    /// To an account: signing in takes a second factor from now on.
    SecondFactorOn,
    /// To an account: signing in takes no second factor any more.
    SecondFactorOff,
    /// To an account: signing in takes another second factor, or one less, and still takes one.
    SecondFactorChanged,
    /// To an account: a recovery code was used.
    RecoveryCodeUsed,
    /// To an account: its recovery codes were replaced.
    RecoveryCodesReplaced,
    /// To an account's phone: a code.
    PhoneCode,
    /// To an account's phone: a code that shows it as a second factor.
    SecondFactorCode,
    /// Nobody reads it: what is left of an erased account is removed.
    Erase,
    /// To an account that an administrator made: the link that sets its first password.
    Invitation,
    /// To an account: an administrator locked it.
    AccountLocked,
    /// To an account: an administrator unlocked it.
    AccountUnlocked,
    /// To an account: an administrator took its second factor off.
    FactorsReset,
    /// Somebody asked, for any address, to sign in by mail.
    EmailSignInAsked,
    /// To an account: the code, or the link, that signs in.
    EmailSignIn,
}

impl MessageKind {
    /// How long the message is worth sending: never past its link's own end.
    #[must_use]
    pub const fn useful_for(self) -> Duration {
        match self {
            Self::ConfirmAddress
            | Self::ResendConfirmation
            | Self::Welcome
            | Self::PasswordChanged
            | Self::ChangeAddress
            | Self::AddressChanged
            | Self::NewDevice
            | Self::RefreshTokenReused
            | Self::SecondFactorOn
            | Self::SecondFactorOff
            | Self::SecondFactorChanged
            | Self::RecoveryCodeUsed
            | Self::RecoveryCodesReplaced
            | Self::AccountLocked
            | Self::AccountUnlocked
            | Self::FactorsReset => Duration::from_hours(24),
            Self::Invitation => Duration::from_hours(72),
            Self::ForgottenPassword | Self::ResetPassword => Duration::from_mins(30),
            Self::EmailSignInAsked | Self::EmailSignIn => Duration::from_mins(10),
            Self::PhoneCode | Self::SecondFactorCode => Duration::from_mins(5),
            // Until it is done.
            Self::Erase => Duration::from_hours(24 * 365 * 100),
        }
    }

    /// Whether it carries neither a link nor a code, which have an end of their own: late, it still tells what happened.
    #[must_use]
    pub const fn is_of_use_until_sent(self) -> bool {
        match self {
            Self::Welcome
            | Self::PasswordChanged
            | Self::AddressChanged
            | Self::NewDevice
            | Self::RefreshTokenReused
            | Self::SecondFactorOn
            | Self::SecondFactorOff
            | Self::SecondFactorChanged
            | Self::RecoveryCodeUsed
            | Self::RecoveryCodesReplaced
            | Self::AccountLocked
            | Self::AccountUnlocked
            | Self::FactorsReset
            | Self::Erase => true,
            Self::ConfirmAddress
            | Self::ResendConfirmation
            | Self::ChangeAddress
            | Self::ForgottenPassword
            | Self::ResetPassword
            | Self::Invitation
            | Self::EmailSignInAsked
            | Self::EmailSignIn
            | Self::PhoneCode
            | Self::SecondFactorCode => false,
        }
    }

    /// The stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfirmAddress => "confirm_address",
            Self::Welcome => "welcome",
            Self::ResendConfirmation => "resend_confirmation",
            Self::ForgottenPassword => "forgotten_password",
            Self::ResetPassword => "reset_password",
            Self::PasswordChanged => "password_changed",
            Self::ChangeAddress => "change_address",
            Self::AddressChanged => "address_changed",
            Self::NewDevice => "new_device",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::SecondFactorOn => "second_factor_on",
            Self::SecondFactorOff => "second_factor_off",
            Self::SecondFactorChanged => "second_factor_changed",
            Self::RecoveryCodeUsed => "recovery_code_used",
            Self::RecoveryCodesReplaced => "recovery_codes_replaced",
            Self::PhoneCode => "phone_code",
            Self::SecondFactorCode => "second_factor_code",
            Self::Erase => "erase",
            Self::Invitation => "invitation",
            Self::AccountLocked => "account_locked",
            Self::AccountUnlocked => "account_unlocked",
            Self::FactorsReset => "factors_reset",
            Self::EmailSignInAsked => "email_sign_in_asked",
            Self::EmailSignIn => "email_sign_in",
        }
    }
}

/// Where a message stands. `Dead` ones wait for an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waits for its due time, or is under way.
    Pending,
    /// A text message whose first byte may have left: never sent a second time.
    Sending,
    /// Given up.
    Dead,
}

/// How long to wait after failure number `attempt` (from 1): 2 s doubling to 15 min, less up to a quarter by
/// `jitter` (any byte), so that a provider that comes back is not met by everybody at once.
#[must_use]
pub fn back_off(attempt: u32, jitter: u8) -> Duration {
    const LONGEST: u64 = 15 * 60 * 1000;
    let whole = 2_000_u64
        .saturating_mul(1 << attempt.saturating_sub(1).min(20))
        .min(LONGEST);
    Duration::from_millis(whole - whole / 4 * u64::from(jitter) / 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_up_to_a_quarter_of_an_hour() {
        let waits: Vec<u64> = [1, 2, 3, 9, 10, 60, u32::MAX].map(|n| back_off(n, 0).as_secs()).into();
        assert_eq!(waits, [2, 4, 8, 512, 900, 900, 900]);
    }

    #[test]
    fn jitter_shortens_by_a_quarter_at_most() {
        assert_eq!(back_off(1, 255), Duration::from_millis(1_500));
    }
}
