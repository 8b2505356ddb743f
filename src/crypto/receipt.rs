//! Receipts of erasure: what was erased, when, and which keys were destroyed, signed like an access token and under a
//! `typ` of its own, so that no verifier of access tokens takes one.

use std::collections::HashSet;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    crypto::{keyring::MissingKey, public_key::PublicKey, token_signer::TokenSigner},
    domain::{
        clock::Timestamp,
        ids::{AccountId, KekId},
        user_type::UserType,
    },
};

const TYPE: &str = "erasure-receipt+jwt";
const ACCOUNT: &str = "account";
/// Of a receipt that is read: one of an account whose key was replaced very often.
const LONGEST: usize = 64 * 1024;

/// What was erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Of which population.
    pub user_type: UserType,
    /// The account's id, which from now on names nobody.
    pub account_id: AccountId,
    /// When.
    pub erased_at: Timestamp,
    /// Numbers of the data keys that were destroyed.
    pub keys: Vec<String>,
    /// Ids of the keys that wrapped them.
    pub wrapped_by: Vec<KekId>,
}

/// The claims as they stand in the receipt.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: AccountId,
    ut: UserType,
    iat: i64,
    erased: String,
    keys: Vec<String>,
    /// Receipts from before there was this have none.
    #[serde(default)]
    wrapped_by: Vec<KekId>,
}

impl TokenSigner {
    /// Signs a receipt.
    pub fn sign_receipt(&self, receipt: &Receipt) -> Result<String, MissingKey> {
        let body = Claims {
            iss: self.issuer(&receipt.user_type),
            sub: receipt.account_id.clone(),
            ut: receipt.user_type.clone(),
            iat: receipt.erased_at.as_secs(),
            erased: ACCOUNT.to_owned(),
            keys: receipt.keys.clone(),
            wrapped_by: receipt.wrapped_by.clone(),
        };
        self.encode(TYPE, &body)
    }
}

/// Why a text proves no erasure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Something else: an access token, for example.
    #[error("this is no receipt of erasure")]
    NotAReceipt,
    /// Whoever has that key may have signed it.
    #[error("the key `{0}` that it names is none of the trusted ones")]
    UnknownKey(String),
    /// Not what that key signed.
    #[error("it was altered: the signature does not fit")]
    Altered,
}

/// A receipt that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// What it says.
    pub receipt: Receipt,
    /// Which service says so.
    pub issuer: String,
    /// The key that signed it.
    pub kid: String,
}

/// The keys that receipts are verified with. Each is good for one algorithm.
#[derive(Clone, Default)]
pub struct ReceiptKeys(Vec<(String, Algorithm, DecodingKey)>);

impl ReceiptKeys {
    /// These.
    #[must_use]
    pub fn new<'k>(keys: impl IntoIterator<Item = &'k PublicKey>) -> Self {
        let usable = |key: &PublicKey| Some((key.thumbprint(), key.algorithm()?.jose(), key.decoding()?));
        Self(keys.into_iter().filter_map(usable).collect())
    }

    /// Those of a JWK set (RFC 7517), as `sealgate keys public` prints it; `None` where it is none, or has no usable key.
    #[must_use]
    pub fn from_jwk_set(text: &str) -> Option<Self> {
        let set: Value = serde_json::from_str(text).ok()?;
        let key = |jwk: &Value| {
            let mut jwk = jwk.as_object()?.clone();
            for beside in ["kid", "use", "alg"] {
                jwk.remove(beside);
            }
            serde_json::from_value::<PublicKey>(Value::Object(jwk)).ok()
        };
        let keys: Vec<PublicKey> = set.get("keys")?.as_array()?.iter().filter_map(key).collect();
        let keys = Self::new(&keys);
        (!keys.0.is_empty()).then_some(keys)
    }

    /// And those.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// And those that verify what `signer` signs now, its secret among them where one signs.
    #[must_use]
    pub fn and_current(mut self, signer: &TokenSigner) -> Self {
        self.0.extend(signer.verifying());
        self
    }

    /// Whether the text is a receipt that one of these signed.
    pub fn verify(&self, text: &str) -> Result<Proven, ReceiptError> {
        let header = jsonwebtoken::decode_header(text).map_err(|_| ReceiptError::NotAReceipt)?;
        let is_receipt = header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case(TYPE));
        if !is_receipt || header.crit.is_some() || text.len() > LONGEST {
            return Err(ReceiptError::NotAReceipt);
        }
        let kid = header.kid.ok_or(ReceiptError::NotAReceipt)?;
        let unknown = || ReceiptError::UnknownKey(kid.chars().filter(char::is_ascii_graphic).take(64).collect());
        let (_, algorithm, key) = self.0.iter().find(|(name, ..)| *name == kid).ok_or_else(unknown)?;
        let mut rules = Validation::new(*algorithm);
        // It does not expire, and is for whoever reads it.
        (rules.validate_exp, rules.validate_aud) = (false, false);
        rules.required_spec_claims = HashSet::from(["iss", "sub"].map(String::from));
        let claims = jsonwebtoken::decode::<Claims>(text, key, &rules).map_err(|_| ReceiptError::Altered)?;
        let claims = claims.claims;
        if claims.erased != ACCOUNT {
            return Err(ReceiptError::NotAReceipt);
        }
        Ok(Proven {
            receipt: Receipt {
                user_type: claims.ut,
                account_id: claims.sub,
                erased_at: Timestamp::from_millis(claims.iat.saturating_mul(1000)),
                keys: claims.keys,
                wrapped_by: claims.wrapped_by,
            },
            issuer: claims.iss,
            kid,
        })
    }
}

impl std::fmt::Debug for ReceiptKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(kid, ..)| kid)).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crypto::{
        frozen::{Frozen, assert_says, frozen_signers, text},
        token_signer::TokenError,
    };

    fn receipt(frozen: &Frozen) -> Receipt {
        Receipt {
            user_type: frozen.user_type(),
            account_id: frozen.account_id(),
            erased_at: Timestamp::from_millis(1_764_000_000_000),
            keys: vec!["1".into(), "2".into()],
            wrapped_by: vec![text(&frozen.0["wrapped_dek"]["kek_id"]).parse().expect("an id")],
        }
    }

    /// The keys of a signer, by way of the set that it publishes; a secret is in none.
    fn keys_of(name: &str, signer: &TokenSigner) -> ReceiptKeys {
        let set = json!({ "keys": signer.published() }).to_string();
        let keys = ReceiptKeys::from_jwk_set(&set).expect("a set");
        if name == "hs256" {
            keys.and_current(signer)
        } else {
            keys
        }
    }

    #[test]
    fn frozen_vectors() {
        let frozen = Frozen::read();
        let (before, vector) = (&frozen.0["receipt"], &frozen.0["receipt_of_keys"]);
        let expected = receipt(&frozen);
        for (name, signer) in frozen_signers(&frozen.0) {
            let of_pairs = &frozen.0["receipt_pairs"][name];
            let (header, older, newer) = match &before[name]["header"] {
                Value::Null => (&of_pairs["header"], &of_pairs["token"], None),
                header => (header, &before[name]["token"], Some(&vector[name]["token"])),
            };
            let keys = keys_of(name, &signer);
            let fresh = signer.sign_receipt(&expected).expect("key");
            assert_says(&fresh, header, &vector["claims"]);
            // From before receipts named what wrapped the keys.
            let older = text(older);
            let without = Receipt {
                wrapped_by: Vec::new(),
                ..expected.clone()
            };
            assert_eq!(keys.verify(older).map(|proven| proven.receipt), Ok(without), "{name}");
            for receipt in [Some(fresh.as_str()), newer.map(text)].into_iter().flatten() {
                let proven = keys.verify(receipt).expect(name);
                assert_eq!(proven.receipt, expected, "{name}");
                assert_eq!(proven.issuer, "https://id.example.com/User1");
                let verdict = signer.verify(&frozen.user_type(), receipt, expected.erased_at);
                assert_eq!(verdict, Err(TokenError::Invalid), "a receipt lets nobody in");
            }
        }
    }

    #[test]
    fn what_is_no_receipt_of_a_trusted_key_proves_nothing() {
        let frozen = Frozen::read();
        let signers = frozen_signers(&frozen.0);
        let (name, signer) = &signers[0];
        let (keys, good) = (
            keys_of(name, signer),
            signer.sign_receipt(&receipt(&frozen)).expect("key"),
        );
        assert!(keys.verify(&good).is_ok());

        let access = text(&frozen.0["access_token"]["eddsa"]["token"]);
        for other in ["", "a.b.c", access] {
            assert_eq!(keys.verify(other), Err(ReceiptError::NotAReceipt), "{other}");
        }
        for place in good.match_indices('.').map(|(place, _)| place + 3) {
            let mut altered = good.clone().into_bytes();
            altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).expect("ASCII");
            assert_eq!(keys.verify(&altered), Err(ReceiptError::Altered));
        }
        let (_, another) = &signers[2];
        let foreign = another.sign_receipt(&receipt(&frozen)).expect("key");
        assert!(matches!(keys.verify(&foreign), Err(ReceiptError::UnknownKey(_))));
        // A secret that signs is no public key: nobody passes a MAC off as a signature.
        let (_, secret) = &signers[1];
        let by_secret = secret.sign_receipt(&receipt(&frozen)).expect("key");
        assert!(matches!(keys.verify(&by_secret), Err(ReceiptError::UnknownKey(_))));
        for set in ["", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AA"}]}"#] {
            assert!(ReceiptKeys::from_jwk_set(set).is_none(), "{set}");
        }
    }
}
