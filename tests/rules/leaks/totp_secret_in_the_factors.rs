//! The secret of an authenticator app is stored sealed.

use sealgate::{crypto::record_mac::Factors, domain::code::TotpSecret};

fn leak(factors: &mut Factors, secret: TotpSecret) {
    factors.totp = Some(secret);
}

fn main() {}
