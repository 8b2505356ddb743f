//! Sessions: their lists, and rotation under contention.

use sealgate::{
    domain::ids::SessionId,
    storage::{
        Change, Changed, Inserted, Record as _, Ref, change,
        sessions::{Rotation, SessionRecord},
    },
};

use crate::{
    harness::{World, at_once, count},
    records::{self, NOW, Person, at, digest, user_type},
};

async fn insert(world: &World, session: &SessionRecord) {
    let inserted = world.stores.sessions.insert(session).await.expect("answers");
    assert_eq!(inserted, Inserted::Stored);
}

fn id(n: usize) -> SessionId {
    records::id("ses_", n)
}

pub(crate) async fn of_fifty_rotations_of_one_token_one_rotates(world: World) {
    let session = Person::new(1).session(1);
    insert(&world, &session).await;
    let rotated = at_once(50, |n| {
        let (stores, key) = (world.by_turns(n), session.key());
        async move {
            let rotated = change(&*stores.sessions, &key, |session| {
                match session.rotate(&digest(0), &[digest(1)], NOW, at(1_000)) {
                    Rotation::Rotated => Change::Store(Rotation::Rotated),
                    other => Change::Leave(other),
                }
            });
            rotated.await.expect("answers")
        }
    })
    .await;
    assert_eq!(count(&rotated, &Changed::Stored(Rotation::Rotated)), 1);
    assert_eq!(count(&rotated, &Changed::Left(Rotation::Repeated)), 49);
    let found = world
        .stores
        .sessions
        .find(&session.key())
        .await
        .expect("answers")
        .expect("there");
    assert_eq!((found.generation, found.current, found.rev), (1, digest(1), 1));
}

pub(crate) async fn sessions_of_an_account_are_listed_newest_first(world: World) {
    let person = Person::new(1);
    for (n, created) in [(1, 0), (2, 9), (3, 9), (4, 5)] {
        let session = SessionRecord {
            created_at: at(created),
            ..person.session(n)
        };
        insert(&world, &session).await;
    }
    let ended = SessionRecord {
        ended_at: Some(NOW),
        ..person.session(5)
    };
    insert(&world, &ended).await;
    insert(&world, &Person::new(2).session(6)).await;
    let elsewhere = Person {
        user_type: user_type("User2"),
        ..Person::new(1)
    };
    insert(&world, &elsewhere.session(7)).await;

    let list = async |account: &Ref<_>, limit| {
        let list = world.other.sessions.of_account(account, limit).await.expect("answers");
        list.into_iter().map(|session| session.id).collect::<Vec<_>>()
    };
    assert_eq!(list(&person.key(), 10).await, [3, 2, 4, 1].map(id));
    assert_eq!(list(&person.key(), 2).await, [3, 2].map(id));
    assert_eq!(list(&person.key(), 0).await, []);
    assert_eq!(list(&elsewhere.key(), 10).await, [id(7)]);

    let ended = change(
        &*world.stores.sessions,
        &Ref::new(&person.user_type, id(3)),
        |session| Change::Store(session.end(NOW)),
    )
    .await;
    assert_eq!(ended.expect("answers"), Changed::Stored(true));
    assert_eq!(list(&person.key(), 10).await, [2, 4, 1].map(id));
}

/// Erasure removes what is ended too.
pub(crate) async fn every_session_of_an_account_is_named(world: World) {
    let person = Person::new(1);
    insert(&world, &person.session(1)).await;
    insert(&world, &person.full_session(2)).await;
    insert(&world, &Person::new(2).session(3)).await;
    let elsewhere = Person {
        user_type: user_type("User2"),
        ..Person::new(1)
    };
    insert(&world, &elsewhere.session(4)).await;
    let name = async |limit| {
        let named = world.other.sessions.ids_of_account(&person.key(), limit).await;
        let mut named = named.expect("answers");
        named.sort();
        named
    };
    assert_eq!(name(10).await, [1, 2].map(id));
    assert_eq!(name(1).await.len(), 1);
    assert_eq!(name(0).await, []);
}

pub(crate) async fn sessions_past_either_end_are_expired(world: World) {
    let person = Person::new(1);
    for (n, idle, absolute) in [(1, 0, 9), (2, 9, 0), (3, 1, 1), (4, -5, 9), (5, -9, -9)] {
        let session = SessionRecord {
            idle_expires_at: at(idle),
            expires_at: at(absolute),
            ..person.session(n)
        };
        insert(&world, &session).await;
    }
    let elsewhere = Person {
        user_type: user_type("User2"),
        ..Person::new(1)
    };
    let session = SessionRecord {
        expires_at: at(-9),
        ..elsewhere.session(7)
    };
    insert(&world, &session).await;
    let expired = async |limit| {
        let expired = world.other.sessions.expired(&user_type("User1"), NOW, limit).await;
        let mut expired = expired.expect("answers");
        expired.sort();
        expired
    };
    assert_eq!(expired(10).await, [1, 2, 4, 5].map(id));
    assert_eq!(expired(3).await.len(), 3);
    assert_eq!(expired(0).await, []);

    // A refresh moves the idle end.
    let refreshed = change(
        &*world.stores.sessions,
        &Ref::new(&person.user_type, id(4)),
        |session| {
            session.idle_expires_at = at(9);
            Change::Store(())
        },
    )
    .await;
    assert_eq!(refreshed.expect("answers"), Changed::Stored(()));
    assert_eq!(expired(10).await, [1, 2, 5].map(id));
}
