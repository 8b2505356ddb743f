//! A data key in the clear has no stored form.

use sealgate::crypto::data_key::Dek;

fn leak(dek: &Dek) -> String {
    serde_json::to_string(dek).unwrap_or_default()
}

fn main() {}
