//! Accounts: what is unique, and how they are found.

use sealgate::storage::{Documents as _, Inserted};

use crate::{harness::World, records::Person};

pub(crate) async fn what_is_inserted_is_found_unchanged(world: World) {
    let bare = Person::new(1);
    let full = Person {
        username: Some("ada".into()),
        phone: Some("+4915112345678".into()),
        ..Person::new(2)
    };
    for (person, record) in [(&bare, bare.account()), (&full, full.full_account())] {
        let inserted = world.stores.accounts.insert(&record).await.expect("answers");
        assert_eq!(inserted, Inserted::Stored);
        let found = world.other.accounts.find(&person.key()).await.expect("answers");
        assert_eq!(found, Some(record));
    }
}
