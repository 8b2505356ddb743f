//! Requests: what is due, and what is past its end.

use sealgate::{
    domain::ids::MessageId,
    storage::{Inserted, requests::RequestRecord},
};

use crate::{
    harness::World,
    records::{self, NOW, at, outbox_dead, request, user_type},
};

async fn insert(world: &World, request: &RequestRecord) {
    let inserted = world.stores.requests.insert(request).await.expect("answers");
    assert_eq!(inserted, Inserted::Stored);
}

fn id(n: usize) -> MessageId {
    records::id("msg_", n)
}

fn elsewhere(n: usize) -> RequestRecord {
    RequestRecord {
        user_type: user_type("User2"),
        ..request(n, at(-9), at(-9))
    }
}

pub(crate) async fn due_requests_are_listed_longest_due_first(world: World) {
    for (n, due) in [(1, 0), (2, -5), (3, 1), (4, -9)] {
        insert(&world, &request(n, at(due), at(10))).await;
    }
    let dead = RequestRecord {
        outbox: outbox_dead(5),
        ..request(5, at(0), at(10))
    };
    insert(&world, &dead).await;
    insert(&world, &elsewhere(9)).await;
    let due = async |limit| {
        let due = world.other.requests.due(&user_type("User1"), NOW, limit).await;
        due.expect("answers")
    };
    assert_eq!(due(10).await, [4, 2, 1].map(id));
    assert_eq!(due(2).await, [4, 2].map(id));
    assert_eq!(due(0).await, []);
}

pub(crate) async fn expired_requests_are_listed(world: World) {
    for (n, expires) in [(1, 0), (2, -7), (3, 1)] {
        insert(&world, &request(n, at(0), at(expires))).await;
    }
    insert(&world, &elsewhere(9)).await;
    let expired = async |limit| {
        let expired = world.other.requests.expired(&user_type("User1"), NOW, limit).await;
        expired.expect("answers")
    };
    assert_eq!(expired(10).await, [2, 1].map(id));
    assert_eq!(expired(1).await, [id(2)]);
    assert_eq!(expired(0).await, []);
}
