//! A name has no text of its own to be logged.

use sealgate::domain::person_name::PersonName;

fn leak(name: &PersonName) {
    tracing::info!(name = %name, "registered");
}

fn main() {}
