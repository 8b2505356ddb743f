//! A token has no text of its own to be logged; `%token` is short for this.

use sealgate::crypto::refresh_token::RefreshToken;

fn leak(token: &RefreshToken) {
    let _ = tracing::field::display(token);
}

fn main() {}
