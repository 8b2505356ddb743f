//! `tests/vectors/frozen.json` for this layer's tests: one vector per format, computed by a program that shares no code
//! with this one. A test that fails against it says that stored data, or tokens in people's hands, would be lost.

use data_encoding::HEXLOWER;
use serde_json::Value;

use crate::domain::{ids::AccountId, user_type::UserType};

/// The whole file, and what its vectors have in common.
pub(in crate::crypto) struct Frozen(pub Value);

impl Frozen {
    pub(in crate::crypto) fn read() -> Self {
        let text = include_str!("../../tests/vectors/frozen.json");
        Self(serde_json::from_str(text).expect("JSON"))
    }

    pub(in crate::crypto) fn user_type(&self) -> UserType {
        text(&self.0["user_type"]).parse().expect("a user type")
    }

    pub(in crate::crypto) fn account_id(&self) -> AccountId {
        text(&self.0["account_id"]).parse().expect("an id")
    }
}

pub(in crate::crypto) fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

pub(in crate::crypto) fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

pub(in crate::crypto) fn number(value: &Value) -> u16 {
    value
        .as_u64()
        .and_then(|number| number.try_into().ok())
        .expect("a 16-bit number")
}

pub(in crate::crypto) fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(text(value).as_bytes()).expect("hex")
}

pub(in crate::crypto) fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().expect("that length")
}

pub(in crate::crypto) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}
