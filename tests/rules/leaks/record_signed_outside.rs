//! Only the record MAC makes what it has signed.

use sealgate::crypto::record_mac::{Security, SignedSecurity};

fn forge(security: Security) -> SignedSecurity {
    SignedSecurity { security, mac: vec![0; 34] }
}

fn main() {}
