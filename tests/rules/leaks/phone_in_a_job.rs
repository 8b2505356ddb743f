//! What goes through a queue is serialised, and a phone number can't be.

use sealgate::domain::phone::Phone;

struct Queued<T>(T);

impl<T: serde::Serialize> Queued<T> {
    fn push_job(&self) {}
}

fn leak(phone: Phone) {
    Queued(phone).push_job();
}

fn main() {}
