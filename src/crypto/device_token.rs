//! Tokens by which a device shows that somebody signed in from it before: `dv1.` and base64url of `random 16 | tag 16`.
//!
//! A token proves nothing of who holds it and opens nothing. What it does: an account keeps the digests of the devices it
//! was signed in from, and who presents one of these is neither held up by strangers' guesses nor announced to the owner as
//! new. The tag, half of an HMAC under the refresh key, turns made-up ones away before any account is looked at.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    crypto::{
        encoding::{hmac_sha256, hmac_sha256_matches, join},
        keyring::{KeyUse, Keyring, MissingKey, RootKey},
    },
    domain::{
        device::{Device, UserAgent},
        entropy::{Entropy, make_bytes},
        ids::AccountId,
        private::Private,
        token::TokenDigest,
        user_type::UserType,
    },
};

const PREFIX: &str = "dv1.";
const HALF: usize = 16;
/// Characters of the whole token.
const TEXT_LEN: usize = PREFIX.len() + 43;

/// A device's token whose tag was made, or verified, here.
pub struct DeviceToken {
    random: Zeroizing<[u8; HALF]>,
    tag: [u8; HALF],
}

impl DeviceToken {
    /// A new one.
    pub fn make(user_type: &UserType, keyring: &Keyring, entropy: &dyn Entropy) -> Result<Self, MissingKey> {
        let key = keyring.active(&KeyUse::Refresh)?;
        let random = Zeroizing::new(make_bytes(entropy));
        let whole = hmac_sha256(&key.material, &tagged(user_type, &random));
        let tag = std::array::from_fn(|index| whole[index]);
        Ok(Self { random, tag })
    }

    /// Reads a token and verifies its tag. `None` for everything that this installation never issued for the user type.
    #[must_use]
    pub fn parse(text: &str, user_type: &UserType, keyring: &Keyring) -> Option<Self> {
        if text.len() != TEXT_LEN {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(text.strip_prefix(PREFIX)?.as_bytes()).ok()?;
        let bytes = Zeroizing::new(bytes);
        let (random, tag) = bytes.split_first_chunk::<HALF>()?;
        let is_genuine = |key: &RootKey| hmac_sha256_matches(&key.material, &tagged(user_type, random), tag);
        keyring.all_readable(&KeyUse::Refresh).any(is_genuine).then_some(())?;
        Some(Self {
            random: Zeroizing::new(*random),
            tag: tag.try_into().ok()?,
        })
    }

    /// The text that the client gets.
    #[must_use]
    pub fn expose(&self) -> Private {
        let bytes = Zeroizing::new([self.random.as_slice(), &self.tag].concat());
        Private::new(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&bytes)))
    }

    /// What the account keeps of it. Another account's digest of the same device is another.
    #[must_use]
    pub fn digest(&self, user_type: &UserType, account: &AccountId) -> TokenDigest {
        let message = join(&[
            b"sealgate/device/v1 digest",
            user_type.as_str().as_bytes(),
            account.as_str().as_bytes(),
            self.random.as_slice(),
        ]);
        TokenDigest::new(Sha256::digest(message).into())
    }
}

impl fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceToken")
    }
}

/// What the account keeps of a client that carries no token: the same program from the same network. Keyed, for both can be
/// guessed. The first is of the active key; `None` where nobody knows the network.
pub fn place_digests(
    keyring: &Keyring,
    user_type: &UserType,
    account: &AccountId,
    device: &Device,
) -> Result<Option<Places>, MissingKey> {
    let Some(network) = &device.network else {
        return Ok(None);
    };
    let agent = device.agent.as_ref().map_or("", UserAgent::expose);
    let message = Zeroizing::new(join(&[
        b"sealgate/device/v1 place",
        user_type.as_str().as_bytes(),
        account.as_str().as_bytes(),
        agent.as_bytes(),
        network.as_str().as_bytes(),
    ]));
    let digest = |key: &RootKey| TokenDigest::new(hmac_sha256(&key.material, &message));
    Ok(Some(Places {
        active: digest(keyring.active(&KeyUse::Refresh)?),
        readable: keyring.all_readable(&KeyUse::Refresh).map(digest).collect(),
    }))
}

/// One place under every key.
#[derive(Debug)]
pub struct Places {
    /// To keep.
    pub active: TokenDigest,
    /// To look for.
    pub readable: Vec<TokenDigest>,
}

fn tagged(user_type: &UserType, random: &[u8; HALF]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(join(&[
        b"sealgate/device/v1 tag",
        user_type.as_str().as_bytes(),
        random,
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crypto::{
            frozen::{Frozen, array, bytes, hex, text},
            keyring::KeyState,
        },
        domain::network::Network,
    };

    fn ring(material: Vec<u8>, state: KeyState) -> Keyring {
        let mut keyring = Keyring::default();
        let material = Zeroizing::new(material);
        keyring.insert(
            KeyUse::Refresh,
            RootKey {
                version: 1,
                state,
                material,
            },
        );
        keyring
    }

    #[test]
    fn frozen_vectors() {
        let frozen = Frozen::read();
        let (user_type, account, vector) = (frozen.user_type(), frozen.account_id(), &frozen.0["device"]);
        let keyring = ring(bytes(&vector["key"]), KeyState::Active);
        let token = DeviceToken::parse(text(&vector["text"]), &user_type, &keyring).expect("genuine");
        assert_eq!(*token.random, array(&vector["random"]));
        assert_eq!(token.expose().expose(), vector["text"]);
        assert_eq!(hex(token.digest(&user_type, &account).as_bytes()), vector["digest"]);
        let device = Device {
            agent: UserAgent::parse(text(&vector["agent"])),
            network: Some(Network::from_sealed(text(&vector["network"]))),
            token: None,
        };
        let places = place_digests(&keyring, &user_type, &account, &device)
            .expect("a key")
            .expect("a place");
        assert_eq!(hex(places.active.as_bytes()), vector["place"]);
        assert_eq!(places.readable, [places.active]);
    }

    #[test]
    fn nothing_but_an_own_token_is_one() {
        struct Fixed;
        impl Entropy for Fixed {
            fn fill(&self, out: &mut [u8]) {
                out.fill(7);
            }
        }
        let [user_type, other]: [UserType; 2] = ["User1", "User2"].map(|name| name.parse().expect("valid"));
        let keyring = ring(vec![9; 32], KeyState::Active);
        let token = DeviceToken::make(&user_type, &keyring, &Fixed).expect("a key").expose();
        let is_one = |text: &str, user_type: &UserType, keyring: &Keyring| {
            DeviceToken::parse(text, user_type, keyring).is_some()
        };
        assert!(is_one(token.expose(), &user_type, &keyring));
        assert!(!is_one(token.expose(), &other, &keyring), "another user type's");
        assert!(!is_one(
            token.expose(),
            &user_type,
            &ring(vec![8; 32], KeyState::Active)
        ));
        assert!(!is_one(
            token.expose(),
            &user_type,
            &ring(vec![9; 32], KeyState::Retired)
        ));
        for at in 0..TEXT_LEN {
            let mut altered = token.expose().as_bytes().to_vec();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).expect("ASCII");
            assert!(!is_one(&altered, &user_type, &keyring), "altered at {at}");
        }
        for text in ["", "dv1.", &token.expose()[4..], &format!("{}A", token.expose())] {
            assert!(!is_one(text, &user_type, &keyring), "{text}");
        }
    }
}
