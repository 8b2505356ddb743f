//! Root keys: made once, read by all, moved on step by step.

use std::time::Duration;

use sealgate::{
    crypto::keyring::KeyState::{Active, Pending, Retired, VerifyOnly},
    storage::{Inserted, Unique, keyring::KeyringRecord},
};

use crate::{
    harness::{World, at_once, count},
    records::{NOW, root_key},
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
    let replace = async |expected: &KeyringRecord, record: &KeyringRecord| {
        let replaced = world.stores.keyring.replace(expected, record).await;
        replaced.expect("answers")
    };
    let (active, later) = (record.moved(Active, NOW), record.moved(VerifyOnly, NOW));
    assert!(!replace(&active, &later).await);
    let wrapped_otherwise = KeyringRecord {
        wrapped: root_key(2, Pending).wrapped,
        ..record.clone()
    };
    assert!(!replace(&wrapped_otherwise, &active).await, "somebody wrapped it anew");
    assert!(replace(&record, &active).await);
    assert!(!replace(&record, &later).await);
    let missing = KeyringRecord {
        id: "mac/9".into(),
        version: 9,
        ..active.clone()
    };
    assert!(!replace(&record, &missing).await);
    assert!(!replace(&active, &missing).await);
    assert_eq!(world.other.keyring.list().await.expect("answers"), [active]);
}

/// What is kept of a retired version is other material, under the same id.
pub(crate) async fn a_version_is_replaced_whole(world: World) {
    let record = root_key(1, VerifyOnly);
    world.stores.keyring.insert(&record).await.expect("answers");
    let retired = KeyringRecord {
        wrapped: root_key(2, Retired).wrapped,
        removed: true,
        ..record.moved(Retired, NOW.plus(Duration::from_mins(1)))
    };
    assert_ne!(retired.wrapped, record.wrapped);
    let replaced = world.stores.keyring.replace(&record, &retired).await;
    assert!(replaced.expect("answers"));
    assert_eq!(world.other.keyring.list().await.expect("answers"), [retired]);
}

pub(crate) async fn of_fifty_that_move_a_version_on_one_does(world: World) {
    let record = root_key(1, Pending);
    world.stores.keyring.insert(&record).await.expect("answers");
    let active = record.moved(Active, NOW);
    let replaced = at_once(50, |n| {
        let (stores, record, active) = (world.by_turns(n), record.clone(), active.clone());
        async move { stores.keyring.replace(&record, &active).await.expect("answers") }
    })
    .await;
    assert_eq!(count(&replaced, &true), 1);
}
