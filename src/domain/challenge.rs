//! A pending proof: one per purpose and account, kept in the account itself, so that consuming it, its effect and
//! the message about it are one write.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{
    clock::Timestamp,
    ids::{ChallengeId, SessionId},
    token::TokenDigest,
};

/// What a challenge, or a link, is good for. One for another purpose is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Confirms the address of a registration.
    ConfirmAddress,
    /// Confirms a changed address of an account.
    ChangeAddress,
    /// Sets a new password.
    ResetPassword,
    /// Confirms a phone number by code.
    VerifyPhone,
    /// Sets the first password of an account that an administrator made.
    AcceptInvitation,
    /// Signs in in place of the password.
    EmailSignIn,
    /// Shows the phone as a second factor by code, or turns it on as one.
    SecondFactor,
}

/// What a code of the second factor was asked for, and all that it is good for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeFor {
    /// The sign-in whose first half is over then.
    SignIn(Timestamp),
    /// Somebody who is signed in, in that session.
    Session(SessionId),
}

impl Purpose {
    /// The stored name, also what the digest binds.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfirmAddress => "confirm_address",
            Self::ChangeAddress => "change_address",
            Self::ResetPassword => "reset_password",
            Self::VerifyPhone => "verify_phone",
            Self::AcceptInvitation => "accept_invitation",
            Self::EmailSignIn => "email_sign_in",
            Self::SecondFactor => "second_factor",
        }
    }

    /// How long a proof for it is good.
    #[must_use]
    pub const fn lifetime(self) -> Duration {
        match self {
            Self::ConfirmAddress | Self::ChangeAddress => Duration::from_hours(24),
            Self::ResetPassword => Duration::from_mins(30),
            Self::VerifyPhone | Self::SecondFactor => Duration::from_mins(5),
            Self::AcceptInvitation => Duration::from_hours(72),
            Self::EmailSignIn => Duration::from_mins(10),
        }
    }
}

/// Tries that one challenge allows.
pub const TRIES: u32 = 5;
/// Tries that all challenges of one purpose allow an account within an hour.
const HOURLY_TRIES: u32 = 10;

/// A pending proof as it is stored. Lies outside the record's MAC: its counters change with every try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// Names it in answers.
    pub id: ChallengeId,
    /// Of the code or token; absent until the message that carries it is being made.
    pub digest: Option<TokenDigest>,
    /// Of the link's token, where code and link lead to the same.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub link: Option<TokenDigest>,
    /// Of a code of the second factor: what alone it is good for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub good_for: Option<CodeFor>,
    /// When it was asked for.
    pub made_at: Timestamp,
    /// Useless from then on.
    pub expires_at: Timestamp,
    /// How often one was sent in a row, which spaces the next one out.
    pub sends: u32,
    /// Tries left for this challenge.
    pub tries: u32,
    /// The hour (Unix time / 3600) that `hour_tries` counts.
    pub hour: i64,
    /// Tries left in that hour, across challenges of this purpose.
    pub hour_tries: u32,
}

impl Challenge {
    /// A new one in place of `previous`, whose code dies with it; the hourly count goes on.
    #[must_use]
    pub fn make(id: ChallengeId, purpose: Purpose, now: Timestamp, previous: Option<&Self>) -> Self {
        let hour = hour_of(now);
        let hour_tries = previous
            .filter(|previous| previous.hour == hour)
            .map_or(HOURLY_TRIES, |one| one.hour_tries);
        let sends = previous
            .filter(|previous| now < previous.quiet_until())
            .map_or(0, |one| one.sends);
        Self {
            id,
            digest: None,
            link: None,
            good_for: None,
            made_at: now,
            expires_at: now.plus(purpose.lifetime()),
            sends: sends.saturating_add(1),
            tries: TRIES,
            hour,
            hour_tries,
        }
    }

    /// Before that, no further message is sent: 60 s after the first, then twice as long each time, an hour at most.
    #[must_use]
    pub fn may_repeat_at(&self) -> Timestamp {
        let doublings = self.sends.saturating_sub(1).min(6);
        self.made_at
            .plus(Duration::from_mins(1 << doublings).min(Duration::from_hours(1)))
    }

    /// Asking again after this long begins a new row.
    fn quiet_until(&self) -> Timestamp {
        self.made_at.plus(Duration::from_hours(2))
    }

    /// Whether `digest` is the one that was sent, and in time. For links: 256 bits need no count of tries.
    #[must_use]
    pub fn is_met_by(&self, digest: &TokenDigest, now: Timestamp) -> bool {
        now < self.expires_at && self.digest.as_ref() == Some(digest)
    }

    /// Makes the code or link worth nothing. What spaces messages out and counts tries stays: neither success nor another
    /// number begins anew.
    pub fn void(&mut self) {
        (self.digest, self.link) = (None, None);
    }

    /// Charges a try, to be stored before the code is compared. Answers the digest to compare with; nothing when there
    /// is no try left, or no time.
    pub fn charge(&mut self, now: Timestamp) -> Option<TokenDigest> {
        let hour = hour_of(now);
        if self.hour != hour {
            (self.hour, self.hour_tries) = (hour, HOURLY_TRIES);
        }
        if now >= self.expires_at || self.tries == 0 || self.hour_tries == 0 {
            return None;
        }
        let digest = self.digest?;
        self.tries -= 1;
        self.hour_tries -= 1;
        Some(digest)
    }

    /// The same for a code of the second factor; nothing, and no try less, where it was asked for something else.
    pub fn charge_for(&mut self, wanted: &CodeFor, now: Timestamp) -> Option<TokenDigest> {
        let is_for_this = self.good_for.as_ref() == Some(wanted);
        is_for_this.then(|| self.charge(now)).flatten()
    }
}

fn hour_of(now: Timestamp) -> i64 {
    now.as_secs().div_euclid(3600)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);

    fn challenge(previous: Option<&Challenge>, now: Timestamp) -> Challenge {
        let id = "chl_00000000000000000000000000".parse().expect("valid");
        let mut challenge = Challenge::make(id, Purpose::VerifyPhone, now, previous);
        challenge.digest = Some(TokenDigest::new([1; 32]));
        challenge
    }

    #[test]
    fn five_tries_a_challenge_and_ten_an_hour() {
        let mut first = challenge(None, NOW);
        assert_eq!((0..9).filter(|_| first.charge(NOW).is_some()).count(), 5);
        let mut second = challenge(Some(&first), NOW);
        assert_eq!((0..9).filter(|_| second.charge(NOW).is_some()).count(), 5);
        let mut third = challenge(Some(&second), NOW);
        assert_eq!(third.charge(NOW), None, "the hour's tries are used up");
        let later = NOW.plus(Duration::from_hours(1));
        let mut fourth = challenge(Some(&third), later);
        assert!(fourth.charge(later).is_some(), "a new hour");
    }

    #[test]
    fn a_code_is_worth_nothing_after_five_minutes_or_before_it_was_sent() {
        let mut challenge = challenge(None, NOW);
        assert_eq!(challenge.charge(NOW.plus(Duration::from_mins(5))), None);
        challenge.digest = None;
        assert_eq!(challenge.charge(NOW), None);
    }

    #[test]
    fn a_voided_code_is_worth_nothing_and_its_counts_go_on() {
        let mut first = challenge(None, NOW);
        assert!(first.charge(NOW).is_some());
        first.void();
        assert_eq!(first.charge(NOW), None);
        let mut second = challenge(Some(&first), NOW);
        assert_eq!((second.sends, second.hour_tries), (2, 9));
        assert!(second.charge(NOW).is_some());
    }

    #[test]
    fn a_code_is_good_for_what_it_was_asked_for_alone() {
        let (this, later) = (
            CodeFor::SignIn(NOW),
            CodeFor::SignIn(NOW.plus(Duration::from_millis(1))),
        );
        let session = |n: u8| CodeFor::Session(format!("ses_{}{n}", "0".repeat(25)).parse().expect("valid"));
        for (asked, others) in [(this.clone(), [later, session(1)]), (session(1), [this, session(2)])] {
            let mut one = challenge(None, NOW);
            one.good_for = Some(asked.clone());
            for other in others {
                assert_eq!(one.charge_for(&other, NOW), None);
            }
            assert_eq!((0..9).filter(|_| one.charge_for(&asked, NOW).is_some()).count(), 5);
        }
        let mut of_a_phone = challenge(None, NOW);
        assert_eq!(of_a_phone.charge_for(&CodeFor::SignIn(NOW), NOW), None);
    }

    #[test]
    fn messages_are_spaced_out_by_doubling() {
        let mut now = NOW;
        let mut last = challenge(None, now);
        let mut waits = Vec::new();
        for _ in 0..8 {
            waits.push(last.may_repeat_at().since(now).as_secs());
            now = last.may_repeat_at();
            last = challenge(Some(&last), now);
        }
        assert_eq!(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
    }
}
