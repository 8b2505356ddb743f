//! Registrations: several may wait for one address.

use sealgate::{
    domain::ids::AccountId,
    storage::{Inserted, registrations::RegistrationRecord},
};

use crate::{
    harness::World,
    records::{NOW, Person, at, outbox_dead, outbox_due, user_type},
};

async fn insert(world: &World, registration: &RegistrationRecord) {
    let inserted = world.stores.registrations.insert(registration).await.expect("answers");
    assert_eq!(inserted, Inserted::Stored);
}

fn id(n: usize) -> AccountId {
    Person::new(n).id
}

pub(crate) async fn rivals_are_found_newest_first_while_they_wait(world: World) {
    for (n, created, expires) in [(1, 0, 10), (2, 5, 10), (3, 5, 10), (4, 9, 0), (5, 9, 1), (6, 9, -1)] {
        let rival = Person {
            email: "ada@example.org".into(),
            username: Some("ada".into()),
            // Either slot.
            index_version: if n == 2 { 2 } else { 1 },
            ..Person::new(n)
        };
        let registration = RegistrationRecord {
            created_at: at(created),
            expires_at: at(expires),
            ..rival.registration()
        };
        insert(&world, &registration).await;
    }
    insert(&world, &Person::new(8).registration()).await;
    let ada = Person {
        email: "ada@example.org".into(),
        ..Person::new(1)
    };
    let either = [
        ada.email_candidates(),
        Person {
            index_version: 2,
            ..ada.clone()
        }
        .email_candidates(),
    ]
    .concat();
    let find = async |user_type, candidates| {
        let found = world
            .other
            .registrations
            .find_by_email(user_type, candidates, NOW)
            .await;
        found
            .expect("answers")
            .into_iter()
            .map(|found| found.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(find(&ada.user_type, &either).await, [5, 3, 2, 1].map(id));
    assert_eq!(find(&ada.user_type, &either[..1]).await, [5, 3, 1].map(id));
    assert_eq!(find(&ada.user_type, &[]).await, []);
    assert_eq!(find(&user_type("User2"), &either).await, []);
}

pub(crate) async fn due_registrations_are_listed_longest_due_first(world: World) {
    let outboxes = [
        outbox_due(1, at(0)),
        outbox_due(2, at(-5)),
        outbox_due(3, at(1)),
        outbox_dead(4),
    ];
    for (n, outbox) in outboxes.into_iter().enumerate() {
        insert(
            &world,
            &Person {
                outbox,
                ..Person::new(n)
            }
            .registration(),
        )
        .await;
    }
    let elsewhere = Person {
        outbox: outbox_due(9, at(-9)),
        user_type: user_type("User2"),
        ..Person::new(9)
    };
    insert(&world, &elsewhere.registration()).await;
    let due = async |limit| {
        let due = world.other.registrations.due(&user_type("User1"), NOW, limit).await;
        due.expect("answers")
    };
    assert_eq!(due(10).await, [1, 0].map(id));
    assert_eq!(due(1).await, [id(1)]);
    assert_eq!(due(0).await, []);
}

pub(crate) async fn expired_registrations_are_listed_oldest_end_first(world: World) {
    for (n, expires) in [(1, 0), (2, -7), (3, 1), (4, -3)] {
        let registration = RegistrationRecord {
            expires_at: at(expires),
            ..Person::new(n).registration()
        };
        insert(&world, &registration).await;
    }
    let elsewhere = Person {
        user_type: user_type("User2"),
        ..Person::new(9)
    };
    let registration = RegistrationRecord {
        expires_at: at(-9),
        ..elsewhere.registration()
    };
    insert(&world, &registration).await;
    let expired = async |limit| {
        let expired = world.other.registrations.expired(&user_type("User1"), NOW, limit).await;
        expired.expect("answers")
    };
    assert_eq!(expired(10).await, [2, 4, 1].map(id));
    assert_eq!(expired(2).await, [2, 4].map(id));
    assert_eq!(expired(0).await, []);
}

pub(crate) async fn pages_show_each_registration_once(world: World) {
    for n in [4, 1, 3, 0, 2] {
        insert(&world, &Person::new(n).registration()).await;
    }
    let elsewhere = Person {
        user_type: user_type("User2"),
        ..Person::new(9)
    };
    insert(&world, &elsewhere.registration()).await;
    let mut seen = Vec::new();
    loop {
        let page = world
            .other
            .registrations
            .page(&user_type("User1"), seen.last(), 2)
            .await;
        let page = page.expect("answers");
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    assert_eq!(seen, [0, 1, 2, 3, 4].map(id));
}

pub(crate) async fn a_link_that_comes_with_its_mail_is_kept(world: World) {
    let person = Person::new(1);
    insert(&world, &person.registration()).await;
    let digest = crate::records::digest(5);
    let updated = world
        .stores
        .registrations
        .update(&person.key(), &mut |registration| {
            registration.link_digest = Some(digest);
            sealgate::storage::Verdict::Store
        })
        .await;
    assert_eq!(updated.expect("answers"), sealgate::storage::Updated::Stored);
    let found = world.other.registrations.find(&person.key()).await.expect("answers");
    assert!(found.expect("there").is_confirmed_by(&digest, NOW));
}
