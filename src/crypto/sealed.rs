//! The envelope of a sealed field: `A1 | suite u8 | key number u16 BE | nonce 12 | ciphertext | tag 16`.
//!
//! Suite 01 is AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce from the operating system. The key is derived
//! per field, and user type, owner and field are authenticated beside the ciphertext: an envelope moved to another
//! field, account or user type does not open. Whatever is wrong, there is one error, [`CannotOpen`].

use std::{fmt, marker::PhantomData};

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce, Tag,
    aead::{AeadInOut, inout::InOutBuf},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::{
    crypto::{encoding::join, field::Field, system_entropy},
    domain::octets,
};

const MAGIC: u8 = 0xA1;
const SUITE_AES_256_GCM: u8 = 0x01;
const HEADER_LEN: usize = 4;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
/// Domain separation of field keys and associated data.
pub(in crate::crypto) const DOMAIN: &[u8] = b"sealgate/field/v1";
const PADDED_LENGTHS: [usize; 5] = [32, 64, 128, 256, 512];

/// The field can't be opened: unknown suite or key, damaged, or moved from where it was sealed. No more is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed field cannot be opened")]
pub struct CannotOpen;

/// A sealed field `F`. Safe to store, copy and print.
pub struct Sealed<F> {
    envelope: Vec<u8>,
    field: PhantomData<fn() -> F>,
}

/// Where a field belongs; authenticated beside it.
#[derive(Clone, Copy)]
pub(in crate::crypto) struct Place<'a> {
    pub user_type: &'a str,
    pub owner: &'a str,
}

impl<F: Field> Sealed<F> {
    /// Wraps bytes that came from a store. They are judged when they are opened.
    #[must_use]
    pub fn from_envelope(envelope: Vec<u8>) -> Self {
        Self {
            envelope,
            field: PhantomData,
        }
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_envelope(&self) -> &[u8] {
        &self.envelope
    }

    /// The number of the key that sealed it, if the header is sound.
    #[must_use]
    pub fn key_number(&self) -> Option<u16> {
        match self.envelope.get(..HEADER_LEN)? {
            &[MAGIC, SUITE_AES_256_GCM, high, low] => Some(u16::from_be_bytes([high, low])),
            _ => None,
        }
    }

    pub(in crate::crypto) fn seal(plain: &F::Plain, key: &[u8; 32], number: u16, place: Place<'_>) -> Self {
        let mut nonce = [0; NONCE_LEN];
        system_entropy::fill(&mut nonce);
        Self::seal_with_nonce(plain, key, number, place, nonce)
    }

    fn seal_with_nonce(
        plain: &F::Plain,
        key: &[u8; 32],
        number: u16,
        place: Place<'_>,
        nonce: [u8; NONCE_LEN],
    ) -> Self {
        let bytes = F::encode(plain);
        let body_len = if F::IS_PADDED {
            padded_len(bytes.len())
        } else {
            bytes.len()
        };
        let mut envelope = Vec::with_capacity(HEADER_LEN + NONCE_LEN + body_len + TAG_LEN);
        let [high, low] = number.to_be_bytes();
        envelope.extend_from_slice(&[MAGIC, SUITE_AES_256_GCM, high, low]);
        envelope.extend_from_slice(&nonce);
        envelope.extend_from_slice(&bytes);
        if F::IS_PADDED {
            envelope.push(0x80);
            envelope.resize(HEADER_LEN + NONCE_LEN + body_len, 0);
        }
        let body = &mut envelope[HEADER_LEN + NONCE_LEN..];
        #[expect(
            clippy::expect_used,
            reason = "GCM refuses only bodies over 64 GiB (SP 800-38D section 5.2.1.1)"
        )]
        let tag = Aes256Gcm::new(&(*key).into())
            .encrypt_inout_detached(
                &Nonce::from(nonce),
                &associated_data::<F>(number, place),
                InOutBuf::from(body),
            )
            .expect("a bounded field");
        envelope.extend_from_slice(&tag);
        Self::from_envelope(envelope)
    }

    pub(in crate::crypto) fn open(&self, key: &[u8; 32], place: Place<'_>) -> Result<F::Plain, CannotOpen> {
        let number = self.key_number().ok_or(CannotOpen)?;
        let rest = &self.envelope[HEADER_LEN..];
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or(CannotOpen)?;
        let (body, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(CannotOpen)?;
        let mut body = Zeroizing::new(body.to_vec());
        Aes256Gcm::new(&(*key).into())
            .decrypt_inout_detached(
                &Nonce::from(*nonce),
                &associated_data::<F>(number, place),
                InOutBuf::from(body.as_mut_slice()),
                &Tag::from(*tag),
            )
            .map_err(|_| CannotOpen)?;
        let plain = if F::IS_PADDED {
            unpad(&body).ok_or(CannotOpen)?
        } else {
            &body
        };
        F::decode(plain).ok_or(CannotOpen)
    }
}

fn associated_data<F: Field>(number: u16, place: Place<'_>) -> Vec<u8> {
    join(&[
        DOMAIN,
        &[SUITE_AES_256_GCM],
        &number.to_be_bytes(),
        place.user_type.as_bytes(),
        place.owner.as_bytes(),
        F::NAME.as_bytes(),
    ])
}

/// The smallest of the fixed lengths that holds `len` bytes and the marker; past the largest, the next multiple of it.
fn padded_len(len: usize) -> usize {
    const LARGEST: usize = PADDED_LENGTHS[PADDED_LENGTHS.len() - 1];
    PADDED_LENGTHS
        .into_iter()
        .find(|&size| len < size)
        .unwrap_or_else(|| (len + 1).next_multiple_of(LARGEST))
}

/// Takes ISO/IEC 7816-4 padding off: a 0x80 and zeros.
fn unpad(body: &[u8]) -> Option<&[u8]> {
    let marker = body.iter().rposition(|&byte| byte != 0)?;
    (body[marker] == 0x80).then(|| &body[..marker])
}

impl<F> Clone for Sealed<F> {
    fn clone(&self) -> Self {
        Self {
            envelope: self.envelope.clone(),
            field: PhantomData,
        }
    }
}

impl<F> PartialEq for Sealed<F> {
    fn eq(&self, other: &Self) -> bool {
        self.envelope == other.envelope
    }
}
impl<F> Eq for Sealed<F> {}

impl<F: Field> fmt::Debug for Sealed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({}, {} bytes)", F::NAME, self.envelope.len())
    }
}

impl<F> Serialize for Sealed<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        octets::serialize(&self.envelope, serializer)
    }
}

impl<'de, F: Field> Deserialize<'de> for Sealed<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        octets::deserialize(deserializer).map(Self::from_envelope)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::{
        crypto::{
            field::{EmailAddress, FirstName, LastName, RecoverySecret, Totp},
            frozen::{Frozen, array, bytes, hex, list, number, text},
        },
        domain::person_name::PersonName,
    };

    const KEY: [u8; 32] = [7; 32];
    const PLACE: Place<'static> = Place {
        user_type: "User1",
        owner: "usr_a",
    };

    fn name(text: &str) -> PersonName {
        PersonName::parse(text).expect("valid name")
    }

    #[test]
    fn frozen_vectors() {
        fn check<F: Field>(vector: &Value, place: Place<'_>) {
            let number = number(&vector["key_number"]);
            let key = array(&vector["field_key"]);
            let plain = F::decode(&bytes(&vector["plain"])).expect("a value of the field");
            let sealed = Sealed::<F>::seal_with_nonce(&plain, &key, number, place, array(&vector["nonce"]));
            assert_eq!(hex(&associated_data::<F>(number, place)), vector["aad"], "{}", F::NAME);
            assert_eq!(hex(sealed.as_envelope()), vector["envelope"], "{}", F::NAME);
            assert_eq!(sealed.key_number(), Some(number));
            let opened = sealed.open(&key, place).expect("opens");
            assert_eq!(hex(&F::encode(&opened)), vector["plain"], "{}", F::NAME);
        }
        let frozen = Frozen::read();
        let (user_type, owner) = (frozen.user_type(), frozen.account_id());
        let place = Place {
            user_type: user_type.as_str(),
            owner: owner.as_str(),
        };
        let vectors = list(&frozen.0["sealed"]);
        assert_eq!(vectors.len(), 5);
        for vector in vectors {
            match text(&vector["field"]) {
                FirstName::NAME => check::<FirstName>(vector, place),
                LastName::NAME => check::<LastName>(vector, place),
                EmailAddress::NAME => check::<EmailAddress>(vector, place),
                Totp::NAME => check::<Totp>(vector, place),
                RecoverySecret::NAME => check::<RecoverySecret>(vector, place),
                other => panic!("no check for {other}"),
            }
        }
    }

    #[test]
    fn lengths_hide_in_steps() {
        assert_eq!(
            [0, 31, 32, 63, 64, 511, 512].map(padded_len),
            [32, 32, 64, 64, 128, 512, 1024]
        );
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_where_it_was_sealed_only(text in "[\\PC&&[^ ]]{1,60}", number: u16) {
            prop_assume!(PersonName::parse(&text).is_ok());
            let sealed = Sealed::<FirstName>::seal(&name(&text), &KEY, number, PLACE);
            let opened = sealed.open(&KEY, PLACE).expect("own place");
            prop_assert_eq!(opened.expose(), text);
            let moved = [
                sealed.open(&[8; 32], PLACE).is_err(),
                sealed.open(&KEY, Place { owner: "usr_b", ..PLACE }).is_err(),
                sealed.open(&KEY, Place { user_type: "User2", ..PLACE }).is_err(),
                Sealed::<LastName>::from_envelope(sealed.as_envelope().to_vec()).open(&KEY, PLACE).is_err(),
            ];
            prop_assert_eq!(moved, [true; 4]);
        }

        #[test]
        fn no_flipped_bit_and_no_cut_goes_unnoticed(bit in 0usize..(4 + 12 + 32 + 16) * 8, cut in 0usize..64) {
            let sealed = Sealed::<FirstName>::seal(&name("Ada"), &KEY, 1, PLACE);
            let mut flipped = sealed.as_envelope().to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Sealed::<FirstName>::from_envelope(flipped).open(&KEY, PLACE).is_err());
            let short = sealed.as_envelope()[..cut].to_vec();
            prop_assert!(Sealed::<FirstName>::from_envelope(short).open(&KEY, PLACE).is_err());
        }
    }
}
