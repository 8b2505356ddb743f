//! What goes through a queue names its message by ids.

use sealgate::{domain::person_name::PersonName, storage::outbox::MessageRef};

fn leak(message: &mut MessageRef, name: PersonName) {
    message.account_id = Some(name);
}

fn main() {}
