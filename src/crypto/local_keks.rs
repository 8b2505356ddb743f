//! Key-encryption keys held in this process, and the lines that they stand in: one `kek_… <base64>` each, oldest first; a
//! line that begins with `#` is a comment. They wrap by AES-256-KWP (RFC 5649).
//!
//! As a provider they are a fixed set, which only its operator changes; [`kek_file`](crate::crypto::kek_file) changes.

use std::fmt;

use aes::Aes256;
use aes_kw::{AesKwp, KeyInit};
use async_trait::async_trait;
use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::{
    crypto::{
        kek::{KekError, KekProvider, WrappedKey},
        system_entropy::{self, SystemEntropy},
    },
    domain::{clock::Timestamp, ids::KekId},
};

/// What AES-KWP makes of the shortest key there is. Anything shorter carries no ciphertext: RFC 5649 wraps one octet or
/// more, and its integrity check value alone, which everybody knows, would pass for an empty key under any KEK.
const SHORTEST_WRAPPED: usize = 16;

/// Keys in order of age, at least one, no id twice.
pub struct LocalKeks(Vec<(KekId, Zeroizing<[u8; 32]>)>);

/// Why lines hold no keys. A line is not repeated: it may hold a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KekLinesError {
    /// A line can't be read, or names a key that one above it names.
    #[error("line {0} is not `kek_… <base64 of 32 bytes>` with an id of its own")]
    Line(usize),
    /// There is none.
    #[error("there is no key in it")]
    Empty,
}

impl LocalKeks {
    /// `keys` in order of age; `None` when there is none, or an id stands twice.
    #[must_use]
    pub fn new(keys: Vec<(KekId, Zeroizing<[u8; 32]>)>) -> Option<Self> {
        let is_twice = |place: usize| keys[..place].iter().any(|(id, _)| *id == keys[place].0);
        (!keys.is_empty() && !(0..keys.len()).any(is_twice)).then_some(Self(keys))
    }

    /// Reads lines.
    pub fn parse<'t>(lines: impl Iterator<Item = &'t str>) -> Result<Self, KekLinesError> {
        let mut keys: Vec<(KekId, Zeroizing<[u8; 32]>)> = Vec::new();
        for (index, line) in lines.enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = parse_line(line).filter(|(id, _)| keys.iter().all(|(known, _)| known != id));
            keys.push(key.ok_or(KekLinesError::Line(index + 1))?);
        }
        Self::new(keys).ok_or(KekLinesError::Empty)
    }

    /// Their names, oldest first.
    pub fn ids(&self) -> impl Iterator<Item = &KekId> {
        self.0.iter().map(|(id, _)| id)
    }

    /// Wraps `key` under the key that is named.
    pub fn wrap(&self, under: &KekId, key: &[u8]) -> Result<WrappedKey, KekError> {
        if key.is_empty() {
            return Err(KekError::Damaged);
        }
        let mut wrapped = vec![0; key.len().next_multiple_of(8) + 8];
        self.cipher(under)?
            .wrap_key(key, &mut wrapped)
            .map_err(|_| KekError::Damaged)?;
        Ok(WrappedKey {
            kek_id: under.clone(),
            wrapped,
        })
    }

    /// Unwraps under the key that is named.
    pub fn unwrap(&self, wrapped: &WrappedKey) -> Result<Zeroizing<Vec<u8>>, KekError> {
        let cipher = self.cipher(&wrapped.kek_id)?;
        if wrapped.wrapped.len() < SHORTEST_WRAPPED {
            return Err(KekError::Damaged);
        }
        let mut buffer = Zeroizing::new(vec![0; wrapped.wrapped.len()]);
        let key = cipher
            .unwrap_key(&wrapped.wrapped, &mut buffer)
            .map_err(|_| KekError::Damaged)?;
        Ok(Zeroizing::new(key.to_vec()))
    }

    fn cipher(&self, id: &KekId) -> Result<AesKwp<Aes256>, KekError> {
        let found = self.0.iter().find(|(known, _)| known == id);
        let (_, kek) = found.ok_or_else(|| KekError::Unknown(id.clone()))?;
        Ok(AesKwp::new(&(**kek).into()))
    }
}

impl fmt::Debug for LocalKeks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

#[async_trait]
impl KekProvider for LocalKeks {
    async fn known(&self) -> Result<Vec<KekId>, KekError> {
        Ok(self.ids().cloned().collect())
    }

    async fn make(&self) -> Result<KekId, KekError> {
        Err(KekError::CannotMake(
            "append the line that `sealgate keys new --print` prints to KEK, everywhere, and start the processes anew"
                .to_owned(),
        ))
    }

    async fn destroy(&self, id: &KekId) -> Result<(), KekError> {
        if self.ids().all(|known| known != id) {
            return Ok(());
        }
        Err(KekError::Unusable(format!(
            "take the line of `{id}` out of KEK, everywhere, and start the processes anew"
        )))
    }

    async fn wrap(&self, under: &KekId, key: &[u8]) -> Result<WrappedKey, KekError> {
        self.wrap(under, key)
    }

    async fn unwrap(&self, wrapped: &WrappedKey) -> Result<Zeroizing<Vec<u8>>, KekError> {
        self.unwrap(wrapped)
    }

    fn is_own(&self, id: &KekId) -> Option<bool> {
        Some(self.ids().any(|known| known == id))
    }
}

/// A fresh key and the line that it stands in.
#[must_use]
pub fn make_line(now: Timestamp) -> (KekId, Zeroizing<String>) {
    let id = KekId::make(now, &SystemEntropy);
    let key = system_entropy::make_key();
    let encoded = Zeroizing::new(BASE64.encode(key.as_slice()));
    let line = Zeroizing::new(format!("{id} {}", *encoded));
    (id, line)
}

fn parse_line(line: &str) -> Option<(KekId, Zeroizing<[u8; 32]>)> {
    let (id, key) = line.split_once(' ')?;
    let key = Zeroizing::new(BASE64.decode(key.trim().as_bytes()).ok()?);
    Some((id.parse().ok()?, Zeroizing::new(key.as_slice().try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::frozen::{Frozen, array, bytes, hex, text};

    fn kek(n: u8) -> (KekId, Zeroizing<[u8; 32]>) {
        let id = format!("kek_{}", "0".repeat(25) + &n.to_string())
            .parse()
            .expect("valid id");
        (id, Zeroizing::new([n; 32]))
    }

    #[test]
    fn a_key_unwraps_under_the_kek_that_wrapped_it_and_no_other() {
        let old = LocalKeks::new(vec![kek(1)]).expect("one key");
        let wrapped = old.wrap(&kek(1).0, &[5; 32]).expect("wraps");
        assert_eq!(wrapped.wrapped.len(), 40);
        let both = LocalKeks::new(vec![kek(1), kek(2)]).expect("two keys");
        assert_eq!(both.unwrap(&wrapped).expect("still known").as_slice(), [5; 32]);
        let new = LocalKeks::new(vec![kek(2)]).expect("one key");
        assert_eq!(new.unwrap(&wrapped), Err(KekError::Unknown(kek(1).0)));
        let relabelled = WrappedKey {
            kek_id: kek(2).0,
            ..wrapped
        };
        assert_eq!(new.unwrap(&relabelled), Err(KekError::Damaged));
    }

    #[test]
    fn frozen_vector() {
        let frozen = Frozen::read().0;
        let vector = &frozen["wrapped_dek"];
        let id: KekId = text(&vector["kek_id"]).parse().expect("an id");
        let keks = LocalKeks::new(vec![(id.clone(), Zeroizing::new(array(&vector["kek"])))]).expect("one key");
        let wrapped = keks.wrap(&id, &bytes(&frozen["dek"])).expect("wraps");
        assert_eq!(hex(&wrapped.wrapped), vector["wrapped"]);
        assert_eq!(wrapped.kek_id.as_str(), vector["kek_id"]);
        assert_eq!(hex(&keks.unwrap(&wrapped).expect("unwraps")), frozen["dek"]);
    }

    #[test]
    fn an_empty_key_is_neither_wrapped_nor_unwrapped() {
        let keks = LocalKeks::new(vec![kek(1)]).expect("one key");
        assert_eq!(keks.wrap(&kek(1).0, &[]), Err(KekError::Damaged));
        let forged = WrappedKey {
            kek_id: kek(1).0,
            wrapped: vec![0xA6, 0x59, 0x59, 0xA6, 0, 0, 0, 0],
        };
        assert_eq!(keks.unwrap(&forged), Err(KekError::Damaged));
    }

    #[test]
    fn keys_of_any_length_come_back() {
        let keks = LocalKeks::new(vec![kek(3)]).expect("one key");
        for len in [1, 7, 8, 9, 32, 83] {
            let key = vec![9; len];
            let wrapped = keks.wrap(&kek(3).0, &key).expect("wraps");
            assert_eq!(keks.unwrap(&wrapped).expect("unwraps").as_slice(), key);
        }
    }

    #[test]
    fn a_made_line_is_read_again() {
        let (id, line) = make_line(Timestamp::from_millis(1_764_000_000_000));
        let keks = LocalKeks::parse(line.lines()).expect("a key");
        assert_eq!(keks.ids().collect::<Vec<_>>(), [&id]);
    }

    #[test]
    fn a_damaged_or_doubled_line_is_named_by_number_and_not_repeated() {
        let parse = |text: &str| LocalKeks::parse(text.lines()).err();
        let error = parse("# comment\nkek_x c2VjcmV0\n").expect("refused");
        assert!(error.to_string().contains("line 2") && !error.to_string().contains("c2VjcmV0"));
        assert_eq!(parse("# nothing\n"), Some(KekLinesError::Empty));
        let (_, line) = make_line(Timestamp::from_millis(1_764_000_000_000));
        assert_eq!(parse(&format!("{0}\n\n{0}", *line)), Some(KekLinesError::Line(3)));
        assert!(LocalKeks::new(vec![kek(1), kek(1)]).is_none());
    }

    #[tokio::test]
    async fn a_fixed_set_is_changed_by_its_operator_alone() {
        let keks = LocalKeks::new(vec![kek(1)]).expect("one key");
        assert!(matches!(KekProvider::make(&keks).await, Err(KekError::CannotMake(_))));
        assert!(matches!(keks.destroy(&kek(1).0).await, Err(KekError::Unusable(_))));
        assert_eq!(keks.destroy(&kek(2).0).await, Ok(()));
        assert_eq!(keks.known().await, Ok(vec![kek(1).0]));
    }
}
