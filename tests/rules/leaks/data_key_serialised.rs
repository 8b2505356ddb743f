//! A data key in the clear has no stored form.

use sealgate::crypto::data_key::Dek;

struct Stored<T>(T);

impl<T: serde::Serialize> Stored<T> {
    fn write_record(&self) {}
}

fn leak(dek: Dek) {
    Stored(dek).write_record();
}

fn main() {}
