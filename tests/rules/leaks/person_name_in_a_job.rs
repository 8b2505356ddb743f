//! A job can't be declared with a name in it.

use sealgate::domain::person_name::PersonName;

#[derive(serde::Serialize)]
struct Job {
    name: PersonName,
}

fn main() {}
