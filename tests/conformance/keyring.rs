//! Root keys: made once, read by all, moved on step by step.

use sealgate::{
    crypto::keyring::KeyState::{Active, Pending, Retired, VerifyOnly},
    storage::{Inserted, Unique, keyring::KeyringRecord},
};

use crate::{
    harness::{World, at_once, count},
    records::root_key,
};

pub(crate) async fn of_fifty_that_make_a_version_one_wins(world: World) {
    let inserted = at_once(50, |n| {
        let stores = world.by_turns(n);
        // Each its own key: the one that is read afterwards tells whose was stored.
        let record = KeyringRecord {
            id: "mac/1".into(),
            version: 1,
            ..root_key(u16::try_from(n + 1).expect("small"), Active)
        };
        async move { (stores.keyring.insert(&record).await.expect("answers"), record) }
    })
    .await;
    let won: Vec<_> = inserted
        .iter()
        .filter(|(inserted, _)| *inserted == Inserted::Stored)
        .map(|(_, record)| record.clone())
        .collect();
    assert_eq!(won.len(), 1);
    let lost = inserted
        .iter()
        .filter(|(inserted, _)| *inserted == Inserted::Taken(Unique::Id));
    assert_eq!(lost.count(), 49);
    assert_eq!(world.stores.keyring.list().await.expect("answers"), won);
}

pub(crate) async fn every_version_is_listed_as_it_was(world: World) {
    assert_eq!(world.stores.keyring.list().await.expect("answers"), []);
    let records = [
        root_key(1, Retired),
        root_key(2, VerifyOnly),
        root_key(3, Active),
        root_key(u16::MAX, Pending),
    ];
    for record in &records {
        world.stores.keyring.insert(record).await.expect("answers");
    }
    let mut listed = world.other.keyring.list().await.expect("answers");
    listed.sort_by_key(|record| record.version);
    assert_eq!(listed, records);
}

pub(crate) async fn a_version_moves_on_from_the_expected_state_only(world: World) {
    let record = root_key(1, Pending);
    world.stores.keyring.insert(&record).await.expect("answers");
    let advance = async |expected, next| {
        let advanced = world.stores.keyring.advance(&record.id, expected, next).await;
        advanced.expect("answers")
    };
    assert!(!advance(Active, VerifyOnly).await);
    assert!(advance(Pending, Active).await);
    assert!(!advance(Pending, Active).await);
    let missing = world.stores.keyring.advance("mac/9", Pending, Active).await;
    assert!(!missing.expect("answers"));
    let moved = KeyringRecord {
        state: Active,
        ..record
    };
    assert_eq!(world.other.keyring.list().await.expect("answers"), [moved]);
}

pub(crate) async fn of_fifty_that_move_a_version_on_one_does(world: World) {
    world
        .stores
        .keyring
        .insert(&root_key(1, Pending))
        .await
        .expect("answers");
    let advanced = at_once(50, |n| {
        let stores = world.by_turns(n);
        async move { stores.keyring.advance("mac/1", Pending, Active).await.expect("answers") }
    })
    .await;
    assert_eq!(count(&advanced, &true), 1);
}
