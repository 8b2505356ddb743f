//! Blind indexes: keyed, deterministic values by which a sealed identifier is found again.
//!
//! Every account has two slots per identifier; key version `v` is written to slot `v mod 2`, and a slot that is not
//! used holds the account's id, so that a plain unique index over each slot is all that uniqueness needs, also while
//! the index key is being replaced.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    crypto::{
        encoding::{hmac_sha256, join},
        keyring::{KeyState, KeyUse, Keyring, MissingKey},
    },
    domain::{email::Email, ids::AccountId, octets, phone::Phone, user_type::UserType, username::Username},
};

/// What an index value was made from; authenticated with it, so that an address and a username never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identifier {
    /// The e-mail address; unique.
    Email,
    /// The username; unique.
    Username,
    /// The phone number; not unique.
    Phone,
}

impl Identifier {
    const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Username => "username",
            Self::Phone => "phone",
        }
    }
}

/// The value of one slot: a 32-byte index value, or an account's id where the slot is not used.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(#[serde(with = "octets")] Vec<u8>);

impl Slot {
    /// The bytes that are stored and indexed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As an adapter stored it.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    fn unused(id: &AccountId) -> Self {
        Self(id.as_str().as_bytes().to_vec())
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

/// Both slots of every identifier of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexSlots {
    /// Unique.
    pub email_ix_0: Slot,
    /// Unique.
    pub email_ix_1: Slot,
    /// Unique.
    pub username_ix_0: Slot,
    /// Unique.
    pub username_ix_1: Slot,
    /// Plainly indexed.
    pub phone_ix_0: Slot,
    /// Plainly indexed.
    pub phone_ix_1: Slot,
}

impl IndexSlots {
    /// Stored names, in the order of [`Self::iter`].
    pub const NAMES: [&'static str; 6] = [
        "email_ix_0",
        "email_ix_1",
        "username_ix_0",
        "username_ix_1",
        "phone_ix_0",
        "phone_ix_1",
    ];

    /// All slots in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Slot> {
        [
            &self.email_ix_0,
            &self.email_ix_1,
            &self.username_ix_0,
            &self.username_ix_1,
            &self.phone_ix_0,
            &self.phone_ix_1,
        ]
        .into_iter()
    }

    /// Where this address would stand, to find out who holds it.
    #[must_use]
    pub fn email_candidates(&self) -> [Candidate; 2] {
        [Candidate::new(0, &self.email_ix_0), Candidate::new(1, &self.email_ix_1)]
    }

    /// The index values of the address: of `id`'s two slots those that are used.
    pub fn email_values(&self, id: &AccountId) -> impl Iterator<Item = &Slot> {
        let unused = Slot::unused(id);
        [&self.email_ix_0, &self.email_ix_1]
            .into_iter()
            .filter(move |slot| **slot != unused)
    }

    /// The same for the username.
    #[must_use]
    pub fn username_candidates(&self) -> [Candidate; 2] {
        [
            Candidate::new(0, &self.username_ix_0),
            Candidate::new(1, &self.username_ix_1),
        ]
    }

    /// The same for the phone.
    #[must_use]
    pub fn phone_candidates(&self) -> [Candidate; 2] {
        [Candidate::new(0, &self.phone_ix_0), Candidate::new(1, &self.phone_ix_1)]
    }

    /// No identifier at all: every slot holds the id.
    #[must_use]
    pub fn unused(id: &AccountId) -> Self {
        let slot = || Slot::unused(id);
        Self {
            email_ix_0: slot(),
            email_ix_1: slot(),
            username_ix_0: slot(),
            username_ix_1: slot(),
            phone_ix_0: slot(),
            phone_ix_1: slot(),
        }
    }

    /// The same with another's address.
    #[must_use]
    pub fn with_email_of(self, other: Self) -> Self {
        Self {
            email_ix_0: other.email_ix_0,
            email_ix_1: other.email_ix_1,
            ..self
        }
    }

    /// The same without the username.
    #[must_use]
    pub fn without_username(self, id: &AccountId) -> Self {
        Self {
            username_ix_0: Slot::unused(id),
            username_ix_1: Slot::unused(id),
            ..self
        }
    }
}

/// A value to look for, and the slot it would stand in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// 0 or 1.
    pub slot: u8,
    /// What stands there.
    pub value: Slot,
}

impl Candidate {
    fn new(slot: u8, value: &Slot) -> Self {
        Self {
            slot,
            value: value.clone(),
        }
    }
}

/// Makes index values of one user type.
#[derive(Clone, Copy)]
pub struct BlindIndexer<'a> {
    keyring: &'a Keyring,
    user_type: &'a UserType,
}

impl<'a> BlindIndexer<'a> {
    /// With the keys of `user_type`.
    #[must_use]
    pub fn new(keyring: &'a Keyring, user_type: &'a UserType) -> Self {
        Self { keyring, user_type }
    }

    /// What to look for to find the account with this address: one candidate per readable key version.
    pub fn find_email(self, email: &Email) -> Result<Vec<Candidate>, MissingKey> {
        self.candidates(Identifier::Email, email.index_form())
    }

    /// The same for a username.
    pub fn find_username(self, username: &Username) -> Result<Vec<Candidate>, MissingKey> {
        self.candidates(Identifier::Username, username.index_form())
    }

    /// The same for a phone.
    pub fn find_phone(self, phone: &Phone) -> Result<Vec<Candidate>, MissingKey> {
        self.candidates(Identifier::Phone, phone.expose())
    }

    /// The slots of account `id` with these identifiers.
    pub fn slots(
        self,
        id: &AccountId,
        email: &Email,
        username: Option<&Username>,
        phone: Option<&Phone>,
    ) -> Result<IndexSlots, MissingKey> {
        let [email_ix_0, email_ix_1] = self.pair(id, Identifier::Email, Some(email.index_form()))?;
        let [username_ix_0, username_ix_1] = self.pair(id, Identifier::Username, username.map(Username::index_form))?;
        let [phone_ix_0, phone_ix_1] = self.pair(id, Identifier::Phone, phone.map(Phone::expose))?;
        Ok(IndexSlots {
            email_ix_0,
            email_ix_1,
            username_ix_0,
            username_ix_1,
            phone_ix_0,
            phone_ix_1,
        })
    }

    fn pair(self, id: &AccountId, kind: Identifier, value: Option<&str>) -> Result<[Slot; 2], MissingKey> {
        let mut pair = [Slot::unused(id), Slot::unused(id)];
        if let Some(value) = value {
            let key_use = KeyUse::Index(self.user_type.clone());
            self.keyring.active(&key_use)?;
            // The replaced version is written too, until it is retired: two accounts must meet in some slot also when
            // one process has learnt of the new version and the other has not, and before old accounts are back-filled.
            let written = self.keyring.all_readable(&key_use);
            for key in written.filter(|key| key.state != KeyState::Pending) {
                let slot = &mut pair[usize::from(key.version % 2)];
                if *slot == Slot::unused(id) {
                    *slot = index_value(&key.material, kind, value);
                }
            }
        }
        Ok(pair)
    }

    fn candidates(self, kind: Identifier, value: &str) -> Result<Vec<Candidate>, MissingKey> {
        let key_use = KeyUse::Index(self.user_type.clone());
        self.keyring.active(&key_use)?;
        Ok(self
            .keyring
            .all_readable(&key_use)
            .map(|key| Candidate {
                slot: u8::from(key.version % 2 == 1),
                value: index_value(&key.material, kind, value),
            })
            .collect())
    }
}

/// HMAC-SHA-256(index key, join(kind, normalised value)).
fn index_value(key: &[u8], kind: Identifier, value: &str) -> Slot {
    Slot(hmac_sha256(key, &join(&[kind.name().as_bytes(), value.as_bytes()])).to_vec())
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::crypto::{
        frozen::{Frozen, bytes, hex, list, text},
        keyring::RootKey,
    };

    fn keyring(versions: &[(u16, KeyState)], user_type: &UserType) -> Keyring {
        let mut keyring = Keyring::default();
        for &(version, state) in versions {
            let material = Zeroizing::new(vec![u8::try_from(version).expect("small"); 32]);
            keyring.insert(
                KeyUse::Index(user_type.clone()),
                RootKey {
                    version,
                    state,
                    material,
                },
            );
        }
        keyring
    }

    #[test]
    fn frozen_vectors() {
        let frozen = Frozen::read();
        let (user_type, id, vector) = (frozen.user_type(), frozen.account_id(), &frozen.0["blind_index"]);
        let mut keyring = Keyring::default();
        let key = RootKey {
            version: 1,
            state: KeyState::Active,
            material: Zeroizing::new(bytes(&vector["key"])),
        };
        keyring.insert(KeyUse::Index(user_type.clone()), key);
        let slots = BlindIndexer::new(&keyring, &user_type)
            .slots(
                &id,
                &Email::parse("Ada@EXAMPLE.com").expect("valid"),
                Some(&Username::parse("Ada.Lovelace").expect("valid")),
                Some(&Phone::parse("+1 415 555 0123", None).expect("valid")),
            )
            .expect("key");
        let slots: Vec<String> = slots.iter().map(|slot| hex(slot.as_bytes())).collect();
        let values = list(&vector["values"]);
        let unused = text(&vector["unused_slot"]);
        let expected: Vec<&str> = values
            .iter()
            .flat_map(|value| [unused, text(&value["index"])])
            .collect();
        assert_eq!(slots, expected);
        let kinds = [Identifier::Email, Identifier::Username, Identifier::Phone].map(Identifier::name);
        assert_eq!(kinds, [0, 1, 2].map(|index| text(&values[index]["kind"])));
    }

    #[test]
    fn an_address_stays_unique_while_its_key_is_replaced() {
        use KeyState::{Active, Pending, Retired, VerifyOnly};
        let user_type: UserType = "User1".parse().expect("valid");
        let email = Email::parse("ada@example.com").expect("valid");
        let slots = |id: &str, view: &[(u16, KeyState)]| {
            let id: AccountId = id.parse().expect("valid");
            BlindIndexer::new(&keyring(view, &user_type), &user_type)
                .slots(&id, &email, None, None)
                .expect("keys")
        };
        let life = [
            &[(1, Active)][..],
            &[(1, Active), (2, Pending)],
            &[(1, VerifyOnly), (2, Active)],
            &[(1, Retired), (2, Active)],
            &[(1, Retired), (2, Active), (3, Pending)],
            &[(1, Retired), (2, VerifyOnly), (3, Active)],
        ];
        for views in life.windows(2) {
            let (one, other) = (slots("usr_a", views[0]), slots("usr_b", views[1]));
            assert!(
                one.email_ix_0 == other.email_ix_0 || one.email_ix_1 == other.email_ix_1,
                "{views:?}"
            );
        }
    }

    #[test]
    fn what_was_written_is_found_before_while_and_after_the_key_is_replaced() {
        use KeyState::{Active, Pending, VerifyOnly};
        let user_type: UserType = "User1".parse().expect("valid");
        let id: AccountId = "usr_a".parse().expect("valid");
        let email = Email::parse("Ada@Example.com").expect("valid");
        let written = BlindIndexer::new(&keyring(&[(1, Active)], &user_type), &user_type)
            .slots(&id, &email, None, None)
            .expect("keys");
        for later in [&[(1, Active), (2, Pending)][..], &[(1, VerifyOnly), (2, Active)]] {
            let keyring = keyring(later, &user_type);
            let candidates = BlindIndexer::new(&keyring, &user_type)
                .find_email(&email)
                .expect("keys");
            assert!(candidates.contains(&Candidate {
                slot: 1,
                value: written.email_ix_1.clone()
            }));
        }
        assert_eq!(written.email_ix_0, Slot::unused(&id));
    }
}
