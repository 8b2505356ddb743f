//! What proves control of an account beside its password: codes of an authenticator app (RFC 6238), recovery codes, and,
//! where a user type allows it, codes to a phone.

use std::{fmt, time::Duration};

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::domain::{
    clock::Timestamp,
    code::{OtpCode, TotpSecret},
    entropy::{Entropy, make_bytes},
    private::{Private, Refusal},
    session::AuthenticationMethod,
};

/// How long a code of an authenticator app stands (RFC 6238 section 5.2), in seconds.
pub const STEP_SECONDS: i64 = 30;
/// How long a secret that was shown waits for its first code.
pub const ENROLMENT: Duration = Duration::from_mins(15);
/// How long the second half of a sign-in may take.
pub const SIGN_IN: Duration = Duration::from_mins(10);
/// How many recovery codes are made at a time.
pub const RECOVERY_CODES: usize = 10;

/// Whether accounts of a user type need a second factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecondFactorPolicy {
    /// Who wants one enrols.
    #[default]
    Optional,
    /// Who has none enrols at the next sign-in, and nobody goes without.
    Required,
}

/// What the first half of a sign-in was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstFactor {
    /// The password.
    Password,
    /// A code or a link by mail.
    Mail,
}

impl FirstFactor {
    /// As tokens say it. RFC 8176 registers nothing for mail: what is mailed is a password for one time (`otp`), and one factor.
    #[must_use]
    pub const fn method(self) -> AuthenticationMethod {
        match self {
            Self::Password => AuthenticationMethod::Password,
            Self::Mail => AuthenticationMethod::Otp,
        }
    }

    /// With what was shown of the second factor after it.
    #[must_use]
    pub fn with_second(self, factor: SecondFactor) -> Vec<AuthenticationMethod> {
        let (first, second) = (self.method(), factor.method());
        let other = (first != second).then_some(first);
        other.into_iter().chain([second, AuthenticationMethod::Mfa]).collect()
    }
}

impl SecondFactorPolicy {
    /// As it is configured; `None` for another word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "optional" => Some(Self::Optional),
            "required" => Some(Self::Required),
            _ => None,
        }
    }
}

/// What may be shown as a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondFactor {
    /// A code of the authenticator app.
    Totp,
    /// One of the codes that were shown at its enrolment.
    RecoveryCode,
    /// A code to the verified phone.
    Text,
}

impl SecondFactor {
    /// Its name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery_code",
            Self::Text => "sms",
        }
    }

    /// As tokens say it.
    #[must_use]
    pub const fn method(self) -> AuthenticationMethod {
        match self {
            Self::Totp | Self::RecoveryCode => AuthenticationMethod::Otp,
            Self::Text => AuthenticationMethod::Text,
        }
    }
}

/// What somebody shows of a second factor.
#[derive(Debug)]
pub enum Proof {
    /// Six digits of the authenticator app.
    Totp(OtpCode),
    /// A recovery code.
    Recovery(RecoveryCode),
    /// Six digits of a text.
    Text(OtpCode),
}

impl Proof {
    /// Of which factor.
    #[must_use]
    pub const fn factor(&self) -> SecondFactor {
        match self {
            Self::Totp(_) => SecondFactor::Totp,
            Self::Recovery(_) => SecondFactor::RecoveryCode,
            Self::Text(_) => SecondFactor::Text,
        }
    }
}

/// Lets its owner in once without the authenticator app: 80 random bits, shown as four groups of four letters and digits.
/// Only its keyed digest is kept.
pub struct RecoveryCode(Zeroizing<[u8; 10]>);

/// Not a recovery code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Send one of the codes as it was shown, with or without its hyphens.")]
pub struct InvalidRecoveryCode;

impl Refusal for InvalidRecoveryCode {
    fn code(&self) -> &'static str {
        "invalid"
    }
}

impl RecoveryCode {
    /// A new one.
    pub fn make(entropy: &dyn Entropy) -> Self {
        Self(Zeroizing::new(make_bytes(entropy)))
    }

    /// What somebody typed in: in any case, with hyphens and spaces anywhere.
    pub fn parse(text: &str) -> Result<Self, InvalidRecoveryCode> {
        const LONGEST: usize = 64;
        if text.len() > LONGEST {
            return Err(InvalidRecoveryCode);
        }
        let kept = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
        let kept = Zeroizing::new(kept.map(|c| c.to_ascii_uppercase()).collect::<String>());
        let bytes = BASE32_NOPAD.decode(kept.as_bytes()).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| InvalidRecoveryCode)?;
        let bytes = bytes.as_slice().try_into().map_err(|_| InvalidRecoveryCode)?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// As it is shown, once.
    #[must_use]
    pub fn expose(&self) -> Private {
        let text = Zeroizing::new(BASE32_NOPAD.encode(&*self.0).to_ascii_lowercase());
        let (groups, _) = text.as_bytes().as_chunks::<4>();
        let groups: Vec<_> = groups.iter().map(|group| String::from_utf8_lossy(group)).collect();
        Private::new(groups.join("-"))
    }

    /// Its random bytes.
    #[must_use]
    pub fn expose_random(&self) -> &[u8; 10] {
        &self.0
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode")
    }
}

/// What digests of recovery codes are keyed with: 160 bits that nobody is shown, or those of the authenticator app.
pub struct RecoveryKey(Zeroizing<[u8; 20]>);

impl RecoveryKey {
    /// A new one.
    pub fn make(entropy: &dyn Entropy) -> Self {
        Self(Zeroizing::new(make_bytes(entropy)))
    }

    /// What was sealed; `None` unless there are 20 bytes.
    #[must_use]
    pub fn from_sealed(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// The bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8; 20] {
        &self.0
    }
}

impl From<&TotpSecret> for RecoveryKey {
    fn from(secret: &TotpSecret) -> Self {
        Self(Zeroizing::new(*secret.expose()))
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey")
    }
}

/// Tries that an account allows within an hour, of whatever its second factor is.
const HOURLY_TRIES: u32 = 10;

/// What changes with every code of an authenticator app. Lies outside of the record's MAC: whoever resets it in the store
/// may try more codes, or one a second time within its minute, and needs the password all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeState {
    /// The step of the last code that was accepted (Unix time / 30): none at or before it is accepted again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_step: Option<u64>,
    /// Until when a secret that was shown waits for its first code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub enrol_until: Option<Timestamp>,
    /// The hour (Unix time / 3600) that `tried` counts.
    pub hour: i64,
    /// Tries in that hour that were wrong, or are being compared.
    pub tried: u32,
}

impl CodeState {
    /// Charges a try, to be stored before anything is compared; `false` where the hour has none left.
    #[must_use]
    pub fn charge(&mut self, now: Timestamp) -> bool {
        let hour = hour_of(now);
        if self.hour != hour {
            (self.hour, self.tried) = (hour, 0);
        }
        let is_left = self.tried < HOURLY_TRIES;
        if is_left {
            self.tried += 1;
        }
        is_left
    }

    /// Gives a try back that was right.
    pub fn give_back(&mut self) {
        self.tried = self.tried.saturating_sub(1);
    }

    /// Takes a code of `step` as used; `false` where one of that step or a later one was used before.
    #[must_use]
    pub fn accept(&mut self, step: u64) -> bool {
        let is_new = self.last_step.is_none_or(|last| step > last);
        if is_new {
            self.last_step = Some(step);
        }
        is_new
    }

    /// When tries come back.
    #[must_use]
    pub fn free_at(&self) -> Timestamp {
        Timestamp::from_millis((self.hour + 1).saturating_mul(3_600_000))
    }
}

fn hour_of(now: Timestamp) -> i64 {
    now.as_secs().div_euclid(3600)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);

    struct Fixed(u8);
    impl Entropy for Fixed {
        fn fill(&self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    #[test]
    fn a_token_names_each_way_once_and_two_factors_where_there_were_two() {
        let named =
            |methods: Vec<AuthenticationMethod>| methods.into_iter().map(AuthenticationMethod::as_str).collect();
        let (password, mail, text): (Vec<_>, Vec<_>, Vec<_>) = (
            named(FirstFactor::Password.with_second(SecondFactor::Totp)),
            named(FirstFactor::Mail.with_second(SecondFactor::Totp)),
            named(FirstFactor::Mail.with_second(SecondFactor::Text)),
        );
        assert_eq!((password, mail), (vec!["pwd", "otp", "mfa"], vec!["otp", "mfa"]));
        assert_eq!(text, ["otp", "sms", "mfa"]);
    }

    #[test]
    fn a_recovery_code_is_read_however_it_is_typed() {
        let code = RecoveryCode::make(&Fixed(0xa7));
        let shown = code.expose();
        assert_eq!(shown.expose(), "u6t2-pj5h-u6t2-pj5h");
        for typed in ["u6t2-pj5h-u6t2-pj5h", "U6T2PJ5HU6T2PJ5H", " u6t2 pj5h u6t2 pj5h "] {
            let read = RecoveryCode::parse(typed).expect("a code");
            assert_eq!(read.expose_random(), code.expose_random(), "{typed}");
        }
        for other in [
            "",
            "042042",
            "u6t2-pj5h-u6t2-pj5",
            "u6t2-pj5h-u6t2-pj5h-aaaa",
            "u6t2-pj1h-u6t2-pj5h",
        ] {
            assert!(RecoveryCode::parse(other).is_err(), "{other}");
        }
    }

    #[test]
    fn ten_wrong_tries_an_hour_and_a_right_one_costs_nothing() {
        let mut state = CodeState::default();
        assert_eq!((0..15).filter(|_| state.charge(NOW)).count(), 10);
        state.give_back();
        assert!(state.charge(NOW) && !state.charge(NOW));
        assert!(NOW < state.free_at() && state.charge(state.free_at()));
    }

    #[test]
    fn a_step_is_accepted_once_and_none_before_it() {
        let mut state = CodeState::default();
        assert!(state.accept(100) && !state.accept(100) && !state.accept(99) && state.accept(101));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(bytes: [u8; 10]) {
            let code = RecoveryCode(Zeroizing::new(bytes));
            let read = RecoveryCode::parse(code.expose().expose()).expect("a code");
            prop_assert_eq!(read.expose_random(), &bytes);
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,80}") {
            let _ = RecoveryCode::parse(&text);
        }
    }
}
