//! A record takes a sealed address only.

use sealgate::{domain::email::Email, storage::profile::SealedProfile};

fn leak(email: Email, profile: SealedProfile) -> SealedProfile {
    SealedProfile { email, ..profile }
}

fn main() {}
