//! Signs of life.

use sealgate::storage::heartbeats::{HeartbeatRecord, ServiceHealth};

use crate::{
    harness::{World, at_once},
    records::{NOW, at, heartbeat},
};

pub(crate) async fn a_worker_has_one_sign_of_life(world: World) {
    let beats = &world.stores.heartbeats;
    beats.beat(&heartbeat(1, at(0))).await.expect("answers");
    let second = HeartbeatRecord {
        email: ServiceHealth::Down,
        ..heartbeat(1, at(10))
    };
    world.other.heartbeats.beat(&second).await.expect("answers");
    assert_eq!(beats.since(at(0)).await.expect("answers"), [second]);
}

pub(crate) async fn recent_ones_are_listed_newest_first(world: World) {
    for (n, ms) in [(1, 0), (2, 5), (3, -1), (4, 9)] {
        world
            .stores
            .heartbeats
            .beat(&heartbeat(n, at(ms)))
            .await
            .expect("answers");
    }
    let recent = world.other.heartbeats.since(NOW).await.expect("answers");
    assert_eq!(recent, [heartbeat(4, at(9)), heartbeat(2, at(5)), heartbeat(1, at(0))]);
}

pub(crate) async fn old_ones_and_a_stopping_workers_own_are_removed(world: World) {
    let beats = &world.stores.heartbeats;
    for (n, ms) in [(1, 0), (2, 5), (3, -1), (4, 9)] {
        beats.beat(&heartbeat(n, at(ms))).await.expect("answers");
    }
    beats.remove(None, NOW).await.expect("answers");
    let left = world.other.heartbeats.since(at(-100)).await.expect("answers");
    assert_eq!(left.len(), 3, "the one at the limit stays");
    beats
        .remove(Some(&heartbeat(4, NOW).id), at(-100))
        .await
        .expect("answers");
    let left = world.other.heartbeats.since(at(-100)).await.expect("answers");
    assert_eq!(left, [heartbeat(2, at(5)), heartbeat(1, at(0))]);
}

pub(crate) async fn fifty_beats_of_one_worker_leave_one(world: World) {
    at_once(50, |n| {
        let stores = world.by_turns(n);
        async move { stores.heartbeats.beat(&heartbeat(1, NOW)).await.expect("answers") }
    })
    .await;
    let left = world.stores.heartbeats.since(NOW).await.expect("answers");
    assert_eq!(left, [heartbeat(1, NOW)]);
}
