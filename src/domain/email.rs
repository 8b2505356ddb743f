//! An e-mail address, in the three forms that the service needs.
//!
//! Guarantees: one `@`; a local part that is an RFC 5321 dot-atom, other scripts allowed as in RFC 6531; a domain of
//! at least two labels that UTS 46 accepts; at most 64 and 254 bytes. No quoted local part, no comment, no IP
//! address, no control, white-space or invisible character anywhere.
//!
//! | form | local part | domain | for |
//! |---|---|---|---|
//! | `expose` | as given, NFC | as given, NFC | showing, sealing |
//! | `mailbox` | as given, NFC | lower-case A-labels | the SMTP client |
//! | `index_form` | ASCII letters lower-cased, NFC | lower-case A-labels | the blind index |
//!
//! Nothing is folded by provider: `a.da+x@` is another mailbox than `ada@`. `index_form` is stored as a blind index,
//! so every change to it makes existing accounts unfindable: it needs a new index version and a back-fill.

use std::fmt;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use zeroize::Zeroizing;

use crate::domain::person_name::is_invisible;
use crate::domain::private::{Private, Refusal};

const MAX_BYTES: usize = 254;
const MAX_LOCAL_BYTES: usize = 64;
/// Longer input can't become shorter than [`MAX_BYTES`] by NFC or UTS 46; it is refused before any work.
const MAX_INPUT_BYTES: usize = 4 * MAX_BYTES;

/// An e-mail address.
pub struct Email {
    original: Private,
    mailbox: Private,
    index_form: Private,
}

impl Email {
    /// The only way to an `Email`.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        if text.is_empty() {
            return Err(EmailError::Empty);
        }
        if text.len() > MAX_INPUT_BYTES {
            return Err(EmailError::TooLong);
        }
        if text.trim() != text {
            return Err(EmailError::SurroundingSpace);
        }
        if text.chars().any(is_forbidden) {
            return Err(EmailError::ForbiddenCharacter);
        }
        // NFC turns a few characters into ASCII ones, so everything below looks at its result.
        let original = Zeroizing::new(text.nfc().collect::<String>());
        if original.len() > MAX_BYTES {
            return Err(EmailError::TooLong);
        }
        let (local, domain) = original.split_once('@').ok_or(EmailError::AtSign)?;
        if domain.contains('@') {
            return Err(EmailError::AtSign);
        }
        if !is_dot_atom(local) {
            return Err(EmailError::InvalidLocalPart);
        }
        if local.len() > MAX_LOCAL_BYTES {
            return Err(EmailError::LocalPartTooLong);
        }
        let domain = to_a_labels(domain)?;
        let mailbox = Private::new(format!("{local}@{}", domain.as_str()));
        if mailbox.expose().len() > MAX_BYTES {
            return Err(EmailError::TooLong);
        }
        // A small letter may compose where its capital did not: NFC once more.
        let lower = Zeroizing::new(mailbox.expose().to_ascii_lowercase());
        let index_form = Private::new(lower.nfc().collect());
        let original = Private::new(original.as_str().to_owned());
        Ok(Self {
            original,
            mailbox,
            index_form,
        })
    }

    /// The owner's spelling, in NFC: to show and to seal.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.original.expose()
    }

    /// What an SMTP client sends to: the local part as given, the domain in A-labels.
    #[must_use]
    pub fn mailbox(&self) -> &str {
        self.mailbox.expose()
    }

    /// The normalised form for the blind index and nothing else.
    #[must_use]
    pub fn index_form(&self) -> &str {
        self.index_form.expose()
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email")
    }
}

/// Besides what can't be seen: code points without a meaning of their own, whose NFC the next Unicode may change.
fn is_forbidden(c: char) -> bool {
    is_invisible(c)
        || matches!(
            c.general_category(),
            GeneralCategory::Unassigned | GeneralCategory::PrivateUse
        )
}

fn is_dot_atom(local: &str) -> bool {
    let is_atext = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// The domain in lower-case A-labels, with neither an empty label nor the shape of an IPv4 address.
fn to_a_labels(domain: &str) -> Result<Zeroizing<String>, EmailError> {
    let ascii = Uts46::new()
        .to_ascii(
            domain.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Verify,
        )
        .map_err(|_| EmailError::InvalidDomain)?;
    let ascii = Zeroizing::new(ascii.into_owned());
    match ascii.rsplit_once('.') {
        Some((_, top)) if !top.bytes().all(|b| b.is_ascii_digit()) => Ok(ascii),
        _ => Err(EmailError::InvalidDomain),
    }
}

/// Why an e-mail address was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// Nothing was given.
    #[error("Give an e-mail address.")]
    Empty,
    /// White space first or last.
    #[error("Remove the space before or after the e-mail address.")]
    SurroundingSpace,
    /// A control, white-space, invisible or unassigned character.
    #[error("Remove spaces, control characters and invisible characters from the e-mail address.")]
    ForbiddenCharacter,
    /// No `@`, or several.
    #[error("Write the e-mail address with exactly one @, as in name@example.org.")]
    AtSign,
    /// The part before the `@` isn't a dot-atom.
    #[error("Correct the part before the @: no quotes, brackets or commas, and no dot first, last or twice in a row.")]
    InvalidLocalPart,
    /// The part before the `@` has more than 64 bytes.
    #[error("Shorten the part before the @ to at most 64 bytes.")]
    LocalPartTooLong,
    /// The part after the `@` isn't a domain name of two labels or more.
    #[error("Correct the part after the @: a domain name with at least one dot, as in example.org.")]
    InvalidDomain,
    /// More than 254 bytes.
    #[error("Use an e-mail address of at most 254 bytes.")]
    TooLong,
}

impl Refusal for EmailError {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "email_empty",
            Self::SurroundingSpace => "email_surrounding_space",
            Self::ForbiddenCharacter => "email_forbidden_character",
            Self::AtSign => "email_at_sign",
            Self::InvalidLocalPart => "email_invalid_local_part",
            Self::LocalPartTooLong => "email_local_part_too_long",
            Self::InvalidDomain => "email_invalid_domain",
            Self::TooLong => "email_too_long",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn forms(text: &str) -> [String; 3] {
        let email = Email::parse(text).unwrap();
        [email.expose(), email.mailbox(), email.index_form()].map(str::to_owned)
    }

    #[track_caller]
    fn refused(error: EmailError, texts: &[&str]) {
        for text in texts {
            assert_eq!(Email::parse(text).unwrap_err(), error, "{text:?}");
        }
    }

    #[test]
    fn each_form_normalises_what_it_should() {
        let ada = "Ada.O'Brien+x@Example.ORG";
        assert_eq!(
            forms(ada),
            [ada, "Ada.O'Brien+x@example.org", "ada.o'brien+x@example.org"]
        );
        let idn = "J\u{FC}rgen@B\u{DC}CHER.example";
        assert_eq!(
            forms(idn),
            [
                idn,
                "J\u{FC}rgen@xn--bcher-kva.example",
                "j\u{FC}rgen@xn--bcher-kva.example"
            ]
        );
    }

    #[test]
    fn spellings_of_one_mailbox_share_an_index_form() {
        let same = |a, b| assert_eq!(forms(a)[2], forms(b)[2]);
        same("ada@b\u{FC}cher.example", "ADA@xn--BCHER-kva.example");
        same("ada@example.org", "ada@example\u{3002}org");
        same("zoe\u{308}@example.org", "zo\u{EB}@example.org");
        same("\u{212A}im@example.org", "kim@example.org");
        same("H\u{331}a@example.org", "\u{1E96}a@example.org");
    }

    #[test]
    fn different_mailboxes_stay_different() {
        for other in [
            "a.da@example.org",
            "ada+x@example.org",
            "ada@googlemail.com",
            "\u{430}da@example.org",
        ] {
            assert_ne!(forms("ada@example.org")[2], forms(other)[2]);
        }
        assert_ne!(forms("\u{C4}da@example.org")[2], forms("\u{E4}da@example.org")[2]);
    }

    #[test]
    fn each_refusal_has_its_reason() {
        refused(EmailError::Empty, &[""]);
        refused(
            EmailError::SurroundingSpace,
            &[" ada@example.org", "ada@example.org\n", "\u{A0}ada@example.org"],
        );
        let forbidden = [
            "a\r\nBcc: b@example.org",
            "a\u{200B}b@example.org",
            "a\u{202E}b@example.org",
            "a b@example.org",
        ];
        refused(EmailError::ForbiddenCharacter, &forbidden);
        refused(
            EmailError::ForbiddenCharacter,
            &["a@exa\u{AD}mple.org", "a@example.org\u{FEFF}", "a\u{FE0F}b@c.org"],
        );
        refused(EmailError::AtSign, &["ada", "a@b@example.org"]);
        refused(
            EmailError::InvalidLocalPart,
            &["@example.org", ".a@b.org", "a.@b.org", "a..b@c.org", "\"a\"@b.org"],
        );
        refused(
            EmailError::InvalidLocalPart,
            &["a(b)@c.org", "a,b@c.org", "a\u{37E}b@c.org", "<a>@c.org"],
        );
        refused(
            EmailError::InvalidDomain,
            &["a@", "a@localhost", "a@b..org", "a@.org", "a@b.org.", "a@-b.org"],
        );
        refused(
            EmailError::InvalidDomain,
            &["a@[127.0.0.1]", "a@127.0.0.1", "a@b_c.org", "a@xn--a.org", "a@b(c).org"],
        );
    }

    #[test]
    fn lengths_count_bytes_and_the_a_label_form_too() {
        let local = "a".repeat(64);
        let fits = format!("{local}@{}org", "123456789.".repeat(18) + "12345.");
        assert_eq!(fits.len(), MAX_BYTES);
        assert!(Email::parse(&fits).is_ok());
        refused(EmailError::TooLong, &[&fits.replace("@1", "@11"), &"a".repeat(100_000)]);
        refused(
            EmailError::LocalPartTooLong,
            &[&format!("a{local}@b.org"), &format!("{}@b.org", "\u{E4}".repeat(33))],
        );
        refused(
            EmailError::TooLong,
            &[&format!("{local}@{}org", "\u{E4}\u{F6}.".repeat(20))],
        );
    }

    #[test]
    fn debug_tells_the_type_only() {
        assert_eq!(format!("{:?}", Email::parse("ada@example.org").unwrap()), "Email");
    }

    fn likely() -> impl Strategy<Value = String> {
        let letter =
            "[a-zA-Z0-9.!+\u{C4}\u{DF}\u{E9}\u{130}\u{212A}\u{301}\u{327}\u{331}\u{338}\u{AC00}\u{1100}\u{1161}]";
        let address = format!("{letter}{{1,8}}@{letter}{{1,8}}[.\u{3002}]{letter}{{1,4}}");
        proptest::string::string_regex(&address).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn whatever_is_accepted_is_stable(text in prop_oneof![1 => any::<String>(), 1 => "\\PC{0,9}@\\PC{1,9}\\.org", 4 => likely()]) {
            if let Ok(email) = Email::parse(&text) {
                for form in [email.expose(), email.mailbox(), email.index_form()] {
                    prop_assert!(form.len() <= MAX_BYTES && !form.chars().any(is_forbidden));
                    prop_assert!(unicode_normalization::is_nfc(form));
                    let again = Email::parse(form).unwrap();
                    prop_assert_eq!(again.expose(), form);
                    prop_assert_eq!(again.index_form(), email.index_form());
                }
                let domain = email.mailbox().split_once('@').unwrap().1;
                prop_assert!(domain.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b)));
            }
        }
    }
}
