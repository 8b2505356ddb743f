//! What the first half of a sign-in hands out where a second factor is due: `mf1.` and base64url of
//! `HMAC-SHA-256 (32) | end in ms (8) | epoch (8) | flags (1) | account id`.
//!
//! Nothing of it is stored. It says that somebody knew the password, or had the mail, a moment ago, and is good for the second half alone:
//! a code goes with it that is used up. Another password, or an end of all sessions, makes it worthless by the epoch.

use data_encoding::BASE64URL_NOPAD;

use crate::{
    crypto::{
        encoding::{hmac_sha256, hmac_sha256_matches, join},
        keyring::{KeyUse, Keyring, MissingKey},
    },
    domain::{clock::Timestamp, ids::AccountId, private::Private, second_factor::FirstFactor, user_type::UserType},
};

const PREFIX: &str = "mf1.";
/// More than the longest account id makes.
const LONGEST: usize = 256;
const REMEMBER: u8 = 1;
const ENROLS: u8 = 2;
const MAILED: u8 = 4;

/// What the first half found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstHalf {
    /// Whose it was.
    pub account_id: AccountId,
    /// What it was.
    pub first: FirstFactor,
    /// The account's epoch then.
    pub epoch: u64,
    /// Whether the session is to be a long one.
    pub remember: bool,
    /// Whether the account has no second factor yet and has to enrol.
    pub enrols: bool,
    /// The second half must come before.
    pub expires_at: Timestamp,
}

impl FirstHalf {
    /// The token.
    pub fn sign(&self, user_type: &UserType, keyring: &Keyring) -> Result<Private, MissingKey> {
        let facts = self.facts();
        let key = keyring.active(&KeyUse::Refresh)?;
        let tag = hmac_sha256(&key.material, &tagged(user_type, &facts));
        let text = BASE64URL_NOPAD.encode(&[&tag[..], &facts].concat());
        Ok(Private::new(format!("{PREFIX}{text}")))
    }

    /// What a token says; `None` for one that this installation did not issue for the user type, or that is over `now`.
    #[must_use]
    pub fn read(user_type: &UserType, text: &str, keyring: &Keyring, now: Timestamp) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(text.strip_prefix(PREFIX)?.as_bytes()).ok()?;
        let (tag, facts) = bytes.split_at_checked(32)?;
        let message = tagged(user_type, facts);
        let is_ours = keyring
            .all_readable(&KeyUse::Refresh)
            .any(|key| hmac_sha256_matches(&key.material, &message, tag));
        if !is_ours {
            return None;
        }
        let (end, rest) = facts.split_first_chunk::<8>()?;
        let (epoch, rest) = rest.split_first_chunk::<8>()?;
        let (flags, id) = rest.split_first()?;
        let read = Self {
            account_id: std::str::from_utf8(id).ok()?.parse().ok()?,
            first: if flags & MAILED == 0 {
                FirstFactor::Password
            } else {
                FirstFactor::Mail
            },
            epoch: u64::from_be_bytes(*epoch),
            remember: flags & REMEMBER != 0,
            enrols: flags & ENROLS != 0,
            expires_at: Timestamp::from_millis(i64::from_be_bytes(*end)),
        };
        (now < read.expires_at).then_some(read)
    }

    fn facts(&self) -> Vec<u8> {
        let is_mailed = self.first == FirstFactor::Mail;
        let flags = [(self.remember, REMEMBER), (self.enrols, ENROLS), (is_mailed, MAILED)];
        let flags = flags.into_iter().filter(|(is_so, _)| *is_so);
        let flags = flags.fold(0, |flags, (_, flag)| flags | flag);
        [
            &self.expires_at.as_millis().to_be_bytes()[..],
            &self.epoch.to_be_bytes(),
            &[flags],
            self.account_id.as_str().as_bytes(),
        ]
        .concat()
    }
}

fn tagged(user_type: &UserType, facts: &[u8]) -> Vec<u8> {
    join(&[b"sealgate/second-factor/v1", user_type.as_str().as_bytes(), facts])
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::crypto::{
        frozen::{Frozen, bytes},
        keyring::{KeyState, RootKey},
    };

    #[test]
    fn frozen_vector_and_nothing_beside_it() {
        let frozen = Frozen::read();
        let (user_type, vector) = (frozen.user_type(), &frozen.0["second_factor_token"]);
        let mut keyring = Keyring::default();
        let key = RootKey {
            version: 1,
            state: KeyState::Active,
            material: Zeroizing::new(bytes(&vector["key"])),
        };
        keyring.insert(KeyUse::Refresh, key);
        let end = Timestamp::from_millis(vector["expires_at"].as_i64().expect("a number"));
        let half = FirstHalf {
            account_id: frozen.account_id(),
            first: FirstFactor::Password,
            epoch: vector["epoch"].as_u64().expect("a number"),
            remember: true,
            enrols: false,
            expires_at: end,
        };
        let token = half.sign(&user_type, &keyring).expect("a key");
        assert_eq!(token.expose(), vector["text"]);
        let read = |user_type: &UserType, text: &str, now| FirstHalf::read(user_type, text, &keyring, now);
        let before = Timestamp::from_millis(end.as_millis() - 1);
        assert_eq!(read(&user_type, token.expose(), before), Some(half.clone()));
        let mailed = FirstHalf {
            first: FirstFactor::Mail,
            ..half
        };
        let by_mail = mailed.sign(&user_type, &keyring).expect("a key");
        assert_eq!(by_mail.expose(), vector["mailed_text"]);
        assert_eq!(read(&user_type, by_mail.expose(), before), Some(mailed));
        assert_eq!(read(&user_type, token.expose(), end), None, "over");
        assert_eq!(read(&"User2".parse().expect("valid"), token.expose(), before), None);
        for at in 0..token.expose().len() {
            let mut altered = token.expose().as_bytes().to_vec();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).expect("ASCII");
            assert_eq!(read(&user_type, &altered, before), None, "altered at {at}");
        }
        for other in ["", "mf1.", "mf1.AAAA", "es1.AAAA", &"A".repeat(1000)] {
            assert_eq!(read(&user_type, other, before), None, "{other}");
        }
    }
}
