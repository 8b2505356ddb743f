//! A password in memory, and the rules for choosing one.
//!
//! Guarantees: NFC, done once; nothing trimmed, nothing cut. A new one obeys its [`PasswordPolicy`], and all that it
//! lacks is told at once; one given for checking is only held to 4096 bytes.
//!
//! - `default`: 8 to 128 code points with an upper-case letter, a lower-case letter, a digit and something else (a
//!   sign, a space, a letter of a script without case).
//! - `nist`: 15 to 128 code points, 8 with a second factor, of any kind; and not one that an estimate of guesses
//!   (`zxcvbn`) takes to be found at once, such as fifteen times the same character, which `default` has composition for.
//! - Both: the context rule. Context words are the service's name, the user type, the person's names and the local
//!   part of the e-mail address, each whole and cut at what is neither letter nor digit, from 4 code points on. A
//!   password that contains one, in any case, is refused when fewer than 8 code points are left after all of them
//!   are taken out. `Sealgate2024!` goes; `sealgate reminds me of otters` stays.
//! - Both: not a common password (`common_passwords.rs`), dressed up or not; not one of a list of breached passwords, where
//!   there is one ([`PasswordRules`]).
//!
//! To add a rule, add a variant to [`PasswordError`] and one line in `violations`.

use std::{fmt, mem};

use unicode_normalization::{UnicodeNormalization, is_nfc};
use zeroize::Zeroizing;

use crate::domain::{
    common_passwords::is_common,
    password_rules::{PasswordRules, RefusedPassword, is_guessed_at_once},
    private::{Private, Refusal},
};

const MAX_CODE_POINTS: usize = 128;
const MAX_CHECKED_BYTES: usize = 4096;
const MIN_CONTEXT_WORD: usize = 4;
/// The shortest password that any policy accepts.
const MIN_BESIDE_CONTEXT: usize = 8;

/// What a new password has to be like.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PasswordPolicy {
    /// 8 to 128 code points, with an upper-case and a lower-case letter, a digit and something else.
    #[default]
    Default,
    /// NIST SP 800-63B-4: length alone.
    Nist {
        /// Whether the account also has a second factor, which makes 8 code points enough.
        second_factor: bool,
    },
}

impl PasswordPolicy {
    /// The policy of that name in the configuration: `default`, or `nist` (for an account without second factor).
    pub fn parse(name: &str) -> Result<Self, PasswordPolicyError> {
        match name {
            "default" => Ok(Self::Default),
            "nist" => Ok(Self::Nist { second_factor: false }),
            _ => Err(PasswordPolicyError),
        }
    }

    /// The same policy for an account that has, or has not, a second factor.
    #[must_use]
    pub const fn for_account(&self, has_second_factor: bool) -> Self {
        match self {
            Self::Default => Self::Default,
            Self::Nist { .. } => Self::Nist {
                second_factor: has_second_factor,
            },
        }
    }

    /// The fewest code points that it accepts.
    #[must_use]
    pub const fn min_code_points(&self) -> usize {
        match self {
            Self::Default | Self::Nist { second_factor: true } => 8,
            Self::Nist { second_factor: false } => 15,
        }
    }

    fn violations(&self, text: &str, context: &[&str]) -> Vec<PasswordError> {
        let code_points = text.chars().count();
        let minimum = self.min_code_points();
        let composed = *self == Self::Default;
        let lacks = |is_kind: fn(char) -> bool| composed && !text.chars().any(is_kind);
        let rules = [
            (code_points < minimum, PasswordError::TooShort { minimum }),
            (code_points > MAX_CODE_POINTS, PasswordError::TooLong),
            (lacks(char::is_uppercase), PasswordError::NoUpperCase),
            (lacks(char::is_lowercase), PasswordError::NoLowerCase),
            (lacks(char::is_numeric), PasswordError::NoDigit),
            (lacks(is_other), PasswordError::NoOther),
            (is_mostly_context(text, context), PasswordError::ContextWord),
            (is_common(text), PasswordError::Common),
        ];
        rules
            .into_iter()
            .filter_map(|(is_violated, error)| is_violated.then_some(error))
            .collect()
    }
}

/// The configuration names no such policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Set the password policy to `default` or `nist`.")]
pub struct PasswordPolicyError;

/// A password in plaintext, on its way to the hasher.
pub struct Password(Private);

impl Password {
    /// A password that somebody chooses; every broken rule is reported. Slow where it is refused, under `nist`, and where the
    /// list of breached ones is read: not for a thread that others wait for.
    pub fn parse_new(text: String, rules: &PasswordRules, context: &[&str]) -> Result<Self, RefusedPassword> {
        let password = Self(to_nfc(Zeroizing::new(text)));
        let mut violations = rules.policy.violations(password.expose(), context);
        if rules.has_breached(password.expose()) {
            violations.push(PasswordError::Breached);
        }
        // Last, for it is slow.
        let is_estimated = violations.is_empty() && matches!(rules.policy, PasswordPolicy::Nist { .. });
        if is_estimated && is_guessed_at_once(password.expose(), context) {
            violations.push(PasswordError::Guessable);
        }
        if violations.is_empty() {
            Ok(password)
        } else {
            Err(RefusedPassword::new(violations, password.expose(), context))
        }
    }

    /// A password that somebody signs in with: whatever policy it was chosen under is long past.
    pub fn for_check(text: String) -> Result<Self, PasswordError> {
        let text = Zeroizing::new(text);
        if text.len() > MAX_CHECKED_BYTES {
            return Err(PasswordError::TooManyBytes);
        }
        Ok(Self(to_nfc(text)))
    }

    /// The plaintext in NFC.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// NFC at most triples the bytes of a text, so that nothing is moved and left behind while it grows.
fn to_nfc(mut text: Zeroizing<String>) -> Private {
    if is_nfc(&text) {
        return Private::new(mem::take(&mut text));
    }
    let mut composed = String::with_capacity(3 * text.len());
    composed.extend(text.nfc());
    Private::new(composed)
}

fn is_other(c: char) -> bool {
    !c.is_uppercase() && !c.is_lowercase() && !c.is_numeric()
}

/// The context rule of the module's doc.
fn is_mostly_context(text: &str, context: &[&str]) -> bool {
    let fold = |text: &str| Zeroizing::new(text.to_lowercase().nfc().collect::<String>());
    let text = fold(text);
    let mut is_covered = vec![false; text.len()];
    for entry in context {
        let entry = fold(entry);
        let parts = entry.split(|c: char| !c.is_alphanumeric());
        for word in parts
            .chain([entry.as_str()])
            .filter(|word| word.chars().count() >= MIN_CONTEXT_WORD)
        {
            for start in text
                .char_indices()
                .map(|(start, _)| start)
                .filter(|&start| text[start..].starts_with(word))
            {
                is_covered[start..start + word.len()].fill(true);
            }
        }
    }
    let left = text.char_indices().filter(|&(start, _)| !is_covered[start]).count();
    is_covered.contains(&true) && left < MIN_BESIDE_CONTEXT
}

/// Why a password was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Fewer code points than the policy's minimum.
    #[error("Use at least {minimum} characters.")]
    TooShort {
        /// The policy's minimum.
        minimum: usize,
    },
    /// More than 128 code points.
    #[error("Use at most 128 characters.")]
    TooLong,
    /// More than 4096 bytes at sign-in.
    #[error("Use at most 4096 bytes.")]
    TooManyBytes,
    /// No upper-case letter.
    #[error("Add an upper-case letter.")]
    NoUpperCase,
    /// No lower-case letter.
    #[error("Add a lower-case letter.")]
    NoLowerCase,
    /// No digit.
    #[error("Add a digit.")]
    NoDigit,
    /// Nothing but letters and digits.
    #[error("Add a character that is neither a letter nor a digit.")]
    NoOther,
    /// Little besides words that others can guess about this account.
    #[error("Add at least 8 characters besides your name, your e-mail address and the name of this service.")]
    ContextWord,
    /// One that everybody tries first.
    #[error("Choose a password that others don't choose too: several unrelated words, for example.")]
    Common,
    /// One that is found after few guesses, whether or not others choose it.
    #[error("Choose a password that is harder to guess: several unrelated words, for example.")]
    Guessable,
    /// One that was stolen somewhere.
    #[error("Choose another password: this one is in a public list of stolen ones, whoever it was stolen from.")]
    Breached,
}

impl PasswordError {
    /// Whether it says that others would guess the password soon.
    pub(in crate::domain) const fn is_about_guessing(self) -> bool {
        matches!(
            self,
            Self::ContextWord | Self::Common | Self::Guessable | Self::Breached
        )
    }
}

impl Refusal for PasswordError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => "password_too_short",
            Self::TooLong | Self::TooManyBytes => "password_too_long",
            Self::NoUpperCase => "password_no_upper_case",
            Self::NoLowerCase => "password_no_lower_case",
            Self::NoDigit => "password_no_digit",
            Self::NoOther => "password_no_other",
            Self::ContextWord => "password_context_word",
            Self::Common => "password_common",
            Self::Guessable => "password_guessable",
            Self::Breached => "password_breached",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::PasswordError::*;
    use super::*;

    const NIST: PasswordPolicy = PasswordPolicy::Nist { second_factor: false };
    const NIST_MFA: PasswordPolicy = PasswordPolicy::Nist { second_factor: true };
    const CONTEXT: [&str; 5] = ["Sealgate", "User1", "ada.lovelace", "Ada", "O'Brien"];

    #[track_caller]
    fn judged(policy: &PasswordPolicy, text: &str, errors: &[PasswordError]) {
        let found = Password::parse_new(text.to_owned(), &PasswordRules::of(policy.clone()), &CONTEXT);
        let found = found.err().map(|refused| refused.errors).unwrap_or_default();
        assert_eq!(found, errors, "{text:?}");
    }

    #[test]
    fn the_default_policy_tells_all_that_is_missing_at_once() {
        let default = PasswordPolicy::Default;
        judged(&default, "SecureP@ssw0rd123!", &[]);
        judged(&default, "Wxgmpf1!", &[]);
        judged(&default, "Wxgmp1!", &[TooShort { minimum: 8 }]);
        judged(
            &default,
            "abc",
            &[TooShort { minimum: 8 }, NoUpperCase, NoDigit, NoOther],
        );
        judged(
            &default,
            "",
            &[TooShort { minimum: 8 }, NoUpperCase, NoLowerCase, NoDigit, NoOther],
        );
        judged(&default, &"Aa1!".repeat(32), &[]);
        judged(&default, &"Aa1!".repeat(33), &[TooLong]);
        judged(&default, "WXGMPFT1 ", &[NoLowerCase]);
        judged(&default, "Wxgmpft1\u{6F22}", &[]);
    }

    #[test]
    fn the_nist_policy_counts_code_points_and_asks_for_no_composition() {
        judged(&NIST, "vqzkxjwyhbncmtr", &[]);
        judged(&NIST, "correct horse battery", &[]);
        judged(&NIST, "zwei gelbe Elche im Nebel", &[]);
        judged(&NIST, &"vqzkxjwy".repeat(16), &[]);
        judged(&NIST, "vqzkxjwyhbncmt", &[TooShort { minimum: 15 }]);
        judged(&NIST_MFA, "vqzkxjwy", &[]);
        judged(&NIST_MFA, &"a".repeat(8), &[Common]);
        judged(&NIST_MFA, &"a".repeat(129), &[TooLong]);
    }

    #[test]
    fn the_nist_policy_refuses_what_is_guessed_at_once() {
        let weak = "aaaaaaaaaaaaaaa|123456789012345|12345678901234567890123456789012345|qwertyuiopasdfg|\
                    abcdefghijklmnopqrstuvwxyz|abcabcabcabcabcabcabcabcabcabca|AdaAdaAdaAdaAda|ada ada ada ada|brienbrienbrie!";
        for text in weak.split('|') {
            let found = Password::parse_new(text.to_owned(), &PasswordRules::of(NIST), &CONTEXT);
            let found = found.expect_err(text).errors;
            assert!(found.iter().all(|error| error.is_about_guessing()), "{text}: {found:?}");
        }
        judged(&NIST, &"\u{1F600}".repeat(128), &[Guessable]);
        judged(&NIST, &"a".repeat(128), &[Guessable]);
        judged(&PasswordPolicy::Default, &"Aa1!".repeat(32), &[]);
    }

    #[test]
    fn context_words_do_not_count_but_do_not_spoil_either() {
        for text in [
            "Sealgate2024!",
            "SEALGATE-user1",
            "Lovelace1815",
            "ada.lovelace#1",
            "o'brien12345",
            "sealgatesealgate",
        ] {
            judged(&NIST_MFA, text, &[ContextWord]);
        }
        for text in [
            "sealgate reminds me of otters",
            "Sealgate + horses",
            "correct horse battery",
        ] {
            judged(&NIST_MFA, text, &[]);
        }
        judged(
            &PasswordPolicy::Default,
            "sealgate",
            &[NoUpperCase, NoDigit, NoOther, ContextWord],
        );
    }

    #[test]
    fn both_doors_give_the_same_text_for_the_same_password() {
        let chosen = Password::parse_new(" Zoe\u{308} o'clock 12 ".into(), &PasswordRules::of(NIST), &[]).unwrap();
        let given = Password::for_check(" Zo\u{EB} o'clock 12 ".into()).unwrap();
        assert_eq!(chosen.expose(), given.expose());
        assert_eq!(given.expose(), " Zo\u{EB} o'clock 12 ");
        assert_eq!(format!("{given:?}"), "Password");
    }

    #[test]
    fn checking_has_no_policy_but_a_limit() {
        assert_eq!(Password::for_check(String::new()).unwrap().expose(), "");
        assert!(Password::for_check("a".repeat(MAX_CHECKED_BYTES)).is_ok());
        assert_eq!(
            Password::for_check("a".repeat(MAX_CHECKED_BYTES + 1)).unwrap_err(),
            TooManyBytes
        );
    }

    #[test]
    fn policies_are_named_in_the_configuration() {
        assert_eq!(PasswordPolicy::parse("default"), Ok(PasswordPolicy::Default));
        assert_eq!(PasswordPolicy::parse("nist").unwrap().for_account(true), NIST_MFA);
        assert_eq!(PasswordPolicy::parse("Nist"), Err(PasswordPolicyError));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn whatever_is_accepted_is_whole_and_can_be_checked(text in prop_oneof![any::<String>(), "\\PC{8,130}", "[ -~]{8,20}"], word in ".{0,8}") {
            for policy in [PasswordPolicy::Default, NIST, NIST_MFA] {
                match Password::parse_new(text.clone(), &PasswordRules::of(policy.clone()), &[&word]) {
                    Ok(password) => {
                        prop_assert_eq!(password.expose(), text.nfc().collect::<String>());
                        let count = password.expose().chars().count();
                        prop_assert!((policy.min_code_points()..=MAX_CODE_POINTS).contains(&count));
                        let given = Password::for_check(text.clone()).unwrap();
                        prop_assert_eq!(password.expose(), given.expose());
                    }
                    Err(refused) => prop_assert!(!refused.errors.is_empty()),
                }
            }
        }
    }
}
