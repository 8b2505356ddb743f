//! Audit entries and checkpoints: appended, listed, never changed.

use sealgate::{
    domain::ids::AuditId,
    storage::{Inserted, Unique, audit::AuditRecord},
};

use crate::{
    harness::{World, at_once, count},
    records::{self, Person, audit_entry, checkpoint, user_type},
};

async fn append(world: &World, entry: &AuditRecord) {
    let appended = world.stores.audit.append(entry).await.expect("answers");
    assert_eq!(appended, Inserted::Stored);
}

fn id(n: usize) -> AuditId {
    records::id("aud_", n)
}

fn ids(entries: Vec<AuditRecord>) -> Vec<AuditId> {
    entries.into_iter().map(|entry| entry.id).collect()
}

pub(crate) async fn entries_come_back_as_they_were(world: World) {
    let entries = [audit_entry(1, None), audit_entry(2, Some(1))];
    for entry in &entries {
        append(&world, entry).await;
    }
    let listed = world.other.audit.list(&user_type("User1"), None, None, 10).await;
    assert_eq!(listed.expect("answers"), entries);
}

pub(crate) async fn an_entry_is_never_written_over(world: World) {
    append(&world, &audit_entry(1, None)).await;
    let appended = world.other.audit.append(&audit_entry(1, Some(1))).await;
    assert_eq!(appended.expect("answers"), Inserted::Taken(Unique::Id));
    let listed = world.stores.audit.list(&user_type("User1"), None, None, 10).await;
    assert_eq!(listed.expect("answers"), [audit_entry(1, None)]);
}

pub(crate) async fn entries_are_listed_in_order_page_by_page(world: World) {
    for (n, account) in [(4, Some(1)), (1, None), (3, Some(2)), (2, Some(1)), (5, Some(1))] {
        append(&world, &audit_entry(n, account)).await;
    }
    let elsewhere = AuditRecord {
        user_type: user_type("User2"),
        ..audit_entry(9, Some(1))
    };
    append(&world, &elsewhere).await;

    let account = Person::new(1).id;
    let list = async |account, after: Option<&AuditId>, limit| {
        let listed = world.other.audit.list(&user_type("User1"), account, after, limit).await;
        ids(listed.expect("answers"))
    };
    assert_eq!(list(None, None, 10).await, [1, 2, 3, 4, 5].map(id));
    assert_eq!(list(None, None, 2).await, [1, 2].map(id));
    assert_eq!(list(None, Some(&id(2)), 2).await, [3, 4].map(id));
    assert_eq!(list(None, Some(&id(5)), 2).await, []);
    assert_eq!(list(None, None, 0).await, []);
    assert_eq!(list(Some(&account), None, 10).await, [2, 4, 5].map(id));
    assert_eq!(list(Some(&account), Some(&id(2)), 1).await, [id(4)]);
    let elsewhere = world
        .other
        .audit
        .list(&user_type("User2"), Some(&account), None, 10)
        .await;
    assert_eq!(ids(elsewhere.expect("answers")), [id(9)]);
}

pub(crate) async fn the_last_checkpoint_is_the_one_with_the_highest_place(world: World) {
    let audit = &world.stores.audit;
    assert_eq!(audit.last_checkpoint().await.expect("answers"), None);
    for place in [9, 10, 2] {
        let appended = audit.append_checkpoint(&checkpoint(place)).await;
        assert_eq!(appended.expect("answers"), Inserted::Stored);
    }
    let last = world.other.audit.last_checkpoint().await.expect("answers");
    assert_eq!(last, Some(checkpoint(10)));
}

pub(crate) async fn of_fifty_checkpoints_at_one_place_one_is_stored(world: World) {
    let appended = at_once(50, |n| {
        let stores = world.by_turns(n);
        async move { stores.audit.append_checkpoint(&checkpoint(1)).await.expect("answers") }
    })
    .await;
    assert_eq!(count(&appended, &Inserted::Stored), 1);
    assert_eq!(count(&appended, &Inserted::Taken(Unique::Id)), 49);
}
