//! What goes through a queue is JSON, and a phone number has none.

use sealgate::domain::phone::Phone;

fn leak(phone: &Phone) -> Vec<u8> {
    serde_json::to_vec(phone).unwrap_or_default()
}

fn main() {}
