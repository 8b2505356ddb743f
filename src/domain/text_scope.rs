//! What texts are counted by beside what limits count: all of them, a user type's, a country's, a dial prefix's.
//!
//! A scope names no person: a prefix is cut so that a thousand numbers at least begin with it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::domain::{phone::Phone, user_type::UserType};

/// Digits of a dial prefix, the country's calling code included.
const PREFIX: usize = 7;
/// Digits of every number that its prefix leaves out.
const LEFT_OUT: usize = 3;

/// What a count of texts is of. Written `all`, `type:User1`, `country:41`, `prefix:4179123`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TextScope {
    /// Every text.
    All,
    /// Those of one user type's accounts.
    UserType(UserType),
    /// Those to one calling code.
    Country(u16),
    /// Those to numbers that begin with these digits.
    Prefix(String),
}

/// The text names no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write `all`, or as `sealgate texts status` does: `type:User1`, `country:41`, `prefix:4179123`")]
pub struct InvalidScope;

impl TextScope {
    /// The dial prefix of a number.
    #[must_use]
    pub fn prefix_of(phone: &Phone) -> Self {
        let digits = phone.expose().trim_start_matches('+');
        let length = PREFIX.min(digits.len().saturating_sub(LEFT_OUT));
        Self::Prefix(digits[..length].to_owned())
    }

    /// The country of a number, where its calling code is in use.
    #[must_use]
    pub fn country_of(phone: &Phone) -> Self {
        Self::Country(phone.calling_code().unwrap_or_default())
    }
}

impl fmt::Display for TextScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::UserType(user_type) => write!(f, "type:{user_type}"),
            Self::Country(code) => write!(f, "country:{code}"),
            Self::Prefix(digits) => write!(f, "prefix:{digits}"),
        }
    }
}

impl FromStr for TextScope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        if text == "all" {
            return Ok(Self::All);
        }
        let (kind, name) = text.split_once(':').ok_or(InvalidScope)?;
        let is_digits = (1..=PREFIX).contains(&name.len()) && name.bytes().all(|digit| digit.is_ascii_digit());
        match kind {
            "type" => name.parse().map(Self::UserType).map_err(|_| InvalidScope),
            "country" if is_digits => name.parse().map(Self::Country).map_err(|_| InvalidScope),
            "prefix" if is_digits => Ok(Self::Prefix(name.to_owned())),
            _ => Err(InvalidScope),
        }
    }
}

impl TryFrom<String> for TextScope {
    type Error = InvalidScope;
    fn try_from(text: String) -> Result<Self, InvalidScope> {
        text.parse()
    }
}

impl From<TextScope> for String {
    fn from(scope: TextScope) -> Self {
        scope.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_is_read_back_as_it_is_written() {
        for text in [
            "all",
            "type:User1",
            "country:41",
            "country:1",
            "prefix:4179123",
            "prefix:4237",
        ] {
            assert_eq!(text.parse::<TextScope>().expect(text).to_string(), text);
        }
        for text in [
            "",
            "All",
            "type:",
            "type:docs",
            "country:",
            "country:99999",
            "prefix:+41",
            "prefix:41791234",
            "x:1",
        ] {
            assert_eq!(text.parse::<TextScope>(), Err(InvalidScope), "{text}");
        }
    }

    #[test]
    fn a_prefix_leaves_a_thousand_numbers() {
        for (number, prefix) in [
            ("+41791234567", "prefix:4179123"),
            ("+14155550123", "prefix:1415555"),
            ("+4237901234", "prefix:4237901"),
            ("+2901234", "prefix:2901"),
        ] {
            let phone = Phone::parse(number, None).expect(number);
            assert_eq!(TextScope::prefix_of(&phone).to_string(), prefix);
        }
        let phone = Phone::parse("+41791234567", None).expect("a number");
        assert_eq!(TextScope::country_of(&phone), TextScope::Country(41));
    }
}
