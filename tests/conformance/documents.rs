//! What every record's port does: insert, find, update, delete.

use std::{fmt::Debug, time::Duration};

use sealgate::storage::{
    Change, Changed, Documents, Inserted, Record, Ref, Unique, Updated, Verdict, accounts::AccountRecord, change,
};
use tokio::time::Instant;

use crate::{
    harness::{World, at_once, count},
    records::{Person, at, request, user_type},
};

/// One person with everything, and one with nothing that is optional.
fn persons() -> (Person, Person) {
    let full = Person {
        username: Some("ada".into()),
        phone: Some("+4915112345678".into()),
        ..Person::new(2)
    };
    (Person::new(1), full)
}

async fn comes_back<R: Record + PartialEq + Debug>(
    port: &(impl Documents<R> + ?Sized),
    other: &(impl Documents<R> + ?Sized),
    record: R,
) {
    let stored = port.insert(&record).await.expect("answers");
    assert_eq!(stored, Inserted::Stored);
    let found = other.find(&record.key()).await.expect("answers");
    assert_eq!(found, Some(record));
}

pub(crate) async fn every_record_comes_back_as_it_was(world: World) {
    let (one, two) = (&world.stores, &world.other);
    let (bare, full) = persons();
    comes_back(&*one.accounts, &*two.accounts, bare.account()).await;
    comes_back(&*one.accounts, &*two.accounts, full.full_account()).await;
    comes_back(&*one.registrations, &*two.registrations, bare.registration()).await;
    comes_back(&*one.registrations, &*two.registrations, full.full_registration()).await;
    comes_back(&*one.deks, &*two.deks, bare.dek()).await;
    comes_back(&*one.sessions, &*two.sessions, bare.session(1)).await;
    comes_back(&*one.sessions, &*two.sessions, full.full_session(2)).await;
    comes_back(&*one.requests, &*two.requests, request(1, at(0), at(1))).await;
}

async fn is_taken_once<R: Record + PartialEq + Debug>(port: &(impl Documents<R> + ?Sized), record: R) {
    port.insert(&record).await.expect("answers");
    let mut second = record.clone();
    second.set_rev(9);
    let inserted = port.insert(&second).await.expect("answers");
    assert_eq!(inserted, Inserted::Taken(Unique::Id));
    let found = port.find(&record.key()).await.expect("answers");
    assert_eq!(found, Some(record), "the first stays");
}

pub(crate) async fn an_id_is_taken_once(world: World) {
    let (bare, full) = persons();
    is_taken_once(&*world.stores.accounts, bare.account()).await;
    is_taken_once(&*world.stores.accounts, full.full_account()).await;
    is_taken_once(&*world.stores.registrations, bare.registration()).await;
    is_taken_once(&*world.stores.deks, bare.dek()).await;
    is_taken_once(&*world.stores.sessions, bare.session(1)).await;
    is_taken_once(&*world.stores.requests, request(1, at(0), at(1))).await;
}

/// Account ids may come from an import: two user types may have the same ones.
pub(crate) async fn an_account_id_of_another_user_type_is_free(world: World) {
    let one = Person::new(1);
    let two = Person {
        user_type: user_type("User2"),
        ..Person::new(1)
    };
    comes_back(&*world.stores.accounts, &*world.other.accounts, one.account()).await;
    comes_back(&*world.stores.accounts, &*world.other.accounts, two.account()).await;
    comes_back(&*world.stores.deks, &*world.other.deks, one.dek()).await;
    comes_back(&*world.stores.deks, &*world.other.deks, two.dek()).await;

    assert!(world.stores.accounts.delete(&one.key()).await.expect("answers"));
    assert!(world.stores.deks.delete(&one.key()).await.expect("answers"));
    assert!(world.other.accounts.find(&two.key()).await.expect("answers").is_some());
    assert!(world.other.deks.find(&two.key()).await.expect("answers").is_some());
}

pub(crate) async fn what_is_of_another_user_type_is_not_there(world: World) {
    let person = Person::new(1);
    let session = person.session(1);
    world.stores.sessions.insert(&session).await.expect("answers");
    let elsewhere = Ref::new(&user_type("User2"), session.id.clone());
    assert_eq!(world.stores.sessions.find(&elsewhere).await.expect("answers"), None);
    assert!(!world.stores.sessions.delete(&elsewhere).await.expect("answers"));
    let updated = world.stores.sessions.update(&elsewhere, &mut |_| Verdict::Store).await;
    assert_eq!(updated.expect("answers"), Updated::Missing);
    assert!(
        world
            .stores
            .sessions
            .find(&session.key())
            .await
            .expect("answers")
            .is_some()
    );
}

pub(crate) async fn what_was_never_stored_is_missing(world: World) {
    let key = Person::new(1).key();
    let accounts = &world.stores.accounts;
    assert_eq!(accounts.find(&key).await.expect("answers"), None);
    assert!(!accounts.delete(&key).await.expect("answers"));
    let mut calls = 0;
    let mut decide = |_: &mut AccountRecord| {
        calls += 1;
        Verdict::Store
    };
    let updated = accounts.update(&key, &mut decide).await.expect("answers");
    assert_eq!((updated, calls), (Updated::Missing, 0));
    assert_eq!(accounts.find(&key).await.expect("answers"), None);
}

pub(crate) async fn a_stored_change_is_seen_and_counted(world: World) {
    let person = Person::new(1);
    let mut account = person.account();
    account.rev = 7;
    world.stores.accounts.insert(&account).await.expect("answers");
    for rev in [8, 9] {
        let changed = change(&*world.stores.accounts, &person.key(), |account| {
            account.version = 70 + rev;
            Change::Store(account.rev)
        })
        .await;
        assert_eq!(changed.expect("answers"), Changed::Stored(rev - 1));
        let found = world
            .other
            .accounts
            .find(&person.key())
            .await
            .expect("answers")
            .expect("there");
        assert_eq!((found.rev, found.version), (rev, 70 + rev));
    }
}

pub(crate) async fn a_change_that_is_left_leaves_nothing(world: World) {
    let person = Person::new(1);
    let account = person.account();
    world.stores.accounts.insert(&account).await.expect("answers");
    let changed = change(&*world.stores.accounts, &person.key(), |account| {
        account.version = 99;
        account.sealed = None;
        Change::Leave("seen")
    })
    .await;
    assert_eq!(changed.expect("answers"), Changed::Left("seen"));
    let found = world.other.accounts.find(&person.key()).await.expect("answers");
    assert_eq!(found, Some(account));
}

pub(crate) async fn a_removed_record_is_gone_and_its_id_free(world: World) {
    let person = Person::new(1);
    world.stores.accounts.insert(&person.account()).await.expect("answers");
    assert!(world.stores.accounts.delete(&person.key()).await.expect("answers"));
    assert!(!world.other.accounts.delete(&person.key()).await.expect("answers"));
    assert_eq!(world.other.accounts.find(&person.key()).await.expect("answers"), None);
    comes_back(&*world.other.accounts, &*world.stores.accounts, person.account()).await;
}

pub(crate) async fn fifty_updates_of_one_record_lose_none(world: World) {
    let person = Person::new(1);
    world.stores.accounts.insert(&person.account()).await.expect("answers");
    let updated = at_once(50, |n| {
        let (stores, key) = (world.by_turns(n), person.key());
        async move {
            let increment = &mut |account: &mut AccountRecord| {
                account.version += 1;
                Verdict::Store
            };
            stores.accounts.update(&key, increment).await.expect("answers")
        }
    })
    .await;
    assert_eq!(count(&updated, &Updated::Stored), 50);
    let found = world
        .stores
        .accounts
        .find(&person.key())
        .await
        .expect("answers")
        .expect("there");
    assert_eq!((found.version, found.rev), (51, 50));
}

pub(crate) async fn of_fifty_inserts_of_one_id_one_is_stored(world: World) {
    let inserted = at_once(50, |n| {
        let (stores, account) = (world.by_turns(n), Person::new(1).account());
        async move { stores.accounts.insert(&account).await.expect("answers") }
    })
    .await;
    assert_eq!(count(&inserted, &Inserted::Stored), 1);
    assert_eq!(count(&inserted, &Inserted::Taken(Unique::Id)), 49);
}

pub(crate) async fn of_fifty_deletes_one_removes(world: World) {
    let person = Person::new(1);
    world.stores.accounts.insert(&person.account()).await.expect("answers");
    let removed = at_once(50, |n| {
        let (stores, key) = (world.by_turns(n), person.key());
        async move { stores.accounts.delete(&key).await.expect("answers") }
    })
    .await;
    assert_eq!(count(&removed, &true), 1);
}

pub(crate) async fn an_update_never_brings_a_removed_record_back(world: World) {
    for round in 0..10 {
        let person = Person::new(round);
        world.stores.accounts.insert(&person.account()).await.expect("answers");
        let removed = at_once(8, |n| {
            let (stores, key) = (world.by_turns(n), person.key());
            async move {
                if n == 5 {
                    return stores.accounts.delete(&key).await.expect("answers");
                }
                let updated = stores.accounts.update(&key, &mut |_| Verdict::Store).await;
                assert!(matches!(updated.expect("answers"), Updated::Stored | Updated::Missing));
                false
            }
        })
        .await;
        assert_eq!(count(&removed, &true), 1, "round {round}");
        let found = world.stores.accounts.find(&person.key()).await.expect("answers");
        assert_eq!(found, None, "round {round}");
    }
}

/// A caller that goes away drops what it waited for.
pub(crate) async fn an_abandoned_update_is_whole_or_not_at_all(world: World) {
    let person = Person::new(1);
    world.stores.accounts.insert(&person.account()).await.expect("answers");
    at_once(40, |n| {
        let (stores, key) = (world.by_turns(n), person.key());
        async move {
            let increment = &mut |account: &mut AccountRecord| {
                account.version += 1;
                Verdict::Store
            };
            let patience = Duration::from_micros(200 * u64::try_from(n).expect("small"));
            let _ = tokio::time::timeout(patience, stores.accounts.update(&key, increment)).await;
        }
    })
    .await;
    let started = Instant::now();
    let changed = change(&*world.stores.accounts, &person.key(), |account| {
        account.version += 1;
        Change::Store((account.rev + 1, account.version))
    })
    .await;
    let patience = Duration::from_secs(3);
    assert!(started.elapsed() < patience, "those who left are not served first");
    let found = world
        .other
        .accounts
        .find(&person.key())
        .await
        .expect("answers")
        .expect("there");
    assert_eq!(changed.expect("answers"), Changed::Stored((found.rev, found.version)));
    assert_eq!(found.version, found.rev + 1);
}
