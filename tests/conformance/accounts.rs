//! Accounts: what is unique, and how they are found.

use sealgate::{
    crypto::blind_index::Candidate,
    storage::{Change, Changed, Inserted, StoreError, Unique, accounts::AccountRecord, change},
};

use crate::{
    harness::{World, at_once, count},
    records::{NOW, Person, at, outbox_dead, outbox_due, user_type},
};

/// Odd versions of the index key stand in slot 1, even ones in slot 0.
const EITHER_SLOT: [u16; 2] = [1, 2];

async fn insert(world: &World, account: &AccountRecord) -> Inserted {
    world.stores.accounts.insert(account).await.expect("answers")
}

/// Gives the account that `person` is the identifiers of `like`.
async fn take_over(world: &World, person: &Person, like: &Person) -> Result<Changed<()>, StoreError> {
    let mut security = person.security();
    security.slots = Person {
        id: person.id.clone(),
        ..like.clone()
    }
    .slots();
    security.rev_sec = 1;
    let signed = person.sign(security);
    change(&*world.other.accounts, &person.key(), |account| {
        assert!(account.replace_security(0, signed.clone()));
        Change::Store(())
    })
    .await
}

pub(crate) async fn an_address_is_taken_once_in_either_slot(world: World) {
    for index_version in EITHER_SLOT {
        let first = Person {
            index_version,
            email: format!("ada{index_version}@example.org"),
            ..Person::new(usize::from(index_version))
        };
        let second = Person {
            email: first.email.clone(),
            index_version,
            ..Person::new(10 + usize::from(index_version))
        };
        assert_eq!(insert(&world, &first.account()).await, Inserted::Stored);
        assert_eq!(insert(&world, &second.account()).await, Inserted::Taken(Unique::Email));
        let found = world.other.accounts.find(&second.key()).await.expect("answers");
        assert_eq!(found, None, "the loser left nothing");
    }
}

pub(crate) async fn a_username_is_taken_once_in_either_slot(world: World) {
    for index_version in EITHER_SLOT {
        let first = Person {
            index_version,
            username: Some(format!("ada{index_version}")),
            ..Person::new(usize::from(index_version))
        };
        let second = Person {
            username: first.username.clone(),
            index_version,
            ..Person::new(10 + usize::from(index_version))
        };
        assert_eq!(insert(&world, &first.account()).await, Inserted::Stored);
        assert_eq!(
            insert(&world, &second.account()).await,
            Inserted::Taken(Unique::Username)
        );
        let found = world.other.accounts.find(&second.key()).await.expect("answers");
        assert_eq!(found, None, "the loser left nothing");
    }
}

/// The order of [`Unique`]: so that a repeated insert is known for what it is.
pub(crate) async fn of_several_taken_values_the_first_is_told(world: World) {
    let first = Person {
        username: Some("ada".into()),
        ..Person::new(1)
    };
    let second = Person {
        id: Person::new(2).id,
        ..first.clone()
    };
    insert(&world, &first.account()).await;
    assert_eq!(insert(&world, &first.account()).await, Inserted::Taken(Unique::Id));
    assert_eq!(insert(&world, &second.account()).await, Inserted::Taken(Unique::Email));
}

pub(crate) async fn a_phone_number_may_stand_on_many_accounts(world: World) {
    for n in 0..3 {
        let person = Person {
            phone: Some("+4915112345678".into()),
            ..Person::new(n)
        };
        assert_eq!(insert(&world, &person.account()).await, Inserted::Stored);
    }
}

pub(crate) async fn the_same_values_are_free_in_another_user_type(world: World) {
    let one = Person {
        username: Some("ada".into()),
        ..Person::new(1)
    };
    let two = Person {
        user_type: user_type("User2"),
        ..one.clone()
    };
    assert_eq!(insert(&world, &one.account()).await, Inserted::Stored);
    assert_eq!(insert(&world, &two.account()).await, Inserted::Stored);
    for person in [one, two] {
        let found = world
            .other
            .accounts
            .find_by_email(&person.user_type, &person.email_candidates())
            .await
            .expect("answers")
            .expect("found");
        assert_eq!(found.user_type, person.user_type);
    }
}

pub(crate) async fn a_change_to_a_taken_value_stores_nothing(world: World) {
    for index_version in EITHER_SLOT {
        let n = 10 * usize::from(index_version);
        let holder = Person {
            index_version,
            username: Some(format!("holder{index_version}")),
            ..Person::new(n)
        };
        let other = Person {
            index_version,
            ..Person::new(n + 1)
        };
        insert(&world, &holder.account()).await;
        insert(&world, &other.account()).await;

        let same_address = Person {
            username: None,
            ..holder.clone()
        };
        let changed = take_over(&world, &other, &same_address).await.expect("answers");
        assert_eq!(changed, Changed::Taken(Unique::Email));
        let same_username = Person {
            email: other.email.clone(),
            ..holder.clone()
        };
        let changed = take_over(&world, &other, &same_username).await.expect("answers");
        assert_eq!(changed, Changed::Taken(Unique::Username));
        let found = world.stores.accounts.find(&other.key()).await.expect("answers");
        assert_eq!(found, Some(other.account()));
    }
}

pub(crate) async fn a_changed_or_removed_address_is_free_again(world: World) {
    let (first, second, third) = (Person::new(1), Person::new(2), Person::new(3));
    insert(&world, &first.account()).await;
    let changed = take_over(&world, &first, &second).await.expect("answers");
    assert_eq!(changed, Changed::Stored(()));
    assert_eq!(insert(&world, &second.account()).await, Inserted::Taken(Unique::Email));
    let heir = Person {
        email: first.email.clone(),
        ..third
    };
    assert_eq!(insert(&world, &heir.account()).await, Inserted::Stored);
    assert!(world.stores.accounts.delete(&first.key()).await.expect("answers"));
    assert_eq!(insert(&world, &second.account()).await, Inserted::Stored);
}

pub(crate) async fn of_fifty_inserts_of_one_address_one_is_stored(world: World) {
    let inserted = at_once(50, |n| {
        let person = Person {
            email: "ada@example.org".into(),
            ..Person::new(n)
        };
        let stores = world.by_turns(n);
        async move { stores.accounts.insert(&person.account()).await.expect("answers") }
    })
    .await;
    assert_eq!(count(&inserted, &Inserted::Stored), 1);
    assert_eq!(count(&inserted, &Inserted::Taken(Unique::Email)), 49);
}

pub(crate) async fn of_fifty_inserts_of_one_username_one_is_stored(world: World) {
    let inserted = at_once(50, |n| {
        let person = Person {
            username: Some("ada".into()),
            index_version: 2,
            ..Person::new(n)
        };
        let stores = world.by_turns(n);
        async move { stores.accounts.insert(&person.account()).await.expect("answers") }
    })
    .await;
    assert_eq!(count(&inserted, &Inserted::Stored), 1);
    assert_eq!(count(&inserted, &Inserted::Taken(Unique::Username)), 49);
}

pub(crate) async fn of_fifty_changes_to_one_address_one_is_stored(world: World) {
    for n in 0..50 {
        insert(&world, &Person::new(n).account()).await;
    }
    let changed = at_once(50, |n| {
        let world = World {
            stores: world.by_turns(n),
            other: world.by_turns(n),
        };
        let wanted = Person {
            email: "wanted@example.org".into(),
            ..Person::new(n)
        };
        async move { take_over(&world, &Person::new(n), &wanted).await.expect("answers") }
    })
    .await;
    assert_eq!(count(&changed, &Changed::Stored(())), 1);
    assert_eq!(count(&changed, &Changed::Taken(Unique::Email)), 49);
}

pub(crate) async fn an_address_is_found_in_its_own_slot_only(world: World) {
    for index_version in EITHER_SLOT {
        let person = Person {
            index_version,
            ..Person::new(usize::from(index_version))
        };
        insert(&world, &person.account()).await;
        let accounts = &world.other.accounts;
        let find = async |candidates: &[Candidate]| {
            let found = accounts.find_by_email(&person.user_type, candidates).await;
            found.expect("answers").map(|account| account.id)
        };
        let own = person.email_candidates();
        let strange = Person::new(77).email_candidates();
        assert_eq!(find(&own).await, Some(person.id.clone()));
        assert_eq!(
            find(&[strange.clone(), own.clone()].concat()).await,
            Some(person.id.clone())
        );
        assert_eq!(find(&strange).await, None);
        assert_eq!(find(&[]).await, None);
        for slot in [1 - own[0].slot, 2, 255] {
            let misplaced = Candidate {
                slot,
                value: own[0].value.clone(),
            };
            assert_eq!(find(&[misplaced]).await, None, "slot {slot}");
        }
        let elsewhere = accounts.find_by_email(&user_type("User2"), &own).await;
        assert_eq!(elsewhere.expect("answers"), None);
        let as_username = accounts.find_by_username(&person.user_type, &own).await;
        assert_eq!(as_username.expect("answers"), None);
    }
}

pub(crate) async fn a_username_is_found_in_its_own_slot_only(world: World) {
    for index_version in EITHER_SLOT {
        let person = Person {
            index_version,
            username: Some(format!("ada{index_version}")),
            ..Person::new(usize::from(index_version))
        };
        insert(&world, &person.account()).await;
        let accounts = &world.other.accounts;
        let own = person.username_candidates();
        let found = accounts.find_by_username(&person.user_type, &own).await;
        assert_eq!(found.expect("answers"), Some(person.account()));
        let misplaced = [Candidate {
            slot: 1 - own[0].slot,
            value: own[0].value.clone(),
        }];
        let found = accounts.find_by_username(&person.user_type, &misplaced).await;
        assert_eq!(found.expect("answers"), None);
        let as_email = accounts.find_by_email(&person.user_type, &own).await;
        assert_eq!(as_email.expect("answers"), None);
    }
}

pub(crate) async fn due_accounts_are_listed_longest_due_first(world: World) {
    let outboxes = [
        outbox_due(1, at(0)),
        outbox_due(2, at(-5)),
        outbox_due(3, at(1)),
        outbox_dead(4),
        outbox_due(5, at(-9)),
    ];
    for (n, outbox) in outboxes.into_iter().enumerate() {
        insert(
            &world,
            &Person {
                outbox,
                ..Person::new(n)
            }
            .account(),
        )
        .await;
    }
    insert(&world, &Person::new(8).account()).await;
    let elsewhere = Person {
        outbox: outbox_due(9, at(-9)),
        user_type: user_type("User2"),
        ..Person::new(9)
    };
    insert(&world, &elsewhere.account()).await;

    let due = async |limit| {
        let due = world.other.accounts.due(&user_type("User1"), NOW, limit).await;
        due.expect("answers")
    };
    let expected = [4, 1, 0].map(|n| Person::new(n).id);
    assert_eq!(due(10).await, expected);
    assert_eq!(due(2).await, expected[..2]);
    assert_eq!(due(0).await, []);
}

pub(crate) async fn whether_there_is_any_account_is_known(world: World) {
    let accounts = &world.stores.accounts;
    let (one, two) = (user_type("User1"), user_type("User2"));
    assert!(accounts.is_empty().await.expect("answers"));
    assert!(accounts.has_none(&two).await.expect("answers"));
    let person = Person {
        user_type: two.clone(),
        ..Person::new(1)
    };
    insert(&world, &person.account()).await;
    assert!(!world.other.accounts.is_empty().await.expect("answers"));
    assert!(!world.other.accounts.has_none(&two).await.expect("answers"));
    assert!(world.other.accounts.has_none(&one).await.expect("answers"));
}
