//! Passwords are compared by their hashes, never with `==`.

use sealgate::domain::password::Password;

fn leak(given: &Password, other: &Password) -> bool {
    given == other
}

fn main() {}
