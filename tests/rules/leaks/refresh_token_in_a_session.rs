//! A session stores the digest of its token.

use sealgate::{crypto::refresh_token::RefreshToken, storage::sessions::SessionRecord};

fn leak(session: &mut SessionRecord, token: RefreshToken) {
    session.current = token;
}

fn main() {}
