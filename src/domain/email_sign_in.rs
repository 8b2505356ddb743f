//! Sign-in by mail, in place of the password: whether a user type has it, and the code.

use std::fmt;

use crate::domain::{
    entropy::{Entropy, make_bytes},
    private::Private,
};

/// Codes that there are: eight digits. A stranger may have a mailbox mailed five times an hour and try each code five times;
/// of a million codes, a year of that would find one in five accounts.
const RANGE: u64 = 100_000_000;

/// What is mailed to who wants to sign in without a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmailSignIn {
    /// Nothing: there is no such sign-in.
    #[default]
    Off,
    /// The code.
    Code,
    /// A link, which shows the code.
    Link,
    /// Both.
    CodeAndLink,
}

impl EmailSignIn {
    /// As it is configured: `off`, or `code` and `link`, with a comma between.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words: Vec<&str> = text.split(',').map(str::trim).collect();
        words.sort_unstable();
        match words[..] {
            ["off"] => Some(Self::Off),
            ["code"] => Some(Self::Code),
            ["link"] => Some(Self::Link),
            ["code", "link"] => Some(Self::CodeAndLink),
            _ => None,
        }
    }

    /// Whether one may sign in by mail at all.
    #[must_use]
    pub const fn is_on(self) -> bool {
        !matches!(self, Self::Off)
    }

    /// Whether the mail has the code.
    #[must_use]
    pub const fn mails_code(self) -> bool {
        matches!(self, Self::Code | Self::CodeAndLink)
    }

    /// Whether the mail has a link.
    #[must_use]
    pub const fn mails_link(self) -> bool {
        matches!(self, Self::Link | Self::CodeAndLink)
    }
}

/// Eight digits by mail. Never in a log or a record.
pub struct SignInCode(Private);

impl SignInCode {
    /// Of 64 bits: the code that they leave over a hundred million. Of uniform ones no code is likelier than another by more
    /// than 2^-37 of itself.
    #[must_use]
    pub fn of(bits: u64) -> Self {
        Self(Private::new(format!("{:08}", bits % RANGE)))
    }

    /// One of nobody's.
    pub fn make(entropy: &dyn Entropy) -> Self {
        Self::of(u64::from_be_bytes(make_bytes(entropy)))
    }

    /// What somebody typed in: up to eight digits, padded on the left, since a JSON integer loses its zeros; spaces and hyphens
    /// between them don't count.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 32 {
            return None;
        }
        let digits: String = text
            .chars()
            .filter(|character| !matches!(character, ' ' | '-'))
            .collect();
        let is_code = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_code.then(|| Self(Private::new(format!("{digits:0>8}"))))
    }

    /// The eight digits.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for SignInCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignInCode")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mailed_is_said_in_any_order_and_off_alone() {
        for (text, read) in [
            ("off", EmailSignIn::Off),
            (" code ", EmailSignIn::Code),
            ("link", EmailSignIn::Link),
            ("code,link", EmailSignIn::CodeAndLink),
            ("link, code", EmailSignIn::CodeAndLink),
        ] {
            assert_eq!(EmailSignIn::parse(text), Some(read), "{text}");
        }
        for bad in ["", "on", "code,off", "code,code", "code,link,link", "code;link", "Code"] {
            assert_eq!(EmailSignIn::parse(bad), None, "{bad}");
        }
        assert!(!EmailSignIn::default().is_on());
    }

    #[test]
    fn a_code_has_eight_digits_however_it_is_typed() {
        assert_eq!(SignInCode::of(42).expose(), "00000042");
        assert_eq!(SignInCode::of(u64::MAX).expose(), "09551615");
        for typed in ["01234567", "1234567", "0123 4567", " 0123-4567 "] {
            assert_eq!(
                SignInCode::parse(typed).expect("a code").expose(),
                "01234567",
                "{typed}"
            );
        }
        for bad in [
            "",
            " ",
            "012345678",
            "0123456a",
            "-",
            "０１２３４５６７",
            &"0".repeat(33),
        ] {
            assert!(SignInCode::parse(bad).is_none(), "{bad}");
        }
    }
}
