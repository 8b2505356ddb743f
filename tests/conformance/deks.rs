//! Data keys: a second one beside the first, and removal.

use sealgate::storage::{Change, Changed, change};

use crate::{harness::World, records::Person};

pub(crate) async fn a_second_key_stands_beside_the_first(world: World) {
    let person = Person::new(1);
    let first = person.dek();
    world.stores.deks.insert(&first).await.expect("answers");
    let changed = change(&*world.stores.deks, &person.key(), |dek| {
        let key = dek.deks["1"].clone();
        dek.deks.insert("2".into(), key);
        Change::Store(dek.deks.len())
    })
    .await;
    assert_eq!(changed.expect("answers"), Changed::Stored(2));
    let found = world
        .other
        .deks
        .find(&person.key())
        .await
        .expect("answers")
        .expect("there");
    assert_eq!(found.deks["1"], first.deks["1"]);
    assert_eq!(found.deks["2"], first.deks["1"]);
}

pub(crate) async fn a_destroyed_key_is_gone_for_every_process(world: World) {
    let person = Person::new(1);
    world.stores.deks.insert(&person.dek()).await.expect("answers");
    assert!(world.stores.deks.find(&person.key()).await.expect("answers").is_some());
    assert!(world.other.deks.delete(&person.key()).await.expect("answers"));
    assert_eq!(world.stores.deks.find(&person.key()).await.expect("answers"), None);
}
