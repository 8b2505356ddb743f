//! *Current*: a read sees every write that was answered before it began, whichever opening of the store made it, and
//! however often the record was read before.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use sealgate::storage::{Change, Changed, Inserted, change};
use tokio::task::JoinSet;

use crate::{harness::World, records::Person};

pub(crate) async fn no_reader_falls_behind_what_was_answered(world: World) {
    const WRITES: u64 = 60;
    let person = Person::new(1);
    world.stores.accounts.insert(&person.account()).await.expect("answers");
    let (answered, is_over) = (Arc::new(AtomicU64::new(1)), Arc::new(AtomicBool::new(false)));
    let (mut writers, mut readers) = (JoinSet::new(), JoinSet::new());
    for n in 0..6 {
        let (stores, key) = (world.by_turns(n), person.key());
        let (answered, is_over) = (Arc::clone(&answered), Arc::clone(&is_over));
        readers.spawn(async move {
            let mut seen = 0;
            while !is_over.load(Ordering::SeqCst) {
                let before = answered.load(Ordering::SeqCst);
                let found = stores.accounts.find(&key).await.expect("answers").expect("there");
                assert!(
                    found.version >= before,
                    "{} was answered, {} read",
                    before,
                    found.version
                );
                assert!(found.version >= seen, "what was read once is not unread");
                seen = found.version;
                tokio::task::yield_now().await;
            }
        });
    }
    for n in 0..2 {
        let (stores, key, answered) = (world.by_turns(n), person.key(), Arc::clone(&answered));
        writers.spawn(async move {
            for _ in 0..WRITES {
                let changed = change(&*stores.accounts, &key, |account| {
                    account.version += 1;
                    Change::Store(account.version)
                });
                let Changed::Stored(version) = changed.await.expect("answers") else {
                    panic!("the account is there");
                };
                answered.fetch_max(version, Ordering::SeqCst);
            }
        });
    }
    writers.join_all().await;
    is_over.store(true, Ordering::SeqCst);
    readers.join_all().await;
    assert_eq!(answered.load(Ordering::SeqCst), 2 * WRITES + 1);
}

pub(crate) async fn what_is_removed_or_put_back_is_seen_so_by_all(world: World) {
    let person = Person::new(1);
    for round in 0..12 {
        let (one, two) = (world.by_turns(round), world.by_turns(round + 1));
        let mut account = person.account();
        account.version = u64::try_from(round).expect("small") + 1;
        assert_eq!(one.accounts.insert(&account).await.expect("answers"), Inserted::Stored);
        for stores in [&two, &one, &two, &one] {
            let found = stores.accounts.find(&person.key()).await.expect("answers");
            assert_eq!(found.as_ref(), Some(&account), "round {round}");
        }
        assert!(two.accounts.delete(&person.key()).await.expect("answers"));
        for stores in [&one, &two] {
            let found = stores.accounts.find(&person.key()).await.expect("answers");
            assert_eq!(found, None, "round {round}");
        }
    }
}

pub(crate) async fn a_session_that_was_ended_elsewhere_is_over_here(world: World) {
    for round in 0..6 {
        let (one, two) = (world.by_turns(round), world.by_turns(round + 1));
        let session = Person::new(1).session(round);
        let key = sealgate::storage::Record::key(&session);
        one.sessions.insert(&session).await.expect("answers");
        for stores in [&one, &two] {
            let found = stores.sessions.find(&key).await.expect("answers").expect("there");
            assert_eq!(found.ended_at, None);
        }
        let ended = change(&*two.sessions, &key, |session| {
            Change::Store(session.end(session.created_at))
        });
        assert_eq!(ended.await.expect("answers"), Changed::Stored(true));
        for stores in [&one, &two] {
            let found = stores.sessions.find(&key).await.expect("answers").expect("there");
            assert!(found.ended_at.is_some(), "round {round}");
        }
    }
}

pub(crate) async fn a_data_key_that_was_destroyed_elsewhere_is_none_here(world: World) {
    for round in 0..6 {
        let (one, two) = (world.by_turns(round), world.by_turns(round + 1));
        let person = Person::new(round);
        one.deks.insert(&person.dek()).await.expect("answers");
        for stores in [&one, &two] {
            let found = stores.deks.find(&person.key()).await.expect("answers");
            assert_eq!(found, Some(person.dek()));
        }
        assert!(two.deks.delete(&person.key()).await.expect("answers"));
        for stores in [&one, &two] {
            let found = stores.deks.find(&person.key()).await.expect("answers");
            assert_eq!(found, None, "round {round}");
        }
    }
}
