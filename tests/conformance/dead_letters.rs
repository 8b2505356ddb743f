//! Dead letters: found in every record that holds an outbox, and gone from the list once they are not dead.

use std::fmt::Debug;

use sealgate::storage::{
    Change, Changed, Documents, Ref, change,
    dead_letters::{DeadLetters, HoldsOutbox},
    outbox::Revived,
    registrations::RegistrationRecord,
    requests::RequestRecord,
};

use crate::{
    harness::{World, at_once, count},
    records::{NOW, Person, at, id, outbox_dead, outbox_due, request, user_type},
};

/// `dead` are of `User1`, `other` holds none that is dead, `elsewhere` is of `User2`.
async fn are_paged<R, P>(port: &P, dead: [R; 3], other: R, elsewhere: R)
where
    R: HoldsOutbox<Id: Debug>,
    P: Documents<R> + DeadLetters<R> + ?Sized,
{
    let ids: Vec<R::Id> = dead.iter().map(|record| record.key().id).collect();
    let [first, second, third] = dead;
    for record in [third, first, other, second, elsewhere] {
        port.insert(&record).await.expect("answers");
    }
    let page = async |after: Option<&R::Id>, limit| {
        let page = port.with_dead(&user_type("User1"), after, limit).await;
        page.expect("answers")
    };
    assert_eq!(page(None, 10).await, ids);
    assert_eq!(page(None, 2).await, ids[..2]);
    assert_eq!(page(Some(&ids[1]), 2).await, ids[2..]);
    assert_eq!(page(Some(&ids[2]), 2).await, []);
    assert_eq!(page(None, 0).await, []);

    // Sent after all, or removed: not dead any more.
    let key = |id: &R::Id| Ref::new(&user_type("User1"), id.clone());
    let message = |record: &R| record.outbox().dead().map(|(id, _)| id).next();
    let (first, third) = (key(&ids[0]), key(&ids[2]));
    let revived = change(port, &first, |record: &mut R| {
        let message = message(record).expect("a dead letter");
        Change::Store(record.outbox_mut().revive(&message, NOW))
    });
    assert_eq!(revived.await.expect("answers"), Changed::Stored(Revived::Due));
    let dropped = change(port, &third, |record: &mut R| {
        let message = message(record).expect("a dead letter");
        Change::Store(record.outbox_mut().drop_dead(&message))
    });
    assert_eq!(dropped.await.expect("answers"), Changed::Stored(true));
    assert_eq!(page(None, 10).await, ids[1..2]);
}

pub(crate) async fn dead_letters_are_paged_by_id(world: World) {
    let person = |n: usize| Person {
        outbox: outbox_dead(n),
        ..Person::new(n)
    };
    let other = Person {
        outbox: outbox_due(4, NOW),
        ..Person::new(4)
    };
    let elsewhere = Person {
        user_type: user_type("User2"),
        ..person(2)
    };
    let accounts = [1, 2, 3].map(|n| person(n).account());
    are_paged(&*world.stores.accounts, accounts, other.account(), elsewhere.account()).await;

    let elsewhere = Person {
        user_type: user_type("User2"),
        ..person(9)
    };
    let registrations: [RegistrationRecord; 3] = [1, 2, 3].map(|n| person(n).registration());
    let (other, elsewhere) = (other.registration(), elsewhere.registration());
    are_paged(&*world.stores.registrations, registrations, other, elsewhere).await;

    let dead = |n: usize| RequestRecord {
        outbox: outbox_dead(n),
        ..request(n, NOW, at(10))
    };
    let elsewhere = RequestRecord {
        user_type: user_type("User2"),
        ..dead(9)
    };
    are_paged(
        &*world.stores.requests,
        [1, 2, 3].map(dead),
        request(4, NOW, at(10)),
        elsewhere,
    )
    .await;
}

pub(crate) async fn of_fifty_retries_of_one_letter_one_makes_it_due(world: World) {
    let person = Person {
        outbox: outbox_dead(1),
        ..Person::new(1)
    };
    world.stores.accounts.insert(&person.account()).await.expect("answers");
    let revived = at_once(50, |n| {
        let (stores, key) = (world.by_turns(n), person.key());
        async move {
            let revived = change(&*stores.accounts, &key, |account| {
                match account.outbox.revive(&id("msg_", 1), NOW) {
                    Revived::Due => Change::Store(Revived::Due),
                    other => Change::Leave(other),
                }
            });
            revived.await.expect("answers").into_value().expect("there")
        }
    })
    .await;
    assert_eq!(count(&revived, &Revived::Due), 1);
    assert_eq!(count(&revived, &Revived::NotDead), 49);
    let due = world.other.accounts.due(&person.user_type, NOW, 10).await;
    assert_eq!(due.expect("answers"), [person.id]);
}
