//! The audit's chain, cut off at every write: no gap, no false alarm.

use std::time::Duration;

use sealgate::{
    domain::audit::{AuditEvent, Details, Outcome},
    service::{
        audit_chain::{extend, retain},
        verify_audit::verify_audit,
    },
};

use crate::{cuts::every_cut, process::Process, world::World};

const DAY: Duration = Duration::from_hours(24);

async fn noted(world: &World) {
    for _ in 0..3 {
        let details = Details::of_key("mac", 1);
        world
            .sound
            .core
            .note_of_service(AuditEvent::KeyMade, Outcome::Success, details)
            .await;
        world.clock.advance(Duration::from_secs(40));
    }
}

async fn assert_sound(world: &World, when: &str) {
    let report = verify_audit(&world.sound.core, None).await.expect("verified");
    assert!(report.is_sound(), "{when}: {report:?}");
}

#[tokio::test]
async fn a_checkpoint_is_there_or_not_and_the_next_turn_makes_up_for_it() {
    every_cut(
        &["audit.checkpoint"],
        noted,
        async |process: &Process, ()| drop(extend(&process.core).await),
        async |world, process, (), after| {
            assert_sound(world, &format!("{after:?}")).await;
            extend(&process.core).await.expect("extended");
            let report = verify_audit(&world.sound.core, None).await.expect("verified");
            assert!(report.is_sound() && report.waiting == 0, "{after:?}: {report:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn what_is_over_goes_at_the_next_turn_wherever_the_last_was_cut_off() {
    let years_ago = async |world: &World| {
        noted(world).await;
        extend(&world.sound.core).await.expect("extended");
        world.clock.advance(DAY * 400);
        noted(world).await;
        extend(&world.sound.core).await.expect("extended");
    };
    let writes = ["audit.checkpoint", "audit.remove", "audit.remove_checkpoints"];
    every_cut(
        &writes,
        years_ago,
        async |process: &Process, ()| drop(retain(&process.core, DAY * 365).await),
        async |world, process, (), after| {
            assert_sound(world, &format!("{after:?}")).await;
            retain(&process.core, DAY * 365).await.expect("retained");
            let report = verify_audit(&world.sound.core, None).await.expect("verified");
            assert!(report.is_sound(), "{after:?}: {report:?}");
            assert_eq!((report.begins_at, report.entries), (2, 3), "{after:?}");
        },
    )
    .await;
}
