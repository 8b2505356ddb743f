//! Digests of link tokens and codes: what is stored instead of them, bound to what they are good for.

use sha2::{Digest as _, Sha256};

use crate::{
    crypto::{
        encoding::{hmac_sha256, join},
        keyring::{KeyUse, Keyring, MissingKey},
    },
    domain::{
        challenge::Purpose,
        code::OtpCode,
        ids::{AccountId, ChallengeId},
        token::{LinkToken, TokenDigest},
        user_type::UserType,
    },
};

/// SHA-256 over domain, user type, purpose, account id and the token's 32 random bytes. A token has 256 bits of
/// entropy, so that a keyed digest would add nothing; the binding makes one of another user type or purpose useless.
#[must_use]
pub fn link_digest(user_type: &UserType, purpose: Purpose, token: &LinkToken) -> TokenDigest {
    let message = join(&[
        b"sealgate/link/v1",
        user_type.as_str().as_bytes(),
        purpose.as_str().as_bytes(),
        token.account_id().as_str().as_bytes(),
        token.expose_random(),
    ]);
    TokenDigest::new(Sha256::digest(&message).into())
}

/// HMAC-SHA-256 under the active `otp` key over domain, user type, account, challenge and code. A code has 20 bits of
/// entropy: without the key, whoever has the digest would try them all.
pub fn code_digest(
    keyring: &Keyring,
    user_type: &UserType,
    account_id: &AccountId,
    challenge: &ChallengeId,
    code: &OtpCode,
) -> Result<TokenDigest, MissingKey> {
    let key = keyring.active(&KeyUse::Otp)?;
    Ok(TokenDigest::new(hmac_sha256(
        &key.material,
        &code_message(user_type, account_id, challenge, code),
    )))
}

/// Whether `digest` is of this code, under any key that may still be read with; in constant time.
#[must_use]
pub fn code_matches(
    keyring: &Keyring,
    user_type: &UserType,
    account_id: &AccountId,
    challenge: &ChallengeId,
    code: &OtpCode,
    digest: &TokenDigest,
) -> bool {
    let message = code_message(user_type, account_id, challenge, code);
    keyring
        .all_readable(&KeyUse::Otp)
        .any(|key| TokenDigest::new(hmac_sha256(&key.material, &message)) == *digest)
}

fn code_message(
    user_type: &UserType,
    account_id: &AccountId,
    challenge: &ChallengeId,
    code: &OtpCode,
) -> zeroize::Zeroizing<Vec<u8>> {
    zeroize::Zeroizing::new(join(&[
        b"sealgate/code/v1",
        user_type.as_str().as_bytes(),
        account_id.as_str().as_bytes(),
        challenge.as_str().as_bytes(),
        code.expose().as_bytes(),
    ]))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::crypto::{
        frozen::{Frozen, array, bytes, hex, text},
        keyring::{KeyState, RootKey},
    };

    fn keyring(version: u16, state: KeyState, material: Vec<u8>) -> Keyring {
        let mut keyring = Keyring::default();
        let material = Zeroizing::new(material);
        keyring.insert(
            KeyUse::Otp,
            RootKey {
                version,
                state,
                material,
            },
        );
        keyring
    }

    #[test]
    fn frozen_vector_of_a_code() {
        let frozen = Frozen::read();
        let (user_type, id, vector) = (frozen.user_type(), frozen.account_id(), &frozen.0["code"]);
        let challenge: ChallengeId = text(&vector["challenge_id"]).parse().expect("an id");
        let code = OtpCode::parse(text(&vector["code"])).expect("a code");
        let ring = keyring(1, KeyState::Active, bytes(&vector["key"]));
        let digest = code_digest(&ring, &user_type, &id, &challenge, &code).expect("a key");
        assert_eq!(hex(digest.as_bytes()), vector["digest"]);

        let matches = |ring: &Keyring, user_type: &UserType, id: &AccountId, code: &OtpCode| {
            code_matches(ring, user_type, id, &challenge, code, &digest)
        };
        let retired = keyring(1, KeyState::Retired, bytes(&vector["key"]));
        let (other_type, other_id) = ("User2".parse().expect("valid"), "usr_b".parse().expect("valid"));
        let other_code = OtpCode::parse("042138").expect("a code");
        assert!(matches(&ring, &user_type, &id, &code));
        assert!(!matches(&retired, &user_type, &id, &code));
        assert!(!matches(&ring, &other_type, &id, &code));
        assert!(!matches(&ring, &user_type, &other_id, &code));
        assert!(!matches(&ring, &user_type, &id, &other_code));
    }

    #[test]
    fn frozen_vectors_of_a_link() {
        let frozen = Frozen::read();
        let vector = &frozen.0["link"];
        let token = LinkToken::parse(text(&vector["text"])).expect("a link token");
        assert_eq!(*token.account_id(), frozen.account_id());
        assert_eq!(*token.expose_random(), array(&vector["random"]));
        assert_eq!(token.expose().expose(), vector["text"]);
        let purposes = [
            Purpose::AcceptInvitation,
            Purpose::ConfirmAddress,
            Purpose::ChangeAddress,
            Purpose::ResetPassword,
            Purpose::VerifyPhone,
        ];
        for purpose in purposes {
            let digest = link_digest(&frozen.user_type(), purpose, &token);
            let expected = &vector["digests"][purpose.as_str()];
            assert_eq!(hex(digest.as_bytes()), *expected, "{purpose:?}");
        }
    }

    #[test]
    fn a_digest_is_of_one_user_type_and_account_only() {
        let frozen = Frozen::read();
        let token = LinkToken::parse(text(&frozen.0["link"]["text"])).expect("a link token");
        let digest = |user_type: &UserType, token: &LinkToken| link_digest(user_type, Purpose::ResetPassword, token);
        let own = digest(&frozen.user_type(), &token);
        assert_ne!(own, digest(&"User2".parse().expect("valid"), &token));
        let mut bytes = data_encoding::BASE64URL_NOPAD
            .decode(token.expose().expose().as_bytes())
            .expect("own text");
        bytes[4] = b'x';
        let moved = LinkToken::parse(&data_encoding::BASE64URL_NOPAD.encode(&bytes)).expect("still a token");
        assert_ne!(own, digest(&frozen.user_type(), &moved));
    }
}
