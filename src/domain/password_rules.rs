//! All that a new password is judged by, and what its chooser is told when it is refused: each broken rule, and where
//! the reason is that others would guess it, how long they would take (`zxcvbn`) and what helps.
//!
//! The estimate explains a refusal, and is one under the policy `nist` alone (`is_guessed_at_once`). What it costs is
//! bounded: `zxcvbn` takes more than a second for a hundred characters that were chosen for that, and 70 ms at worst for
//! `ESTIMATED`; no explanation is of a longer one. Its tables (8 MB) are unpacked by the first password that is estimated.

use std::{fmt, sync::Arc};

use zeroize::Zeroizing;
use zxcvbn::{feedback::Feedback, zxcvbn};

use crate::domain::{
    password::{PasswordError, PasswordPolicy},
    private::Refusal as _,
};

/// The longest password, in code points, that is estimated.
const ESTIMATED: usize = 24;
/// What is found after fewer guesses, as a power of ten, is guessed at once: in a hundred seconds by a thief of a slow hash.
const AT_ONCE: f64 = 6.0;

/// Passwords that were stolen somewhere.
pub trait BreachedPasswords: Send + Sync + 'static {
    /// Whether `password` is one of them. May read a file.
    fn has(&self, password: &str) -> bool;
}

/// What a new password has to be like.
#[derive(Clone, Default)]
pub struct PasswordRules {
    /// Length and composition.
    pub policy: PasswordPolicy,
    /// What it may not be, beside the common ones.
    pub breached: Option<Arc<dyn BreachedPasswords>>,
}

impl PasswordRules {
    /// Of `policy` alone.
    #[must_use]
    pub const fn of(policy: PasswordPolicy) -> Self {
        Self { policy, breached: None }
    }

    /// The same for an account that has, or has not, a second factor.
    #[must_use]
    pub fn for_account(&self, has_second_factor: bool) -> Self {
        Self {
            policy: self.policy.for_account(has_second_factor),
            breached: self.breached.clone(),
        }
    }

    pub(in crate::domain) fn has_breached(&self, password: &str) -> bool {
        self.breached.as_ref().is_some_and(|breached| breached.has(password))
    }
}

impl fmt::Debug for PasswordRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordRules({:?})", self.policy)
    }
}

/// A password that may not be chosen. Holds nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedPassword {
    /// Every rule that it breaks; at least one.
    pub errors: Vec<PasswordError>,
    estimate: Option<String>,
}

impl RefusedPassword {
    pub(in crate::domain) fn new(errors: Vec<PasswordError>, password: &str, context: &[&str]) -> Self {
        // Of a stolen one it would be praise.
        let is_stolen = errors.contains(&PasswordError::Breached);
        let is_estimated = !is_stolen && errors.iter().any(|error| error.is_about_guessing());
        let estimate = is_estimated.then(|| estimate(password, context)).flatten();
        Self { errors, estimate }
    }

    /// Each reason: its code, and how to mend it.
    pub fn reasons(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.errors.iter().map(|error| {
            let estimate = self.estimate.as_ref().filter(|_| error.is_about_guessing());
            let detail = estimate.map_or_else(|| error.to_string(), |estimate| format!("{error} {estimate}"));
            (error.code(), detail)
        })
    }
}

/// How long guessing takes at ten thousand tries a second, which is what slow hashes leave a thief, and what helps. Nothing
/// where it is centuries: what is refused then is known, and not guessed.
fn estimate(password: &str, context: &[&str]) -> Option<String> {
    if password.chars().count() > ESTIMATED {
        return None;
    }
    let entropy = zxcvbn(password, context);
    let time = entropy.crack_times().offline_slow_hashing_1e4_per_second().to_string();
    let time = match time.as_str() {
        "centuries" => return None,
        "less than a second" => time,
        _ => format!("about {time}"),
    };
    let suggestions = entropy.feedback().map(Feedback::suggestions);
    let helps = suggestions
        .and_then(<[_]>::first)
        .map(|suggestion| format!(" {suggestion}"));
    Some(format!("It could be guessed in {time}.{}", helps.unwrap_or_default()))
}

/// Whether few guesses find it: what it repeats is estimated once, and a long one piece by piece, until it is enough. What is
/// strong enough is after its first piece, so that no password costs more than two hard ones.
pub(in crate::domain) fn is_guessed_at_once(password: &str, context: &[&str]) -> bool {
    let characters: Zeroizing<Vec<char>> = Zeroizing::new(password.chars().collect());
    let period = period(&characters);
    let unit = &characters[..if 2 * period <= characters.len() {
        period
    } else {
        characters.len()
    }];
    let words = context.iter().flat_map(|entry| {
        let parts = entry.split(|c: char| !c.is_alphanumeric());
        parts.chain([*entry]).filter(|part| !part.is_empty())
    });
    let words: Vec<&str> = words.collect();
    let mut power = f64::from(u32::try_from(characters.len() / unit.len().max(1)).unwrap_or(u32::MAX)).log10();
    for piece in unit.chunks(ESTIMATED) {
        let piece: Zeroizing<String> = Zeroizing::new(piece.iter().collect());
        power += zxcvbn(&piece, &words).guesses_log10();
        if power >= AT_ONCE {
            return false;
        }
    }
    true
}

/// After how many characters it begins again; the last time it may be cut off.
fn period(characters: &[char]) -> usize {
    let mut borders = vec![0; characters.len()];
    for at in 1..characters.len() {
        let mut border = borders[at - 1];
        while border > 0 && characters[at] != characters[border] {
            border = borders[border - 1];
        }
        borders[at] = border + usize::from(characters[at] == characters[border]);
    }
    characters.len() - borders.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::domain::password::Password;

    struct Stolen(&'static str);
    impl BreachedPasswords for Stolen {
        fn has(&self, password: &str) -> bool {
            password == self.0
        }
    }

    fn refused(rules: &PasswordRules, text: &str) -> RefusedPassword {
        Password::parse_new(text.to_owned(), rules, &["Lovelace"]).expect_err(text)
    }

    #[test]
    fn who_is_refused_for_being_guessed_is_told_how_soon_and_what_helps() {
        let rules = PasswordRules::default();
        let reasons: Vec<_> = refused(&rules, "P@ssw0rd2024!").reasons().collect();
        let [(code, detail)] = reasons.as_slice() else {
            panic!("{reasons:?}")
        };
        assert_eq!(*code, "password_common");
        assert!(detail.contains(" It could be guessed in about "), "{detail}");
        assert!(detail.contains("Add another word or two."), "{detail}");
        assert!(!detail.contains("P@ss"), "{detail}");

        let reasons: Vec<_> = refused(&rules, "Lovelace1815!").reasons().collect();
        assert!(reasons[0].1.contains("It could be guessed in"), "{reasons:?}");
        let too_short: Vec<_> = refused(&rules, "Wxgm1!").reasons().collect();
        assert!(!too_short[0].1.contains("guessed"), "{too_short:?}");
    }

    #[test]
    fn a_breached_one_is_refused_whatever_it_is_like() {
        let stolen = "Vq7#mermaid-of-Lucerne";
        let rules = PasswordRules {
            breached: Some(Arc::new(Stolen(stolen))),
            ..PasswordRules::default()
        };
        assert_eq!(refused(&rules, stolen).errors, [PasswordError::Breached]);
        let shouted = stolen.to_uppercase();
        assert_eq!(refused(&rules, &shouted).errors, [PasswordError::NoLowerCase]);
        assert_eq!(
            refused(&rules.for_account(true), stolen).errors,
            [PasswordError::Breached]
        );
        assert!(Password::parse_new(stolen.to_owned(), &PasswordRules::default(), &[]).is_ok());
    }

    /// Long ones of signs that may stand for letters are the worst; the bound is far above what was measured.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "measures how long it takes")]
    fn no_password_keeps_the_estimate_busy() {
        let hostile = "4@8({[<69!|10$5+7%2".repeat(7);
        let rules = PasswordRules::of(PasswordPolicy::Nist { second_factor: true });
        for length in [ESTIMATED, ESTIMATED + 1, 100, 128] {
            let text: String = hostile.chars().take(length).collect();
            let began = Instant::now();
            let refused = RefusedPassword::new(vec![PasswordError::Common], &text, &["4@8({[<69!|10$5+7%2"]);
            assert!(began.elapsed().as_secs() < 2, "{length}: {:?}", began.elapsed());
            let detail = refused.reasons().next().expect("a reason").1;
            assert_eq!(detail.contains("guessed"), length <= ESTIMATED, "{length}: {detail}");
        }
        let began = Instant::now();
        assert!(Password::parse_new(hostile[..128].to_owned(), &rules, &[]).is_ok());
        let weak = "4@8({[<69!|10$5+7%2qwertyuiop4@8({[<69!|10$5+7%2asdfghjkl".repeat(2);
        assert!(Password::parse_new(weak, &rules, &[]).is_ok());
        assert!(began.elapsed().as_secs() < 4, "{:?}", began.elapsed());
    }
}
