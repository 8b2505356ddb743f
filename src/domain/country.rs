//! Where an account's person lives or dials from: `US` or `+1`.
//!
//! Guarantees: an ISO 3166-1 alpha-2 code in upper case, or `+` and a calling code that is in use; both know their
//! calling code. It is personal data, so it is kept like any other: no `Clone`, no `Serialize`, no telling `Debug`.
//!
//! The codes and English short names come from `rust_iso3166`, the calling codes (`calling_codes`) from `phonenumber`
//! (Google's metadata); a new country arrives by updating them. What the two lack stands in the two tables below, each with
//! its reason, and a test walks through the whole of ISO 3166-1.

use std::fmt;

use phonenumber::Metadata;
use phonenumber::metadata::DATABASE;

use crate::domain::{
    calling_codes,
    private::{Private, Refusal},
};

/// Territories without numbers of their own, and the calling code that serves them.
const SERVED_BY: [(&str, u16); 7] = [
    ("AQ", 672),
    ("BV", 47),
    ("GS", 500),
    ("HM", 672),
    ("PN", 64),
    ("TF", 262),
    ("UM", 1),
];

/// In everyday use (CLDR, the EU, the phone networks), though user-assigned in ISO 3166-1.
const BESIDE_ISO: [(&str, &str); 1] = [("XK", "Kosovo")];

/// A country, or a calling code that one or more countries share.
pub struct CountryCode {
    code: Private,
    calling_code: u16,
    country: Option<&'static str>,
}

impl CountryCode {
    /// The only way to a `CountryCode`: `US` or `us`, or `+1`.
    pub fn parse(text: &str) -> Result<Self, CountryCodeError> {
        match text.strip_prefix('+') {
            Some(digits) => Self::from_calling_code(digits),
            None => Self::from_alpha2(text),
        }
    }

    /// `US` or `+1`: the country in upper case, or the calling code.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.code.expose()
    }

    /// What is dialled after the `+`.
    #[must_use]
    pub const fn calling_code(&self) -> u16 {
        self.calling_code
    }

    /// The English short name, where the code names exactly one country with numbers of its own.
    #[must_use]
    pub const fn country(&self) -> Option<&'static str> {
        self.country
    }

    /// How numbers are dialled there; for a shared calling code, in the main country of it.
    pub(super) fn metadata(&self) -> Option<&'static Metadata> {
        DATABASE
            .by_id(self.expose())
            .or_else(|| main_country(self.calling_code))
    }

    fn from_alpha2(text: &str) -> Result<Self, CountryCodeError> {
        if text.len() != 2 || !text.bytes().all(|b| b.is_ascii_alphabetic()) {
            return Err(CountryCodeError::Invalid);
        }
        let code = Private::new(text.to_ascii_uppercase());
        let country = short_name(code.expose()).ok_or(CountryCodeError::UnknownCountry)?;
        let calling_code = calling_codes::of_territory(code.expose())
            .or_else(|| {
                SERVED_BY
                    .iter()
                    .find(|(id, _)| *id == code.expose())
                    .map(|(_, served_by)| *served_by)
            })
            .ok_or(CountryCodeError::UnknownCountry)?;
        Ok(Self {
            code,
            calling_code,
            country: Some(country),
        })
    }

    fn from_calling_code(digits: &str) -> Result<Self, CountryCodeError> {
        if !(1..=3).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) || digits.starts_with('0') {
            return Err(CountryCodeError::Invalid);
        }
        let calling_code = digits.parse().map_err(|_| CountryCodeError::Invalid)?;
        if !calling_codes::is_known(calling_code) {
            return Err(CountryCodeError::UnknownCallingCode);
        }
        let mut territories = calling_codes::territories(calling_code);
        let country = match (territories.next(), territories.next()) {
            (Some(only), None) => short_name(only),
            _ => None,
        };
        Ok(Self {
            code: Private::new(format!("+{calling_code}")),
            calling_code,
            country,
        })
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountryCode")
    }
}

/// How numbers are dialled in the main country of a calling code; `None` if the code isn't in use.
pub(super) fn main_country(calling_code: u16) -> Option<&'static Metadata> {
    DATABASE.by_code(&calling_code)?.first().copied()
}

fn short_name(alpha2: &str) -> Option<&'static str> {
    let beside_iso = || BESIDE_ISO.iter().find(|(id, _)| *id == alpha2).map(|(_, name)| *name);
    rust_iso3166::from_alpha2(alpha2)
        .map(|country| country.name)
        .or_else(beside_iso)
}

/// Why a country code was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CountryCodeError {
    /// Neither two letters nor `+` and one to three digits.
    #[error("Give the country as two letters such as US, or as a calling code such as +1.")]
    Invalid,
    /// Two letters that name no country.
    #[error("Use the two-letter ISO 3166 code of an existing country, such as US or GB.")]
    UnknownCountry,
    /// A calling code that nobody has.
    #[error("Use a calling code that exists, such as +1 or +44.")]
    UnknownCallingCode,
}

impl Refusal for CountryCodeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid => "country_code_invalid",
            Self::UnknownCountry => "country_code_unknown_country",
            Self::UnknownCallingCode => "country_code_unknown_calling_code",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn reads(text: &str, code: &str, calling_code: u16, country: Option<&str>) {
        let parsed = CountryCode::parse(text).unwrap();
        assert_eq!(
            (parsed.expose(), parsed.calling_code(), parsed.country()),
            (code, calling_code, country)
        );
    }

    fn refusal(text: &str) -> CountryCodeError {
        CountryCode::parse(text).unwrap_err()
    }

    #[test]
    fn two_letters_name_a_country_in_any_case() {
        reads("US", "US", 1, Some("United States of America"));
        reads(
            "gb",
            "GB",
            44,
            Some("United Kingdom of Great Britain and Northern Ireland"),
        );
        reads("Tr", "TR", 90, Some("T\u{FC}rkiye"));
        reads("XK", "XK", 383, Some("Kosovo"));
        reads("PN", "PN", 64, Some("Pitcairn"));
    }

    #[test]
    fn a_calling_code_names_a_country_only_if_one_alone_has_it() {
        reads("+1", "+1", 1, None);
        reads("+44", "+44", 44, None);
        reads("+800", "+800", 800, None);
        reads("+90", "+90", 90, Some("T\u{FC}rkiye"));
        reads("+383", "+383", 383, Some("Kosovo"));
    }

    #[test]
    fn each_refusal_has_its_reason() {
        for text in [
            "", "+", "U", "USA", "1", "U1", "\u{DC}S", " US", "US ", "+1 ", "+0", "+01", "+1242", "++1", "+\u{661}",
        ] {
            assert_eq!(refusal(text), CountryCodeError::Invalid, "{text:?}");
        }
        assert_eq!(refusal("ZZ"), CountryCodeError::UnknownCountry);
        assert_eq!(refusal("+999"), CountryCodeError::UnknownCallingCode);
    }

    #[test]
    fn every_country_has_a_calling_code_and_a_way_to_dial() {
        for country in rust_iso3166::ALL {
            let parsed = CountryCode::parse(country.alpha2).unwrap();
            assert_eq!(parsed.country(), Some(country.name));
            assert_eq!(parsed.metadata().unwrap().country_code(), parsed.calling_code());
        }
    }

    #[test]
    fn debug_tells_the_type_only() {
        assert_eq!(format!("{:?}", CountryCode::parse("+1").unwrap()), "CountryCode");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn whatever_is_accepted_is_its_own_code(text in prop_oneof![any::<String>(), "[A-Za-z]{2}", "\\+[0-9]{1,3}"]) {
            if let Ok(code) = CountryCode::parse(&text) {
                let again = CountryCode::parse(code.expose()).unwrap();
                prop_assert_eq!(again.expose(), code.expose());
                prop_assert_eq!(code.expose(), text.to_ascii_uppercase());
                prop_assert!((1..=999).contains(&code.calling_code()));
            }
        }
    }
}
