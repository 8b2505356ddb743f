//! Sign-in by mail: the challenge that the asking client alone holds, the code that its link makes, and what the account
//! keeps of both.
//!
//! The challenge is `ec1.` and base64url of `request's UUID (16) | the address, sealed for that request`. It says nothing of
//! whether the address has an account, and nobody can make one: not who asked for the same address elsewhere, and not who
//! reads the store, where the address of a request is sealed as another field. What it holds is not the address's index,
//! which would tell the owner of a stolen store whose each one is.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};

use crate::{
    crypto::{
        data_key::DataKeys,
        encoding::{hmac_sha256, join},
        field::SignInChallenge,
        keyring::{KeyUse, Keyring, MissingKey},
        sealed::Sealed,
    },
    domain::{
        email::Email,
        email_sign_in::SignInCode,
        ids::{AccountId, ChallengeId, MessageId},
        private::Private,
        token::{LinkToken, TokenDigest},
        user_type::UserType,
    },
};

const PREFIX: &str = "ec1.";
/// More than the longest address makes.
const LONGEST: usize = 1024;

/// What a client shows together with the code or the link's token, split into its parts; opened by the keys of `request`.
#[derive(Debug)]
pub struct Challenge {
    /// Which request it was given for.
    pub request: MessageId,
    sealed: Sealed<SignInChallenge>,
}

impl Challenge {
    /// The text for the client that asked about `email` by `request`, whose keys these are.
    #[must_use]
    pub fn make(request: &MessageId, email: &Email, keys: &DataKeys) -> Private {
        let sealed: Sealed<SignInChallenge> = keys.seal(email);
        let bytes = [&request.uuid()[..], sealed.as_envelope()].concat();
        Private::new(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&bytes)))
    }

    /// Splits a text; nothing is known of it before it is opened.
    #[must_use]
    pub fn split(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(text.strip_prefix(PREFIX)?.as_bytes()).ok()?;
        let (uuid, envelope) = bytes.split_first_chunk::<16>()?;
        Some(Self {
            request: MessageId::of_uuid(*uuid),
            sealed: Sealed::from_envelope(envelope.to_vec()),
        })
    }

    /// The address that was asked about; `None` where this installation never gave the text to anybody.
    #[must_use]
    pub fn open(&self, keys: &DataKeys) -> Option<Email> {
        keys.open(&self.sealed).ok()
    }
}

/// The code of a link: SHA-256 over domain, user type, account and the token's 256 random bits. Whoever has the token can make
/// it, so that the mail, sent again, says the same, and the page of the link can show it.
#[must_use]
pub fn code_of(user_type: &UserType, token: &LinkToken) -> SignInCode {
    let message = zeroize::Zeroizing::new(join(&[
        b"sealgate/sign-in-code/v1",
        user_type.as_str().as_bytes(),
        token.account_id().as_str().as_bytes(),
        token.expose_random(),
    ]));
    let digest: [u8; 32] = Sha256::digest(&message).into();
    let bits = digest.first_chunk().copied().unwrap_or_default();
    SignInCode::of(u64::from_be_bytes(bits))
}

/// What somebody shows of a mail.
#[derive(Debug)]
pub enum Shown {
    /// The code.
    Code(SignInCode),
    /// The link's token.
    Link(LinkToken),
}

impl Shown {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Code(code) => code.expose().as_bytes(),
            Self::Link(token) => token.expose_random(),
        }
    }
}

/// What a digest is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'b> {
    /// The population.
    pub user_type: &'b UserType,
    /// Whose mail it was.
    pub account: &'b AccountId,
    /// Of which request.
    pub challenge: &'b ChallengeId,
    /// The account's epoch then: a changed password makes it worthless.
    pub epoch: u64,
}

/// What the account keeps: HMAC-SHA-256 under the active `otp` key.
pub fn digest(keyring: &Keyring, bound: Bound<'_>, shown: &Shown) -> Result<TokenDigest, MissingKey> {
    let key = keyring.active(&KeyUse::Otp)?;
    Ok(TokenDigest::new(hmac_sha256(&key.material, &message(bound, shown))))
}

/// Whether `kept` is of what is shown, under any key that may still be read with; in constant time.
#[must_use]
pub fn matches(keyring: &Keyring, bound: Bound<'_>, shown: &Shown, kept: &TokenDigest) -> bool {
    let message = message(bound, shown);
    keyring
        .all_readable(&KeyUse::Otp)
        .any(|key| TokenDigest::new(hmac_sha256(&key.material, &message)) == *kept)
}

fn message(bound: Bound<'_>, shown: &Shown) -> zeroize::Zeroizing<Vec<u8>> {
    zeroize::Zeroizing::new(join(&[
        b"sealgate/email-sign-in/v1",
        bound.user_type.as_str().as_bytes(),
        bound.account.as_str().as_bytes(),
        bound.challenge.as_str().as_bytes(),
        &bound.epoch.to_be_bytes(),
        shown.bytes(),
    ]))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::crypto::{
        data_key::Dek,
        frozen::{Frozen, bytes, hex, text},
        keyring::{KeyState, RootKey},
    };

    fn keyring(state: KeyState, material: Vec<u8>) -> Keyring {
        let mut keyring = Keyring::default();
        let material = Zeroizing::new(material);
        keyring.insert(
            KeyUse::Otp,
            RootKey {
                version: 1,
                state,
                material,
            },
        );
        keyring
    }

    fn request_keys(user_type: &UserType, request: &MessageId, key: &[u8]) -> DataKeys {
        let dek = Dek::from_bytes(key).expect("32 bytes");
        DataKeys::new(user_type, request.as_str(), [(1, dek)]).expect("a key")
    }

    #[test]
    fn frozen_vector_of_a_challenge_and_nothing_beside_it() {
        let frozen = Frozen::read();
        let (user_type, vector) = (frozen.user_type(), &frozen.0["email_challenge"]);
        let request: MessageId = text(&vector["request"]).parse().expect("an id");
        let keys = request_keys(&user_type, &request, &bytes(&vector["key"]));
        let given = text(&vector["text"]);
        let challenge = Challenge::split(given).expect("a challenge");
        assert_eq!(challenge.request, request);
        let address = challenge.open(&keys).expect("ours");
        assert_eq!(address.expose(), vector["email"]);
        // The nonce is random: the bytes differ, what they say does not.
        let made = Challenge::make(&request, &address, &keys);
        assert_eq!(made.expose().len(), given.len());
        assert_ne!(made.expose(), given);
        let again = Challenge::split(made.expose()).expect("a challenge");
        assert_eq!(again.open(&keys).expect("ours").expose(), address.expose());

        let other_type = request_keys(&"User2".parse().expect("valid"), &request, &bytes(&vector["key"]));
        assert!(challenge.open(&other_type).is_none());
        assert!(challenge.open(&request_keys(&user_type, &request, &[9; 32])).is_none());
        for at in 0..given.len() {
            let mut altered = given.as_bytes().to_vec();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).expect("ASCII");
            let opened = Challenge::split(&altered).and_then(|challenge| {
                let keys = request_keys(&user_type, &challenge.request, &bytes(&vector["key"]));
                challenge.open(&keys)
            });
            assert!(opened.is_none(), "altered at {at}");
        }
        for other in ["", "ec1.", "ec1.AAAA", "mf1.AAAA", &"A".repeat(2000)] {
            assert!(
                Challenge::split(other).and_then(|one| one.open(&keys)).is_none(),
                "{other}"
            );
        }
    }

    #[test]
    fn frozen_vectors_of_code_and_digests() {
        let frozen = Frozen::read();
        let (user_type, account, vector) = (frozen.user_type(), frozen.account_id(), &frozen.0["email_sign_in"]);
        let token = LinkToken::parse(text(&vector["token"])).expect("a token");
        let code = code_of(&user_type, &token);
        assert_eq!(code.expose(), vector["code"]);
        let challenge: ChallengeId = text(&vector["challenge_id"]).parse().expect("an id");
        let bound = Bound {
            user_type: &user_type,
            account: &account,
            challenge: &challenge,
            epoch: vector["epoch"].as_u64().expect("a number"),
        };
        let ring = keyring(KeyState::Active, bytes(&vector["key"]));
        let (code, link) = (Shown::Code(code), Shown::Link(token));
        for (shown, name) in [(&code, "code_digest"), (&link, "link_digest")] {
            let kept = digest(&ring, bound, shown).expect("a key");
            assert_eq!(hex(kept.as_bytes()), vector[name], "{name}");
            let other_type = "User2".parse().expect("valid");
            let other_account = "usr_b".parse().expect("valid");
            let other_challenge = ChallengeId::of_message(&MessageId::of_uuid([3; 16]));
            for elsewhere in [
                Bound {
                    user_type: &other_type,
                    ..bound
                },
                Bound {
                    account: &other_account,
                    ..bound
                },
                Bound {
                    challenge: &other_challenge,
                    ..bound
                },
                Bound {
                    epoch: bound.epoch + 1,
                    ..bound
                },
            ] {
                assert!(!matches(&ring, elsewhere, shown, &kept), "{elsewhere:?}");
            }
            assert!(matches(&ring, bound, shown, &kept));
            assert!(!matches(
                &keyring(KeyState::Retired, bytes(&vector["key"])),
                bound,
                shown,
                &kept
            ));
        }
        let kept = digest(&ring, bound, &link).expect("a key");
        assert!(!matches(&ring, bound, &code, &kept), "a code is no link");
    }
}
