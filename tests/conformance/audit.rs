//! Audit entries and checkpoints: appended, listed, never changed.

use sealgate::{
    domain::ids::AuditId,
    storage::{
        Inserted, Unique,
        audit::{AuditRecord, CheckpointRecord, StoredEntry},
    },
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
        user_type: Some(user_type("User2")),
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

fn read(entries: &[StoredEntry]) -> Vec<AuditRecord> {
    entries.iter().map(|entry| entry.record().expect("readable")).collect()
}

pub(crate) async fn entries_of_all_populations_and_of_none_are_paged_as_they_lie(world: World) {
    let of = |n: usize, of: Option<&str>| AuditRecord {
        user_type: of.map(user_type),
        ..audit_entry(n, of.map(|_| n))
    };
    let all = [
        of(1, Some("User2")),
        of(2, None),
        of(3, Some("User1")),
        of(4, Some("User2")),
    ];
    for entry in all.iter().rev() {
        append(&world, entry).await;
    }
    let page = async |after: Option<&AuditId>, limit| world.other.audit.page(after, limit).await.expect("answers");
    let whole = page(None, 10).await;
    assert_eq!(read(&whole), all);
    assert_eq!(page(Some(&id(1)), 2).await, whole[1..3]);
    assert_eq!(page(Some(&id(4)), 2).await, []);
    // What the chain covers is the bytes that were stored.
    for (stored, entry) in whole.iter().zip(&all) {
        let document = bson::serialize_to_vec(entry).expect("a document");
        assert_eq!(*stored, StoredEntry::new(entry.id.clone(), document));
        assert!(stored.body().is_some());
    }
    let listed = world.other.audit.list(&user_type("User2"), None, None, 10).await;
    assert_eq!(ids(listed.expect("answers")), [id(1), id(4)]);
}

pub(crate) async fn entries_are_found_by_their_ids(world: World) {
    for n in [5, 1, 3, 2, 4] {
        append(&world, &audit_entry(n, None)).await;
    }
    let audit = &world.other.audit;
    let between =
        async |after: Option<&AuditId>, before, limit| audit.ids(after, &id(before), limit).await.expect("answers");
    assert_eq!(between(None, 9, 10).await, [1, 2, 3, 4, 5].map(id));
    assert_eq!(between(Some(&id(1)), 5, 10).await, [2, 3, 4].map(id));
    assert_eq!(between(Some(&id(1)), 5, 2).await, [2, 3].map(id));
    assert_eq!(between(None, 1, 2).await, []);
    let named = audit.entries(&[id(4), id(7), id(2)]).await.expect("answers");
    assert_eq!(read(&named), [2, 4].map(|n| audit_entry(n, None)));
    assert_eq!(audit.entries(&[]).await.expect("answers"), []);
}

pub(crate) async fn what_is_over_is_removed_and_nothing_else(world: World) {
    let audit = &world.stores.audit;
    for n in 1..=5 {
        append(&world, &audit_entry(n, Some(n))).await;
    }
    assert_eq!(audit.remove_entries(&[id(2), id(9), id(1)]).await.expect("answers"), 2);
    assert_eq!(audit.remove_entries(&[]).await.expect("answers"), 0);
    let left = world.other.audit.page(None, 10).await.expect("answers");
    assert_eq!(ids(read(&left)), [3, 4, 5].map(id));

    for place in [1, 2, 10, 3] {
        audit.append_checkpoint(&checkpoint(place)).await.expect("answers");
    }
    let links = async |from, limit| world.other.audit.checkpoints(from, limit).await.expect("answers");
    assert_eq!(links(0, 9).await, [1, 2, 3, 10].map(checkpoint));
    assert_eq!(links(2, 2).await, [2, 3].map(checkpoint));
    assert_eq!(links(11, 2).await, [0; 0].map(checkpoint));
    assert_eq!(audit.remove_checkpoints(10, 2).await.expect("answers"), 2);
    assert_eq!(links(0, 9).await, [3, 10].map(checkpoint));
    assert_eq!(audit.remove_checkpoints(10, 2).await.expect("answers"), 1);
    assert_eq!(audit.remove_checkpoints(10, 2).await.expect("answers"), 0);
    assert_eq!(
        links(0, 9)
            .await
            .iter()
            .map(CheckpointRecord::place)
            .collect::<Vec<_>>(),
        [10]
    );
}

pub(crate) async fn of_fifty_that_move_a_cursor_on_one_does(world: World) {
    let audit = &world.other.audit;
    assert_eq!(audit.cursor("one").await.expect("answers"), None);
    for (expected, place) in [(None, 7), (Some(7), 9)] {
        let moved = at_once(50, |n| {
            let stores = world.by_turns(n);
            async move { stores.audit.advance("one", expected, place).await.expect("answers") }
        })
        .await;
        assert_eq!(count(&moved, &true), 1);
        assert_eq!(audit.cursor("one").await.expect("answers"), Some(place));
    }
    assert!(
        !audit.advance("one", Some(7), 8).await.expect("answers"),
        "it never goes back"
    );
    assert_eq!(audit.cursor("another").await.expect("answers"), None);
}
