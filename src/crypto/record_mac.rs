//! The part of an account that decides who may do what, and the MAC that shows nobody changed it behind the
//! service's back.
//!
//! Adapters carry a [`SignedSecurity`] and can neither make nor alter one; use cases read it only through
//! [`RecordMac::verify`]. What it does not stop, and the docs say so: a whole older record put back.

use serde::{Deserialize, Serialize};

use crate::{
    crypto::{
        blind_index::IndexSlots,
        data_key::DataKeys,
        encoding::join,
        field::{RecoverySecret, Totp},
        keyring::{Keyring, MissingKey},
        password_hasher::PasswordHash,
        sealed::{CannotOpen, Sealed},
        versioned_mac,
    },
    domain::{
        account::AccountStatus,
        ids::{AccountId, SessionId},
        octets,
        role::Role,
        token::TokenDigest,
        user_type::UserType,
    },
};

/// What else proves control of the account, beside the password.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factors {
    /// The authenticator app's secret, once confirmed.
    pub totp: Option<Sealed<Totp>>,
    /// Whether codes by text to the verified phone are one.
    #[serde(skip_serializing_if = "is_off", default)]
    pub texts: bool,
    /// Keyed digests of the recovery codes that are left.
    pub recovery: Vec<TokenDigest>,
    /// What those are keyed with; none where that is the app's secret.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recovery_key: Option<Sealed<RecoverySecret>>,
}

impl Factors {
    /// Whether signing in takes one.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.totp.is_some() || self.texts
    }

    /// Seals anew what another key than the sealing one has sealed; whether there was anything.
    pub fn renew(&mut self, keys: &DataKeys) -> Result<bool, CannotOpen> {
        // Taken apart by name, as in the message of the MAC.
        let Self {
            totp,
            texts: _,
            recovery: _,
            recovery_key,
        } = self;
        Ok(keys.renew_any(totp)? | keys.renew_any(recovery_key)?)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_off(flag: &bool) -> bool {
    !flag
}

/// Every field that the MAC covers, beside account id and user type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Security {
    /// Whether the account may be used.
    pub status: AccountStatus,
    /// What it may do.
    pub role: Role,
    /// The address was confirmed.
    pub is_email_verified: bool,
    /// The number was confirmed.
    pub is_phone_verified: bool,
    /// A PHC string; none in a tombstone.
    pub password_hash: Option<PasswordHash>,
    /// Second factor.
    pub factors: Factors,
    /// Sessions of an older epoch are over.
    pub epoch: u64,
    /// The one session that survived the last change of epoch.
    pub kept_session: Option<SessionId>,
    /// By which the account is found.
    #[serde(flatten)]
    pub slots: IndexSlots,
    /// Counts the changes of this part; what a change expects to find.
    pub rev_sec: u64,
}

/// A [`Security`] and its MAC. Made by [`RecordMac::sign`] only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedSecurity {
    #[serde(flatten)]
    security: Security,
    /// `key version u16 BE | HMAC-SHA-256`, 34 bytes.
    #[serde(with = "octets")]
    mac: Vec<u8>,
}

impl SignedSecurity {
    /// What an adapter indexes. Not verified: good for looking up, not for deciding.
    #[must_use]
    pub fn slots(&self) -> &IndexSlots {
        &self.security.slots
    }

    /// What an adapter lists by. Not verified.
    #[must_use]
    pub fn status(&self) -> AccountStatus {
        self.security.status
    }

    /// What it says of itself, verified or not: for an operator's eyes, and for an erasure, which comes whatever it says.
    #[must_use]
    pub(crate) fn claimed(&self) -> &Security {
        &self.security
    }

    /// What a conditional write compares. Not verified.
    #[must_use]
    pub fn rev_sec(&self) -> u64 {
        self.security.rev_sec
    }
}

/// The record was changed behind the service's back, or its MAC key is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account record does not carry a valid MAC")]
pub struct Tampered;

/// Signs and verifies records with the keys of a keyring.
#[derive(Clone, Copy)]
pub struct RecordMac<'a>(&'a Keyring);

impl<'a> RecordMac<'a> {
    /// With these keys.
    #[must_use]
    pub fn new(keyring: &'a Keyring) -> Self {
        Self(keyring)
    }

    /// Signs under the active key.
    pub fn sign(self, user_type: &UserType, id: &AccountId, security: Security) -> Result<SignedSecurity, MissingKey> {
        let mac = versioned_mac::sign(self.0, &covered(user_type, id, &security))?;
        Ok(SignedSecurity { security, mac })
    }

    /// The only way to read what was signed.
    pub fn verify<'r>(
        self,
        user_type: &UserType,
        id: &AccountId,
        signed: &'r SignedSecurity,
    ) -> Result<&'r Security, Tampered> {
        let message = covered(user_type, id, &signed.security);
        let is_genuine = versioned_mac::is_of(self.0, &message, &signed.mac);
        is_genuine.then_some(&signed.security).ok_or(Tampered)
    }
}

fn covered(user_type: &UserType, id: &AccountId, security: &Security) -> Vec<u8> {
    // Taken apart by name: a new field does not compile until someone decides where it stands in the message.
    let Security {
        status,
        role,
        is_email_verified,
        is_phone_verified,
        password_hash,
        factors:
            Factors {
                totp,
                texts,
                recovery,
                recovery_key,
            },
        epoch,
        kept_session,
        slots,
        rev_sec,
    } = security;
    let mut flags = vec![u8::from(*is_email_verified), u8::from(*is_phone_verified)];
    // What is not there takes no place: a record from before there was such a thing keeps its MAC.
    flags.extend(texts.then_some(1));
    let recovery: Vec<u8> = recovery.iter().flat_map(TokenDigest::as_bytes).copied().collect();
    let slots: Vec<&[u8]> = slots.iter().map(super::blind_index::Slot::as_bytes).collect();
    let slots = join(&slots);
    let (epoch, rev_sec) = (epoch.to_be_bytes(), rev_sec.to_be_bytes());
    let mut parts: Vec<&[u8]> = vec![
        b"sealgate/record/v1",
        user_type.as_str().as_bytes(),
        id.as_str().as_bytes(),
        status.as_str().as_bytes(),
        role.as_str().as_bytes(),
        &flags,
        password_hash
            .as_ref()
            .map(PasswordHash::as_str)
            .unwrap_or_default()
            .as_bytes(),
        totp.as_ref().map(Sealed::as_envelope).unwrap_or_default(),
        &recovery,
        &epoch,
        kept_session
            .as_ref()
            .map(SessionId::as_str)
            .unwrap_or_default()
            .as_bytes(),
        &slots,
        &rev_sec,
    ];
    parts.extend(recovery_key.as_ref().map(Sealed::as_envelope));
    join(&parts)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;
    use zeroize::Zeroizing;

    use super::*;
    use crate::crypto::{
        frozen::{Frozen, array, bytes, hex, list, number},
        keyring::{KeyState, KeyUse, RootKey},
    };

    fn keyring() -> Keyring {
        let mut keyring = Keyring::default();
        let material = Zeroizing::new(vec![7; 32]);
        keyring.insert(
            KeyUse::Mac,
            RootKey {
                version: 1,
                state: KeyState::Active,
                material,
            },
        );
        keyring
    }

    fn security(id: &AccountId) -> Security {
        Security {
            status: AccountStatus::Active,
            role: Role::User,
            is_email_verified: true,
            is_phone_verified: false,
            password_hash: Some(PasswordHash::from_stored("$argon2id$x".into())),
            factors: Factors::default(),
            epoch: 3,
            kept_session: None,
            slots: IndexSlots::unused(id),
            rev_sec: 5,
        }
    }

    fn frozen_security(vector: &Value) -> Security {
        let slots = list(&vector["slots"]).iter().map(bytes);
        let slots: BTreeMap<_, _> = IndexSlots::NAMES.into_iter().zip(slots).collect();
        Security {
            status: serde_json::from_value(vector["status"].clone()).expect("a status"),
            role: serde_json::from_value(vector["role"].clone()).expect("a role"),
            is_email_verified: vector["is_email_verified"] == true,
            is_phone_verified: vector["is_phone_verified"] == true,
            password_hash: vector["password_hash"]
                .as_str()
                .map(|phc| PasswordHash::from_stored(phc.to_owned())),
            factors: Factors {
                totp: vector["totp"]
                    .is_string()
                    .then(|| Sealed::from_envelope(bytes(&vector["totp"]))),
                texts: vector["texts"] == true,
                recovery: list(&vector["recovery"])
                    .iter()
                    .map(|digest| TokenDigest::new(array(digest)))
                    .collect(),
                recovery_key: vector["recovery_key"]
                    .is_string()
                    .then(|| Sealed::from_envelope(bytes(&vector["recovery_key"]))),
            },
            epoch: vector["epoch"].as_u64().expect("a number"),
            kept_session: vector["kept_session"].as_str().map(|id| id.parse().expect("an id")),
            slots: serde_json::from_value(serde_json::json!(slots)).expect("slots"),
            rev_sec: vector["rev_sec"].as_u64().expect("a number"),
        }
    }

    #[test]
    fn frozen_vectors() {
        let frozen = Frozen::read();
        let (user_type, id) = (frozen.user_type(), frozen.account_id());
        let vectors = list(&frozen.0["records"]);
        assert_eq!(vectors.len(), 4);
        for vector in vectors {
            let mut keyring = Keyring::default();
            let key = RootKey {
                version: number(&vector["key_version"]),
                state: KeyState::Active,
                material: Zeroizing::new(bytes(&vector["key"])),
            };
            keyring.insert(KeyUse::Mac, key);
            let mac = RecordMac::new(&keyring);
            let security = frozen_security(vector);
            assert_eq!(hex(&covered(&user_type, &id, &security)), vector["message"]);
            let signed = mac.sign(&user_type, &id, security.clone()).expect("key");
            assert_eq!(hex(&signed.mac), vector["mac"]);
            assert_eq!(mac.verify(&user_type, &id, &signed), Ok(&security));
        }
    }

    #[test]
    fn every_covered_field_is_covered() {
        let (user_type, id): (UserType, AccountId) = ("User1".parse().expect("valid"), "usr_a".parse().expect("valid"));
        let keyring = keyring();
        let mac = RecordMac::new(&keyring);
        let signed = mac.sign(&user_type, &id, security(&id)).expect("key");
        assert_eq!(mac.verify(&user_type, &id, &signed), Ok(&security(&id)));

        let forgeries: [fn(&mut Security); 13] = [
            |s| s.status = AccountStatus::Locked,
            |s| s.role = Role::Admin,
            |s| s.is_email_verified = false,
            |s| s.is_phone_verified = true,
            |s| s.password_hash = Some(PasswordHash::from_stored("$argon2id$y".into())),
            |s| s.factors.totp = Some(Sealed::from_envelope(vec![1])),
            |s| s.factors.texts = true,
            |s| s.factors.recovery.push(TokenDigest::new([1; 32])),
            |s| s.factors.recovery_key = Some(Sealed::from_envelope(vec![1])),
            |s| s.epoch = 2,
            |s| s.kept_session = "ses_00000000000000000000000000".parse().ok(),
            |s| s.slots = IndexSlots::unused(&"usr_b".parse().expect("valid")),
            |s| s.rev_sec = 4,
        ];
        for (index, forge) in forgeries.iter().enumerate() {
            let mut forged = signed.clone();
            forge(&mut forged.security);
            assert_eq!(mac.verify(&user_type, &id, &forged), Err(Tampered), "forgery {index}");
        }
        let other: UserType = "User2".parse().expect("valid");
        assert_eq!(mac.verify(&other, &id, &signed), Err(Tampered), "another user type");
        let other: AccountId = "usr_b".parse().expect("valid");
        assert_eq!(
            mac.verify(&user_type, &other, &signed),
            Err(Tampered),
            "another account"
        );
    }
}
