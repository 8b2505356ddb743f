//! The erasure journal: one line for each account that was erased, outside of both databases and of their back-ups, so that
//! a restore of both brings nobody back. Ids and times only: no personal data.
//!
//! A line is a JSON object ([`ErasureLine`]); what it says counts for as much as its MAC or its receipt does. Lines may
//! come twice.

mod file;

pub use self::file::FileErasures;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{clock::Timestamp, ids::AccountId, user_type::UserType},
    storage::StoreError,
};

const VERSION: u16 = 1;
/// Of a line that is read.
pub const LONGEST_LINE: usize = 128 * 1024;

/// One erasure. Whether it was one, its MAC or its receipt says: nothing of it is verified here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureLine {
    /// The population.
    pub user_type: UserType,
    /// Who was erased.
    pub account_id: AccountId,
    /// When.
    pub erased_at: Timestamp,
    /// As its owner, or the operator, got it.
    pub receipt: String,
    /// Of the three before the receipt.
    pub mac: Vec<u8>,
}

/// As it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    v: u16,
    user_type: UserType,
    account_id: AccountId,
    erased_at: Timestamp,
    receipt: String,
    mac: String,
}

impl ErasureLine {
    /// The line, without its end.
    #[must_use]
    pub fn to_text(&self) -> String {
        let written = Written {
            v: VERSION,
            user_type: self.user_type.clone(),
            account_id: self.account_id.clone(),
            erased_at: self.erased_at,
            receipt: self.receipt.clone(),
            mac: HEXLOWER.encode(&self.mac),
        };
        #[expect(clippy::expect_used, reason = "texts and numbers alone are always JSON")]
        serde_json::to_string(&written).expect("JSON")
    }

    /// What a line says; `None` where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let written: Written = serde_json::from_str(text).ok()?;
        Some(Self {
            user_type: written.user_type,
            account_id: written.account_id,
            erased_at: written.erased_at,
            receipt: written.receipt,
            mac: HEXLOWER.decode(written.mac.as_bytes()).ok()?,
        })
        .filter(|_| written.v == VERSION)
    }
}

/// The port.
#[async_trait]
pub trait Erasures: Send + Sync + 'static {
    /// Appends a line. Answered only once it survives a crash of the machine. What a failed call left is no line, and spoils
    /// none that comes after it.
    async fn append(&self, line: &ErasureLine) -> Result<(), StoreError>;
    /// Whether a line could be appended, as far as that can be told without doing it.
    async fn probe(&self) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_line_is_the_frozen_one() {
        let frozen: Value = serde_json::from_str(include_str!("../../../tests/vectors/frozen.json")).expect("JSON");
        let text = frozen["erasure"]["line"].as_str().expect("text");
        let line = ErasureLine::parse(text).expect("a line");
        assert_eq!(line.to_text(), text);
        assert_eq!(HEXLOWER.encode(&line.mac), frozen["erasure"]["mac"]);
        assert_eq!(line.receipt, frozen["receipt_of_keys"]["eddsa"]["token"]);
        for length in 0..text.len() {
            assert_eq!(ErasureLine::parse(&text[..length]), None, "{length}");
        }
        for (from, to) in [("\"v\":1", "\"v\":2"), ("\"v\":1", "\"v\":1,\"x\":1")] {
            assert_eq!(ErasureLine::parse(&text.replace(from, to)), None, "{to}");
        }
    }
}
