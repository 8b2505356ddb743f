//! Receipts of erasure: what was erased, when, and which keys were destroyed, signed like an access token and under a
//! `typ` of its own, so that no verifier of access tokens takes one.

use serde::Serialize;

use crate::{
    crypto::{keyring::MissingKey, token_signer::TokenSigner},
    domain::{clock::Timestamp, ids::AccountId, user_type::UserType},
};

const TYPE: &str = "erasure-receipt+jwt";

/// What was erased.
#[derive(Debug)]
pub struct Receipt {
    /// Of which population.
    pub user_type: UserType,
    /// The account's id, which from now on names nobody.
    pub account_id: AccountId,
    /// When.
    pub erased_at: Timestamp,
    /// Numbers of the data keys that were destroyed.
    pub keys: Vec<String>,
}

/// The claims as they stand in the receipt.
#[derive(Serialize)]
struct Claims<'r> {
    iss: String,
    sub: &'r AccountId,
    ut: &'r UserType,
    iat: i64,
    erased: &'static str,
    keys: &'r [String],
}

impl TokenSigner {
    /// Signs a receipt.
    pub fn sign_receipt(&self, receipt: &Receipt) -> Result<String, MissingKey> {
        let body = Claims {
            iss: self.issuer(&receipt.user_type),
            sub: &receipt.account_id,
            ut: &receipt.user_type,
            iat: receipt.erased_at.as_secs(),
            erased: "account",
            keys: &receipt.keys,
        };
        self.encode(TYPE, &body)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::crypto::{
        frozen::{Frozen, assert_says, frozen_signers, text},
        token_signer::TokenError,
    };

    #[test]
    fn frozen_vectors() {
        let frozen = Frozen::read();
        let vector = &frozen.0["receipt"];
        let now = Timestamp::from_millis(1_764_000_000_000);
        let receipt = Receipt {
            user_type: frozen.user_type(),
            account_id: frozen.account_id(),
            erased_at: now,
            keys: vec!["1".into(), "2".into()],
        };
        for (name, signer) in frozen_signers(&frozen.0) {
            let of_pairs = &frozen.0["receipt_pairs"][name];
            let (header, token) = match &vector[name]["header"] {
                Value::Null => (&of_pairs["header"], &of_pairs["token"]),
                header => (header, &vector[name]["token"]),
            };
            let fresh = signer.sign_receipt(&receipt).expect("key");
            assert_says(&fresh, header, &vector["claims"]);
            for receipt in [fresh.as_str(), text(token)] {
                let verdict = signer.verify(&frozen.user_type(), receipt, now);
                assert_eq!(verdict, Err(TokenError::Invalid), "a receipt lets nobody in");
            }
        }
    }
}
