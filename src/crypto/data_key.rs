//! Data-encryption keys: one random key (more, while one is being replaced) per account, which derives a key of its
//! own for every field: HKDF-SHA-256 (RFC 5869), no salt, info = domain, user type, field.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    crypto::{
        encoding::join,
        field::Field,
        sealed::{CannotOpen, DOMAIN, Place, Sealed},
        system_entropy,
    },
    domain::user_type::UserType,
};

/// A 256-bit data-encryption key in the clear. Leaves the process wrapped only.
pub struct Dek(Zeroizing<[u8; 32]>);

impl Dek {
    /// A fresh one, from the operating system.
    #[must_use]
    pub fn make() -> Self {
        Self(system_entropy::make_key())
    }

    /// A copy of one.
    pub(in crate::crypto) fn copied(bytes: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// From unwrapped bytes; `None` unless there are 32.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// The bytes, to be wrapped.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Dek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dek")
    }
}

struct Numbered {
    number: u16,
    /// HKDF after extraction, which does not depend on the field, and with the MAC's key taken in: both are done once.
    /// Wiped on drop.
    extracted: Hkdf<Sha256>,
}

/// The keys of one owner (account, registration, or a request's shared key), ready to seal and open its fields.
pub struct DataKeys {
    user_type: UserType,
    owner: String,
    /// Ascending by number.
    keys: Vec<Numbered>,
    /// Where in `keys` the one stands that seals.
    sealing: usize,
}

/// An owner without any key can neither seal nor open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no data key")]
pub struct NoDataKey;

impl DataKeys {
    /// Takes the numbered keys of `owner`.
    pub fn new(
        user_type: &UserType,
        owner: &str,
        keys: impl IntoIterator<Item = (u16, Dek)>,
    ) -> Result<Self, NoDataKey> {
        let mut keys: Vec<Numbered> = keys
            .into_iter()
            .map(|(number, dek)| {
                let extracted = Hkdf::new(None, dek.expose());
                Numbered { number, extracted }
            })
            .collect();
        if keys.is_empty() {
            return Err(NoDataKey);
        }
        keys.sort_by_key(|key| key.number);
        let sealing = keys.len() - 1;
        Ok(Self {
            user_type: user_type.clone(),
            owner: owner.to_owned(),
            keys,
            sealing,
        })
    }

    /// Seals under that key from now on instead of the newest: another process may not have the newest yet.
    pub fn sealing_under(mut self, number: u16) -> Result<Self, NoDataKey> {
        let place = self.keys.iter().position(|key| key.number == number);
        self.sealing = place.ok_or(NoDataKey)?;
        Ok(self)
    }

    /// Seals `plain` under the newest key, or the one that was chosen.
    pub fn seal<F: Field>(&self, plain: &F::Plain) -> Sealed<F> {
        let key = &self.keys[self.sealing];
        Sealed::seal(plain, &self.field_key::<F>(key), key.number, self.place())
    }

    /// Opens a field under the key that its header names; no other is tried.
    pub fn open<F: Field>(&self, sealed: &Sealed<F>) -> Result<F::Plain, CannotOpen> {
        let number = sealed.key_number().ok_or(CannotOpen)?;
        let key = self.keys.iter().find(|key| key.number == number).ok_or(CannotOpen)?;
        sealed.open(&self.field_key::<F>(key), self.place())
    }

    /// Seals a field anew where another key than the one that seals has sealed it; whether that was so.
    pub fn renew<F: Field>(&self, sealed: &mut Sealed<F>) -> Result<bool, CannotOpen> {
        if sealed.key_number() == Some(self.keys[self.sealing].number) {
            return Ok(false);
        }
        *sealed = self.seal(&self.open(sealed)?);
        Ok(true)
    }

    /// The same of a field that may be absent.
    pub fn renew_any<F: Field>(&self, sealed: &mut Option<Sealed<F>>) -> Result<bool, CannotOpen> {
        sealed.as_mut().map_or(Ok(false), |sealed| self.renew(sealed))
    }

    /// Whose they are.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    fn field_key<F: Field>(&self, key: &Numbered) -> Zeroizing<[u8; 32]> {
        let info = join(&[DOMAIN, self.user_type.as_str().as_bytes(), F::NAME.as_bytes()]);
        let mut out = Zeroizing::new([0; 32]);
        #[expect(
            clippy::expect_used,
            reason = "32 bytes are within HKDF's bounds (RFC 5869 section 2.3)"
        )]
        key.extracted.expand(&info, out.as_mut_slice()).expect("one block");
        out
    }

    fn place(&self) -> Place<'_> {
        Place {
            user_type: self.user_type.as_str(),
            owner: &self.owner,
        }
    }
}

impl fmt::Debug for DataKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKeys({} of {})", self.keys.len(), self.user_type)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::crypto::{
        field::{EmailAddress, FirstName, LastName, RecoverySecret, Totp},
        frozen::{Frozen, array, bytes, hex, list, number, text},
    };

    #[test]
    fn frozen_vectors() {
        fn check<F: Field>(vector: &Value, keys: &DataKeys) {
            let number = number(&vector["key_number"]);
            let key = keys.keys.iter().find(|key| key.number == number).expect("that key");
            assert_eq!(
                hex(keys.field_key::<F>(key).as_slice()),
                vector["field_key"],
                "{}",
                F::NAME
            );
            let sealed = Sealed::<F>::from_envelope(bytes(&vector["envelope"]));
            let opened = keys.open(&sealed).expect("opens");
            assert_eq!(hex(&F::encode(&opened)), vector["plain"], "{}", F::NAME);
        }
        let frozen = Frozen::read();
        let deks = [1, 0x0102].map(|number| (number, Dek::from_bytes(&array::<32>(&frozen.0["dek"])).expect("32")));
        let keys = DataKeys::new(&frozen.user_type(), frozen.account_id().as_str(), deks).expect("keys");
        let vectors = list(&frozen.0["sealed"]);
        assert_eq!(vectors.len(), 5);
        for vector in vectors {
            match text(&vector["field"]) {
                FirstName::NAME => check::<FirstName>(vector, &keys),
                LastName::NAME => check::<LastName>(vector, &keys),
                EmailAddress::NAME => check::<EmailAddress>(vector, &keys),
                Totp::NAME => check::<Totp>(vector, &keys),
                RecoverySecret::NAME => check::<RecoverySecret>(vector, &keys),
                other => panic!("no check for {other}"),
            }
        }
    }
}
