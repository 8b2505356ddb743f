//! One copy in memory, wiped when it is dropped.

use sealgate::domain::password::Password;

fn leak(password: &Password) -> Password {
    password.clone()
}

fn main() {}
