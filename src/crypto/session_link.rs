//! What the link carries that ends one session: `es1.` and base64url of `session id (30) | HMAC-SHA-256`.
//!
//! The mail that tells of a sign-in from a new device has one. Nothing of it is stored, and it needs no end: it does one
//! thing, to one session, and twice is as good as once.

use data_encoding::BASE64URL_NOPAD;

use crate::{
    crypto::{
        encoding::{hmac_sha256, hmac_sha256_matches, join},
        keyring::{KeyUse, Keyring, MissingKey},
    },
    domain::{ids::SessionId, private::Private, user_type::UserType},
};

const PREFIX: &str = "es1.";
const ID_LEN: usize = 30;
/// Characters of the whole token.
const TEXT_LEN: usize = PREFIX.len() + 83;

/// The token of a link that ends `session`.
pub fn session_link(user_type: &UserType, session: &SessionId, keyring: &Keyring) -> Result<Private, MissingKey> {
    let key = keyring.active(&KeyUse::Refresh)?;
    let tag = hmac_sha256(&key.material, &tagged(user_type, session));
    let bytes = [session.as_str().as_bytes(), &tag].concat();
    Ok(Private::new(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&bytes))))
}

/// The session that a link ends; `None` for everything that this installation never issued for the user type.
#[must_use]
pub fn linked_session(user_type: &UserType, text: &str, keyring: &Keyring) -> Option<SessionId> {
    if text.len() != TEXT_LEN {
        return None;
    }
    let bytes = BASE64URL_NOPAD.decode(text.strip_prefix(PREFIX)?.as_bytes()).ok()?;
    let (id, tag) = bytes.split_at_checked(ID_LEN)?;
    let session: SessionId = std::str::from_utf8(id).ok()?.parse().ok()?;
    let message = tagged(user_type, &session);
    keyring
        .all_readable(&KeyUse::Refresh)
        .any(|key| hmac_sha256_matches(&key.material, &message, tag))
        .then_some(session)
}

fn tagged(user_type: &UserType, session: &SessionId) -> Vec<u8> {
    join(&[
        b"sealgate/end-session/v1",
        user_type.as_str().as_bytes(),
        session.as_str().as_bytes(),
    ])
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::crypto::{
        frozen::{Frozen, bytes, text},
        keyring::{KeyState, RootKey},
    };

    #[test]
    fn frozen_vector_and_nothing_beside_it() {
        let frozen = Frozen::read();
        let (user_type, vector) = (frozen.user_type(), &frozen.0["session_link"]);
        let mut keyring = Keyring::default();
        let key = RootKey {
            version: 1,
            state: KeyState::Active,
            material: Zeroizing::new(bytes(&vector["key"])),
        };
        keyring.insert(KeyUse::Refresh, key);
        let session: SessionId = text(&vector["session_id"]).parse().expect("an id");
        let link = session_link(&user_type, &session, &keyring).expect("a key");
        assert_eq!(link.expose(), vector["text"]);
        assert_eq!(linked_session(&user_type, link.expose(), &keyring), Some(session));

        let other: UserType = "User2".parse().expect("valid");
        assert_eq!(
            linked_session(&other, link.expose(), &keyring),
            None,
            "another user type's"
        );
        for at in 0..TEXT_LEN {
            let mut altered = link.expose().as_bytes().to_vec();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).expect("ASCII");
            assert_eq!(linked_session(&user_type, &altered, &keyring), None, "altered at {at}");
        }
    }
}
