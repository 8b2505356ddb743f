//! A label takes text; a password gives none away by itself.

use sealgate::domain::password::Password;

fn leak(password: Password) -> metrics::Label {
    metrics::Label::new("password", password)
}

fn main() {}
