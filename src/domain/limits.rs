//! How often somebody may do something: the numbers. What counts them is
//! [`storage::limits`](crate::storage::limits).
//!
//! To add a limit: a line in the list below and one in `.env.example`.

use std::{str::FromStr, time::Duration};

/// So many in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many; at least one.
    pub burst: u32,
    /// In how long.
    pub period: Duration,
}

/// Not a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a number from 1 and a period, for example 5/min, 100/h or 1/day")]
pub struct InvalidQuota;

impl FromStr for Quota {
    type Err = InvalidQuota;

    fn from_str(text: &str) -> Result<Self, InvalidQuota> {
        let (burst, period) = text.trim().split_once('/').ok_or(InvalidQuota)?;
        let burst = burst.trim().parse().map_err(|_| InvalidQuota)?;
        let period = match period.trim() {
            "s" | "second" => Duration::from_secs(1),
            "min" | "minute" => Duration::from_mins(1),
            "h" | "hour" => Duration::from_hours(1),
            "d" | "day" => Duration::from_hours(24),
            _ => return Err(InvalidQuota),
        };
        if burst == 0 {
            return Err(InvalidQuota);
        }
        Ok(Self { burst, period })
    }
}

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

macro_rules! limits {
    ($($(#[$doc:meta])+ $name:ident $variable:literal $burst:literal $period:ident,)+) => {
        /// What is limited.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Limit {
            $($(#[$doc])+ $name,)+
        }

        impl Limit {
            /// Each of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The variable that sets it.
            #[must_use]
            pub const fn variable(self) -> &'static str {
                match self {
                    $(Self::$name => $variable,)+
                }
            }
        }

        /// The number of each limit.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Quotas([Quota; Limit::ALL.len()]);

        impl Default for Quotas {
            fn default() -> Self {
                Self([$(Quota { burst: $burst, period: $period },)+])
            }
        }
    };
}

limits! {
    /// Registrations of one address of a client.
    Create "LIMIT_CREATE" 5 MINUTE,
    /// Sign-ins of one address of a client.
    Login "LIMIT_LOGIN" 5 MINUTE,
    /// Confirmations of one address of a client.
    Verify "LIMIT_VERIFY" 10 MINUTE,
    /// Phone codes asked for by one address of a client.
    OtpPhone "LIMIT_OTP_PHONE" 3 MINUTE,
    /// Phone codes tried by one address of a client.
    VerifyOtpPhone "LIMIT_VERIFY_OTP_PHONE" 5 MINUTE,
    /// Texts to one number, whoever asks: nobody's phone is to be filled by strangers.
    TextsToNumber "LIMIT_TEXTS_TO_NUMBER" 5 HOUR,
    /// Texts to one country's numbers: what is earned with them has an end.
    TextsToCountry "LIMIT_TEXTS_TO_COUNTRY" 1000 HOUR,
    /// Texts to numbers that begin with the same seven digits: who earns with texts rents numbers in a row.
    TextsToPrefix "LIMIT_TEXTS_TO_PREFIX" 100 HOUR,
    /// Texts that one account asks for, beside the pause after each.
    TextsOfAccount "LIMIT_TEXTS_OF_ACCOUNT" 10 DAY,
    /// Texts that one address of a client asks for, with whatever accounts.
    TextsOfClient "LIMIT_TEXTS_OF_CLIENT" 30 HOUR,
    /// Forgotten passwords reported by one address of a client.
    ForgetPassword "LIMIT_FORGET_PASSWORD" 3 MINUTE,
    /// Reset links to one mailbox, whoever asks: it is not to be filled by strangers. Past it, who asks is answered as ever.
    ResetLinks "LIMIT_RESET_LINKS" 3 HOUR,
    /// Reset links to one mailbox that one address of a client asks for.
    ResetLinksOfClient "LIMIT_RESET_LINKS_OF_CLIENT" 3 HOUR,
    /// Sign-ins by mail asked for by one address of a client.
    EmailSignIn "LIMIT_EMAIL_SIGN_IN" 5 MINUTE,
    /// Sign-ins by mail to one mailbox, whoever asks. Past it, who asks is answered as ever.
    SignInMails "LIMIT_SIGN_IN_MAILS" 5 HOUR,
    /// Sign-ins by mail to one mailbox that one address of a client asks for.
    SignInMailsOfClient "LIMIT_SIGN_IN_MAILS_OF_CLIENT" 5 HOUR,
    /// Mailed codes tried, and their links opened, by one address of a client.
    VerifyEmailSignIn "LIMIT_VERIFY_EMAIL_SIGN_IN" 10 MINUTE,
    /// Reset forms opened by one address of a client.
    ResetPasswordForm "LIMIT_RESET_PASSWORD_FORM" 10 MINUTE,
    /// Passwords reset by one address of a client.
    ResetPassword "LIMIT_RESET_PASSWORD" 3 MINUTE,
    /// Profile changes of one address of a client.
    Update "LIMIT_UPDATE" 10 MINUTE,
    /// Sign-outs of one address of a client.
    Logout "LIMIT_LOGOUT" 10 MINUTE,
    /// Accepted deletions of one address of a client.
    Delete "LIMIT_DELETE" 1 DAY,
    /// Exports of one account that were given out.
    Export "LIMIT_EXPORT" 5 HOUR,
    /// Tokens checked for other services by one address of a client.
    VerifyToken "LIMIT_VERIFY_TOKEN" 600 MINUTE,
    /// Passwords shown anew by one account.
    Reauthenticate "LIMIT_REAUTHENTICATE" 5 MINUTE,
    /// Second halves of sign-ins, and changes of the second factor, of one account.
    SecondFactor "LIMIT_SECOND_FACTOR" 5 MINUTE,
    /// What one administrator does to single accounts, of each route.
    Admin "LIMIT_ADMIN" 60 MINUTE,
    /// What one administrator is shown of many accounts at a time, of each route.
    AdminBulk "LIMIT_ADMIN_BULK" 10 MINUTE,
    /// Refreshes of one token family.
    Refresh "LIMIT_REFRESH" 30 MINUTE,
    /// Anything else of one signed-in account.
    Account "LIMIT_ACCOUNT" 60 MINUTE,
    /// Anything else of one address of a client where nobody is signed in.
    Stranger "LIMIT_STRANGER" 100 HOUR,
    /// Reports of a provider of texts, from one address.
    StatusCallback "LIMIT_STATUS_CALLBACK" 3000 MINUTE,
}

impl Quotas {
    /// The number of `limit`.
    #[must_use]
    pub const fn of(&self, limit: Limit) -> Quota {
        self.0[limit as usize]
    }

    /// With another number for `limit`.
    pub const fn set(&mut self, limit: Limit, quota: Quota) {
        self.0[limit as usize] = quota;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_a_number_and_a_period() {
        for (text, burst, period) in [
            ("5/min", 5, MINUTE),
            (" 100 / h ", 100, HOUR),
            ("1/day", 1, DAY),
            ("20/s", 20, Duration::from_secs(1)),
        ] {
            assert_eq!(text.parse(), Ok(Quota { burst, period }), "{text}");
        }
        for text in ["", "5", "0/min", "-1/min", "5/week", "/min", "5/", "1e3/h"] {
            assert_eq!(text.parse::<Quota>(), Err(InvalidQuota), "{text}");
        }
    }

    #[test]
    fn every_limit_has_its_own_number_and_variable() {
        let mut quotas = Quotas::default();
        assert_eq!(quotas.of(Limit::Login).burst, 5);
        assert_eq!(quotas.of(Limit::Stranger).period, HOUR);
        let other = Quota { burst: 77, period: DAY };
        quotas.set(Limit::Logout, other);
        for limit in Limit::ALL {
            assert_eq!(quotas.of(*limit) == other, *limit == Limit::Logout);
        }
        let names: std::collections::BTreeSet<_> = Limit::ALL.iter().map(|limit| limit.variable()).collect();
        assert_eq!(names.len(), Limit::ALL.len());
    }
}
