//! Nothing that is made of a name by `Serialize` can hold it: no answer, record or line of a log.

use sealgate::domain::person_name::PersonName;

struct Answered<T>(T);

impl<T: serde::Serialize> Answered<T> {
    fn to_answer(&self) {}
}

fn leak(name: PersonName) {
    Answered(name).to_answer();
}

fn main() {}
