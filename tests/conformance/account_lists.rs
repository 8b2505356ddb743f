//! Accounts as administrators list them.

use sealgate::{
    crypto::blind_index::Candidate,
    domain::account::AccountStatus,
    storage::{
        Change, Inserted,
        accounts::{AccountFilter, AccountRecord},
        change,
    },
};

use crate::{
    harness::World,
    records::{Person, user_type},
};

/// Number `n`, as it is stored, locked or not.
async fn stored(world: &World, person: &Person, status: AccountStatus) -> AccountRecord {
    let mut account = person.account();
    let mut security = person.security();
    security.status = status;
    security.rev_sec = 1;
    assert!(account.replace_security(0, person.sign(security)));
    assert_eq!(
        world.stores.accounts.insert(&account).await.expect("answers"),
        Inserted::Stored
    );
    account
}

/// What the list shows, by id.
async fn listed(world: &World, filter: &AccountFilter, after: Option<&AccountRecord>, limit: u32) -> Vec<String> {
    let after = after.map(|account| &account.id);
    let accounts = &world.other.accounts;
    let found = accounts.list(&user_type("User1"), filter, after, limit).await;
    let found = found.expect("answers");
    for (id, record) in &found {
        assert_eq!(&record.as_ref().expect("readable").id, id);
    }
    found.into_iter().map(|(id, _)| id.to_string()).collect()
}

fn phone_candidates(person: &Person) -> Vec<Candidate> {
    person.slots().phone_candidates().into_iter().collect()
}

pub(crate) async fn accounts_are_listed_in_order_page_by_page(world: World) {
    let mut all = Vec::new();
    // In another order than that of their ids.
    for n in [3, 1, 4, 2, 5] {
        all.push(stored(&world, &Person::new(n), AccountStatus::Active).await);
    }
    let foreign = Person {
        user_type: user_type("User2"),
        ..Person::new(6)
    };
    stored(&world, &foreign, AccountStatus::Active).await;
    all.sort_by(|one, other| one.id.cmp(&other.id));
    let ids: Vec<String> = all.iter().map(|account| account.id.to_string()).collect();
    let every = AccountFilter::default();
    assert_eq!(listed(&world, &every, None, 10).await, ids);
    assert_eq!(listed(&world, &every, None, 2).await, ids[..2]);
    assert_eq!(listed(&world, &every, Some(&all[1]), 2).await, ids[2..4]);
    assert_eq!(listed(&world, &every, Some(&all[4]), 2).await, [""; 0]);
}

pub(crate) async fn accounts_are_listed_by_what_is_asked(world: World) {
    let number = Some("+4915112345678".to_owned());
    let people: Vec<Person> = (1..=4_u16)
        .map(|n| Person {
            phone: number.clone().filter(|_| n != 3),
            // In either slot.
            index_version: 1 + n % 2,
            ..Person::new(n.into())
        })
        .collect();
    let mut accounts = Vec::new();
    for (n, person) in people.iter().enumerate() {
        let status = if n == 1 {
            AccountStatus::Locked
        } else {
            AccountStatus::Active
        };
        accounts.push(stored(&world, person, status).await);
    }
    let id = |n: usize| accounts[n].id.to_string();
    let of_status = |status| AccountFilter {
        status: Some(status),
        ..AccountFilter::default()
    };
    let active = of_status(AccountStatus::Active);
    assert_eq!(
        listed(&world, &of_status(AccountStatus::Locked), None, 10).await,
        [id(1)]
    );
    assert_eq!(listed(&world, &active, None, 10).await, [id(0), id(2), id(3)]);
    assert_eq!(listed(&world, &active, Some(&accounts[0]), 1).await, [id(2)]);

    let candidates: Vec<Candidate> = [&people[0], &people[1]]
        .into_iter()
        .flat_map(phone_candidates)
        .collect();
    let by_phone = AccountFilter {
        phone: Some(candidates),
        ..AccountFilter::default()
    };
    assert_eq!(listed(&world, &by_phone, None, 10).await, [id(0), id(1), id(3)]);
    assert_eq!(listed(&world, &by_phone, Some(&accounts[0]), 1).await, [id(1)]);
    let both = AccountFilter {
        status: Some(AccountStatus::Active),
        ..by_phone.clone()
    };
    assert_eq!(listed(&world, &both, None, 10).await, [id(0), id(3)]);
    let by_email = AccountFilter {
        email: Some(people[2].email_candidates()),
        ..AccountFilter::default()
    };
    assert_eq!(listed(&world, &by_email, None, 10).await, [id(2)]);
    let neither = AccountFilter {
        phone: by_phone.phone.clone(),
        ..by_email
    };
    assert_eq!(listed(&world, &neither, None, 10).await, [""; 0]);
    let nobody = AccountFilter {
        email: Some(Vec::new()),
        ..AccountFilter::default()
    };
    assert_eq!(listed(&world, &nobody, None, 10).await, [""; 0]);
}

pub(crate) async fn a_list_follows_what_was_changed(world: World) {
    let person = Person::new(1);
    let account = stored(&world, &person, AccountStatus::Active).await;
    let mut security = person.security();
    security.status = AccountStatus::Locked;
    security.rev_sec = 2;
    let signed = person.sign(security);
    change(&*world.stores.accounts, &person.key(), |account| {
        assert!(account.replace_security(1, signed.clone()));
        Change::Store(())
    })
    .await
    .expect("answers");
    for (status, expected) in [
        (AccountStatus::Active, vec![]),
        (AccountStatus::Locked, vec![account.id.to_string()]),
    ] {
        let filter = AccountFilter {
            status: Some(status),
            ..AccountFilter::default()
        };
        assert_eq!(listed(&world, &filter, None, 10).await, expected, "{status:?}");
    }
    world.stores.accounts.delete(&person.key()).await.expect("answers");
    assert_eq!(listed(&world, &AccountFilter::default(), None, 10).await, [""; 0]);
}
