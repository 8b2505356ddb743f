//! A phone number in E.164.
//!
//! Guarantees: `+`, then 7 to 15 ASCII digits of which the first isn't 0. The number may not exist (`+1234567890`
//! is one): validity, kind of line and allowed countries are judged when a text would be sent. Letters, non-ASCII
//! digits, controls and everything invisible are refused here, because phone libraries turn them into digits.
//!
//! Spaces, hyphens, dots and parentheses separate and are dropped. After a `+` the digits stay as they are, except
//! for a bracketed trunk prefix, as in `+44 (0)20 7946 0958`. A number without `+` is read as dialled in the given
//! country: international prefix, calling code without `+`, then trunk prefix, in the order of Google's
//! libphonenumber. Only the metadata of the `phonenumber` crate is used: its own `parse` takes two trunk prefixes
//! off one number (its issue 76) and has panicked on input. To change how a country is read, update that crate;
//! to allow another separator, add it to `read`.

use std::fmt;

use phonenumber::Metadata;
use phonenumber::metadata::{DATABASE, Descriptor};
use zeroize::Zeroizing;

use crate::domain::country::{CountryCode, main_country};
use crate::domain::private::{Private, Refusal};

const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// Room for an international prefix before the longest number.
const MAX_DIALLED: usize = 24;

/// A phone number.
pub struct Phone(Private);

impl Phone {
    /// The only way to a `Phone`; `country` is needed for a number without `+`.
    pub fn parse(text: &str, country: Option<&CountryCode>) -> Result<Self, PhoneError> {
        let (mut digits, is_international) = read(text)?;
        if digits.is_empty() {
            return Err(PhoneError::TooShort);
        }
        if digits.len() > MAX_DIALLED {
            return Err(PhoneError::TooLong);
        }
        if is_international {
            drop_bracketed_trunk_zero(text, &mut digits);
        } else {
            digits = from_national(&digits, country.ok_or(PhoneError::CountryNeeded)?);
        }
        if digits.len() < *DIGITS.start() {
            return Err(PhoneError::TooShort);
        }
        if digits.len() > *DIGITS.end() {
            return Err(PhoneError::TooLong);
        }
        if digits.starts_with('0') {
            return Err(PhoneError::InvalidCallingCode);
        }
        Ok(Self(Private::new(format!("+{}", digits.as_str()))))
    }

    /// The number in E.164, as in `+14155550123`.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone")
    }
}

/// The digits, and whether a `+` stands before them.
fn read(text: &str) -> Result<(Zeroizing<String>, bool), PhoneError> {
    let mut digits = Zeroizing::new(String::with_capacity(text.len()));
    let mut is_international = false;
    for c in text.chars() {
        match c {
            '0'..='9' => digits.push(c),
            '+' if digits.is_empty() && !is_international => is_international = true,
            ' ' | '-' | '.' | '(' | ')' => {}
            _ => return Err(PhoneError::InvalidCharacter),
        }
    }
    Ok((digits, is_international))
}

/// `+44 (0)20`: the zero is for callers inside the country, unless it belongs to the number, as in Italy.
fn drop_bracketed_trunk_zero(text: &str, digits: &mut String) {
    let Some((before, _)) = text.split_once("(0)") else {
        return;
    };
    let at = before.bytes().filter(u8::is_ascii_digit).count();
    let country = digits[..at].parse().ok().and_then(main_country);
    if country.and_then(Metadata::national_prefix) == Some("0") {
        digits.remove(at);
    }
}

/// What to dial after the `+` for `dialled` in `country`.
fn from_national(dialled: &str, country: &CountryCode) -> Zeroizing<String> {
    let calling_code = country.calling_code().to_string();
    let significant = match country.metadata() {
        None => Zeroizing::new(dialled.to_owned()),
        Some(rules) => {
            if let Some(abroad) = after_international_prefix(rules, dialled) {
                return Zeroizing::new(abroad.to_owned());
            }
            let without_code = dialled.strip_prefix(&calling_code).filter(|rest| {
                let fits = |number: &str| is_plausible(rules, number);
                !fits(dialled) && fits(&without_trunk_prefix(rules, rest)) || is_too_long(rules, dialled)
            });
            without_trunk_prefix(rules, without_code.unwrap_or(dialled))
        }
    };
    Zeroizing::new(calling_code + &significant)
}

fn after_international_prefix<'a>(rules: &Metadata, dialled: &'a str) -> Option<&'a str> {
    let prefix = rules
        .international_prefix()?
        .find(dialled)
        .filter(|found| found.start() == 0)?;
    Some(&dialled[prefix.end()..]).filter(|rest| !rest.starts_with('0'))
}

/// Takes the trunk prefix (and a carrier's) off, if a possible number remains and no plausible one is spoilt.
fn without_trunk_prefix(rules: &Metadata, dialled: &str) -> Zeroizing<String> {
    let dialled = Zeroizing::new(dialled.to_owned());
    let Some(stripped) = stripped(rules, &dialled) else {
        return dialled;
    };
    let spoilt = is_plausible(rules, &dialled) && !is_plausible(rules, &stripped);
    let possible = lengths(rules).any(|length| length == stripped.len()) || is_too_long(rules, &stripped);
    if possible && !spoilt { stripped } else { dialled }
}

fn stripped(rules: &Metadata, dialled: &str) -> Option<Zeroizing<String>> {
    let Some(pattern) = rules.national_prefix_for_parsing() else {
        return dialled
            .strip_prefix(rules.national_prefix()?)
            .map(|rest| Zeroizing::new(rest.to_owned()));
    };
    let groups = pattern.captures(dialled)?;
    let whole = groups.get(0).filter(|found| found.start() == 0)?;
    let last_group_took_part = groups.get(groups.len() - 1).is_some();
    let number = match rules.national_prefix_transform_rule() {
        Some(rule) if last_group_took_part => pattern.replace(dialled, rule).into_owned(),
        _ => dialled[whole.end()..].to_owned(),
    };
    Some(Zeroizing::new(number))
}

/// Whether all of `number` has the shape of that country's numbers; the crate's own test looks at the beginning only.
fn is_plausible(rules: &Metadata, number: &str) -> bool {
    let shape = format!("^(?x:{})$", rules.descriptors().general().national_number().as_str());
    lengths(rules).any(|length| length == number.len())
        && DATABASE
            .cache()
            .lock()
            .is_ok_and(|mut cache| cache.compile(&shape).is_ok_and(|re| re.is_match(number)))
}

fn is_too_long(rules: &Metadata, number: &str) -> bool {
    lengths(rules).max().is_some_and(|longest| number.len() > longest)
}

/// The lengths that a country's numbers have, over all kinds of line; the general entry lists none.
fn lengths(rules: &Metadata) -> impl Iterator<Item = usize> {
    let kinds = rules.descriptors();
    let basic = [
        kinds.fixed_line(),
        kinds.mobile(),
        kinds.voip(),
        kinds.pager(),
        kinds.personal_number(),
    ];
    let special = [
        kinds.toll_free(),
        kinds.premium_rate(),
        kinds.shared_cost(),
        kinds.uan(),
        kinds.voicemail(),
    ];
    basic
        .into_iter()
        .chain(special)
        .flatten()
        .flat_map(Descriptor::possible_length)
        .map(|&length| length.into())
}

/// Why a phone number was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// Something else than digits, separators and a leading `+`.
    #[error(
        "Write the phone number with the digits 0 to 9 only; spaces, hyphens, dots, parentheses and one leading + are fine."
    )]
    InvalidCharacter,
    /// Fewer than 7 digits with the calling code.
    #[error("Give the whole phone number: at least 7 digits with the calling code.")]
    TooShort,
    /// More than 15 digits with the calling code.
    #[error("Shorten the phone number to at most 15 digits with the calling code, and leave out extensions.")]
    TooLong,
    /// A number without `+`, and no country to read it in.
    #[error("Begin the phone number with + and the calling code, or give a country_code such as US or +1.")]
    CountryNeeded,
    /// A zero where the calling code should begin.
    #[error("Begin the phone number with a calling code such as +44; none begins with 0.")]
    InvalidCallingCode,
}

impl Refusal for PhoneError {
    fn code(&self) -> &'static str {
        match self {
            Self::InvalidCharacter => "phone_invalid_character",
            Self::TooShort => "phone_too_short",
            Self::TooLong => "phone_too_long",
            Self::CountryNeeded => "phone_country_needed",
            Self::InvalidCallingCode => "phone_invalid_calling_code",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str, country: &str) -> Result<String, PhoneError> {
        let country = (!country.is_empty()).then(|| CountryCode::parse(country).unwrap());
        Phone::parse(text, country.as_ref()).map(|phone| phone.expose().to_owned())
    }

    #[track_caller]
    fn reads(text: &str, country: &str, e164: &str) {
        assert_eq!(parse(text, country).as_deref(), Ok(e164), "{text} in {country}");
    }

    #[track_caller]
    fn refused(error: PhoneError, texts: &[&str]) {
        for text in texts {
            assert_eq!(parse(text, ""), Err(error), "{text:?}");
        }
    }

    #[test]
    fn only_numbers_that_take_texts_are_textable() {
        let textable = |text: &str| Phone::parse(text, None).unwrap().is_textable();
        assert!(textable("+12025550123") && textable("+491701234567") && textable("+447400123456"));
        assert!(!textable("+1234567890"), "no such number");
        assert!(!textable("+442079460000") && !textable("+493012345678"), "landlines");
    }

    #[test]
    fn international_numbers_need_not_be_valid() {
        reads("+1234567890", "", "+1234567890");
        reads("+1234567890", "US", "+1234567890");
        reads(" (+1) 415-555.0123 ", "", "+14155550123");
        reads("+1234567", "", "+1234567");
        reads("+123456789012345", "DE", "+123456789012345");
        reads("+78005553535", "RU", "+78005553535");
        reads("+375800111111", "BY", "+375800111111");
        reads("+44 (0)20 7946 0958", "", "+442079460958");
        reads("+39 (0)6 6982 1234", "", "+390669821234");
        reads("+44 (20) 7946 0958", "", "+442079460958");
    }

    #[test]
    fn national_numbers_are_read_as_dialled_there() {
        reads("(415) 555-0123", "US", "+14155550123");
        reads("1 415 555 0123", "+1", "+14155550123");
        reads("020 7946 0958", "GB", "+442079460958");
        reads("020 7946 0958", "+44", "+442079460958");
        reads("06 12 34 56 78", "fr", "+33612345678");
        reads("06 6982 1234", "IT", "+390669821234");
        reads("8 800 555 35 35", "RU", "+78005553535");
        reads("800 555 35 35", "RU", "+78005553535");
        reads("0343 15 555 1212", "AR", "+5493435551212");
        reads("0 21 11 5555 5555", "BR", "+551155555555");
        reads("886377", "SM", "+3780549886377");
        reads("0532 123 45 67", "TR", "+905321234567");
        reads("44 20 7946 0958", "GB", "+442079460958");
        reads("00 49 30 123456", "FR", "+4930123456");
        reads("011 44 20 7946 0958", "US", "+442079460958");
        reads("12345678", "+800", "+80012345678");
        reads("1234567890", "US", "+11234567890");
        reads("21 234 567", "AQ", "+67221234567");
    }

    #[test]
    fn example_numbers_of_every_country_are_read_in_each_national_form() {
        for iso in rust_iso3166::ALL {
            let country = CountryCode::parse(iso.alpha2).unwrap();
            let (code, rules) = (country.calling_code(), country.metadata().unwrap());
            for kind in [rules.descriptors().fixed_line(), rules.descriptors().mobile()]
                .into_iter()
                .flatten()
            {
                let Some(example) = kind.example() else { continue };
                let e164 = format!("+{code}{example}");
                reads(example, iso.alpha2, &e164);
                // Colombian mobiles are dialled without one.
                let trunk = rules
                    .national_prefix()
                    .filter(|_| iso.alpha2 != "CO")
                    .unwrap_or_default();
                reads(&format!("{trunk}{example}"), iso.alpha2, &e164);
                if !is_plausible(rules, &e164[1..]) {
                    reads(&e164[1..], iso.alpha2, &e164);
                }
            }
        }
    }

    #[test]
    fn each_refusal_has_its_reason() {
        refused(
            PhoneError::InvalidCharacter,
            &["+1 800 FLOWERS", "+\u{661}\u{662}\u{663}4567890", "+1234567890 x12"],
        );
        refused(
            PhoneError::InvalidCharacter,
            &[
                "+123\u{200B}4567890",
                "+1234567890\n",
                "\u{FF0B}1234567890",
                "+1\t234567",
            ],
        );
        refused(
            PhoneError::InvalidCharacter,
            &["++1234567890", "1+234567890", "tel:+1234567890", "+1234567890\u{202C}"],
        );
        refused(PhoneError::TooShort, &["", "+", "()", "+123456"]);
        refused(PhoneError::TooLong, &["+1234567890123456", &"1".repeat(100_000)]);
        refused(PhoneError::CountryNeeded, &["4155550123", "0049 30 123456"]);
        refused(PhoneError::InvalidCallingCode, &["+0012345678"]);
    }

    #[test]
    fn debug_tells_the_type_only() {
        assert_eq!(format!("{:?}", Phone::parse("+1234567890", None).unwrap()), "Phone");
    }

    fn is_e164(text: &str) -> bool {
        let digits = text.strip_prefix('+').unwrap();
        DIGITS.contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn whatever_is_accepted_is_e164_and_stable(text in prop_oneof![any::<String>(), "\\+?[0-9 .()-]{5,20}"]) {
            if let Ok(phone) = parse(&text, "") {
                prop_assert!(is_e164(&phone));
                prop_assert_eq!(parse(&phone, "").unwrap(), phone);
            }
        }

        #[test]
        fn every_country_reads_any_digits(text in "0{0,2}[0-9]{1,20}", index in 0..rust_iso3166::ALL.len()) {
            let country = CountryCode::parse(rust_iso3166::ALL[index].alpha2).unwrap();
            if let Ok(phone) = Phone::parse(&text, Some(&country)) {
                prop_assert!(is_e164(phone.expose()));
            }
        }
    }
}
