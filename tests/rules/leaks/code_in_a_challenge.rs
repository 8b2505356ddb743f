//! A challenge stores the digest of its code.

use sealgate::domain::{challenge::Challenge, code::OtpCode};

fn leak(challenge: &mut Challenge, code: OtpCode) {
    challenge.digest = Some(code);
}

fn main() {}
