//! A username: the optional second identifier, unique within its user type.
//!
//! Guarantees: 3 to 64 characters, all of them ASCII letters, digits, `.`, `_` or `-`, the first a letter or digit.
//! ASCII on purpose: usernames are public and read by other people, and Unicode would let two of them look alike.
//! There is never an `@`, so no username can be taken for an e-mail address at sign-in; an account number is one.
//!
//! `expose` is the owner's spelling, `index_form` the lower-case one that decides uniqueness. To allow another
//! character, add it to `is_allowed`; it must have one spelling only, and `@` must stay out.

use std::fmt;

use crate::domain::private::{Private, Refusal};

const LENGTH: std::ops::RangeInclusive<usize> = 3..=64;

/// A username in its owner's spelling, with the form that is looked up.
pub struct Username {
    original: Private,
    index_form: Private,
}

impl Username {
    /// The only way to a `Username`.
    pub fn parse(text: &str) -> Result<Self, UsernameError> {
        if text.contains('@') {
            return Err(UsernameError::LooksLikeEmail);
        }
        if !text.chars().all(is_allowed) {
            return Err(UsernameError::InvalidCharacter);
        }
        if text.len() < *LENGTH.start() {
            return Err(UsernameError::TooShort);
        }
        if text.len() > *LENGTH.end() {
            return Err(UsernameError::TooLong);
        }
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(UsernameError::InvalidStart);
        }
        Ok(Self {
            original: Private::new(text.to_owned()),
            index_form: Private::new(text.to_ascii_lowercase()),
        })
    }

    /// The owner's spelling.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.original.expose()
    }

    /// The lower-case form for the blind index.
    #[must_use]
    pub fn index_form(&self) -> &str {
        self.index_form.expose()
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Username")
    }
}

const fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// Why a username was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    /// Fewer than 3 characters.
    #[error("Use at least 3 characters for the username.")]
    TooShort,
    /// More than 64 characters.
    #[error("Use at most 64 characters for the username.")]
    TooLong,
    /// There is an `@` in it.
    #[error("Leave the @ out of the username; an e-mail address has a field of its own.")]
    LooksLikeEmail,
    /// Something else than an ASCII letter, digit, `.`, `_` or `-`.
    #[error("Use only the letters a to z, digits, dots, underscores and hyphens in the username.")]
    InvalidCharacter,
    /// The first character is a dot, underscore or hyphen.
    #[error("Begin the username with a letter or a digit.")]
    InvalidStart,
}

impl Refusal for UsernameError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooShort => "username_too_short",
            Self::TooLong => "username_too_long",
            Self::LooksLikeEmail => "username_looks_like_email",
            Self::InvalidCharacter => "username_invalid_character",
            Self::InvalidStart => "username_invalid_start",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> UsernameError {
        Username::parse(text).unwrap_err()
    }

    #[test]
    fn the_spelling_stays_and_the_index_form_is_lower_case() {
        let username = Username::parse("Ada.Love-lace_1").unwrap();
        assert_eq!(username.expose(), "Ada.Love-lace_1");
        assert_eq!(username.index_form(), "ada.love-lace_1");
        assert!(Username::parse("4711").is_ok());
    }

    #[test]
    fn each_refusal_has_its_reason() {
        assert_eq!(refusal(""), UsernameError::TooShort);
        assert_eq!(refusal("ab"), UsernameError::TooShort);
        assert_eq!(refusal(&"a".repeat(65)), UsernameError::TooLong);
        assert!(Username::parse(&"a".repeat(64)).is_ok());
        assert_eq!(refusal("ada@example.org"), UsernameError::LooksLikeEmail);
        assert_eq!(refusal("_ada"), UsernameError::InvalidStart);
        for text in [
            "a da",
            " ada",
            "ada\n",
            "\u{430}da",
            "ad\u{E4}",
            "ada\u{200B}",
            "ada$",
            "\u{661}23",
        ] {
            assert_eq!(refusal(text), UsernameError::InvalidCharacter);
        }
    }

    #[test]
    fn debug_tells_the_type_only() {
        assert_eq!(format!("{:?}", Username::parse("ada").unwrap()), "Username");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn whatever_is_accepted_is_plain(text in prop_oneof![any::<String>(), "[ -~]{0,70}"]) {
            if let Ok(username) = Username::parse(&text) {
                prop_assert_eq!(username.expose(), &text);
                prop_assert!(LENGTH.contains(&text.len()) && text.chars().all(is_allowed));
            }
        }

        #[test]
        fn the_index_form_is_its_own(text in "[A-Za-z0-9][A-Za-z0-9._-]{2,63}") {
            let username = Username::parse(&text).unwrap();
            let again = Username::parse(username.index_form()).unwrap();
            prop_assert_eq!(again.index_form(), username.index_form());
        }
    }
}
