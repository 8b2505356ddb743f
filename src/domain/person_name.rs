//! A first or last name, exactly as its owner writes it.
//!
//! Guarantees: 1 to 100 code points (so at most 400 bytes), given back byte for byte. Nothing is trimmed, escaped
//! or normalised: `O'Brien`, `Tom & Jerry`, `<script>`, `{{ 7*7 }}`, emoji and right-to-left names are names, and
//! escaping is the work of whoever renders them. Refused is only what lets a name lie about the text around it:
//! control characters (CR and LF among them, so a name can't end a mail header), line and paragraph separators,
//! bidirectional embeddings, overrides and isolates, white space at either end, and names nobody could see.
//!
//! To refuse more, add a variant to [`PersonNameError`], its code and a test; think first of the people who are
//! called that. A character that turns out to draw nothing goes into `is_invisible`, which `email.rs` uses too.

use std::fmt;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::domain::private::{Private, Refusal};

const MAX_CODE_POINTS: usize = 100;

/// A first or last name.
pub struct PersonName(Private);

impl PersonName {
    /// The only way to a `PersonName`.
    pub fn parse(text: &str) -> Result<Self, PersonNameError> {
        if text.chars().all(is_invisible) {
            return Err(PersonNameError::Empty);
        }
        if text.chars().any(is_refused) {
            return Err(PersonNameError::ForbiddenCharacter);
        }
        if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
            return Err(PersonNameError::SurroundingSpace);
        }
        if text.chars().nth(MAX_CODE_POINTS).is_some() {
            return Err(PersonNameError::TooLong);
        }
        Ok(Self(Private::new(text.to_owned())))
    }

    /// A name that was opened: taken as it is, so that a rule made later never makes a stored name unreadable.
    #[must_use]
    pub fn from_sealed(text: &str) -> Self {
        Self(Private::new(text.to_owned()))
    }

    /// The name, byte for byte as it was given.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonName")
    }
}

/// Whether `c` draws nothing: white space, controls, format characters, and the fillers and selectors that Unicode
/// files elsewhere.
pub(super) fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || matches!(c.general_category(), GeneralCategory::Control | GeneralCategory::Format)
        || matches!(
            c,
            '\u{34F}'
                | '\u{115F}'
                | '\u{1160}'
                | '\u{17B4}'
                | '\u{17B5}'
                | '\u{180B}'..='\u{180F}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{FE00}'..='\u{FE0F}'
                | '\u{FFA0}'
                | '\u{E0100}'..='\u{E01EF}'
        )
}

fn is_refused(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Why a name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PersonNameError {
    /// Nothing in it can be seen.
    #[error("Give a name that can be seen: at least one letter or sign.")]
    Empty,
    /// White space first or last.
    #[error("Remove the space before or after the name.")]
    SurroundingSpace,
    /// A control, line-separating or direction-overriding character.
    #[error("Remove line breaks, tabs, control characters and text-direction controls from the name.")]
    ForbiddenCharacter,
    /// More than 100 code points.
    #[error("Shorten the name to at most 100 characters.")]
    TooLong,
}

impl Refusal for PersonNameError {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "name_empty",
            Self::SurroundingSpace => "name_surrounding_space",
            Self::ForbiddenCharacter => "name_forbidden_character",
            Self::TooLong => "name_too_long",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> PersonNameError {
        PersonName::parse(text).unwrap_err()
    }

    #[test]
    fn names_come_back_byte_for_byte() {
        let names = [
            "O'Brien",
            "Tom & Jerry",
            "{{ 7*7 }}",
            "<script>alert(1)</script>",
            "O#x27Brien",
            "N",
            "Zoe\u{308}",
            "\u{1F469}\u{200D}\u{1F4BB}",
            "\u{2764}\u{FE0F}",
            "\u{645}\u{62D}\u{645}\u{62F}",
            "\u{200F}\u{5D3}\u{5D5}\u{5D3}",
            "\u{627}\u{645}\u{6CC}\u{631}\u{200C}\u{639}\u{644}\u{6CC}",
            "\u{5C71}\u{7530}\u{3000}\u{592A}\u{90CE}",
            "Robert'); DROP TABLE accounts;--",
        ];
        for name in names {
            assert_eq!(PersonName::parse(name).unwrap().expose(), name);
        }
    }

    #[test]
    fn what_would_lie_about_its_surroundings_is_refused() {
        for c in "\r\n\t\0\u{7F}\u{85}\u{2028}\u{2029}\u{202A}\u{202E}\u{2066}\u{2069}".chars() {
            assert_eq!(refusal(&format!("An{c}na")), PersonNameError::ForbiddenCharacter);
        }
        for text in [" Anna", "Anna ", "\u{A0}Anna", "Anna\u{3000}"] {
            assert_eq!(refusal(text), PersonNameError::SurroundingSpace);
        }
    }

    #[test]
    fn a_name_must_be_visible() {
        for text in [
            "",
            "   ",
            "\u{200B}",
            "\u{200D}\u{FEFF}",
            "\u{3164}\u{FE0F}",
            "\u{2800}",
            "\n",
        ] {
            assert_eq!(refusal(text), PersonNameError::Empty);
        }
    }

    #[test]
    fn a_hundred_code_points_fit_and_one_more_does_not() {
        let longest = "\u{1F600}".repeat(MAX_CODE_POINTS);
        assert_eq!(PersonName::parse(&longest).unwrap().expose().len(), 400);
        assert_eq!(refusal(&"n".repeat(MAX_CODE_POINTS + 1)), PersonNameError::TooLong);
    }

    #[test]
    fn debug_tells_the_type_only() {
        assert_eq!(format!("{:?}", PersonName::parse("Anna").unwrap()), "PersonName");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn whatever_is_accepted_is_unchanged_and_harmless(text in any::<String>()) {
            if let Ok(name) = PersonName::parse(&text) {
                prop_assert_eq!(name.expose(), &text);
                prop_assert!((1..=MAX_CODE_POINTS).contains(&text.chars().count()));
                prop_assert!(text.len() <= 400);
                prop_assert!(!text.chars().any(char::is_control));
                prop_assert_eq!(text.trim(), &text);
            }
        }

        #[test]
        fn printable_text_is_a_name(text in "[\\PC&&[^\u{2028}\u{2029}]]{1,100}") {
            if text.trim() == text && !text.chars().all(is_invisible) {
                prop_assert!(PersonName::parse(&text).is_ok_and(|name| name.expose() == text));
            }
        }
    }
}
