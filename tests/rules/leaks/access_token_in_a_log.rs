//! A token has no text of its own to be logged; `%token` is short for this.

use sealgate::domain::token::AccessToken;

fn leak(token: &AccessToken) {
    let _ = tracing::field::display(token);
}

fn main() {}
