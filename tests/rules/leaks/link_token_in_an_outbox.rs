//! The link that a message carries is stored sealed.

use sealgate::{domain::token::LinkToken, storage::outbox::OutboxEntry};

fn leak(entry: &mut OutboxEntry, token: &LinkToken) {
    entry.link = Some(token.expose());
}

fn main() {}
