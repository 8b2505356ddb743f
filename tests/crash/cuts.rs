//! Cuts a use case off at every one of its writes.

use crate::{
    faults::{Cut, Then, When},
    process::Process,
    world::World,
};

/// What the cut left.
#[derive(Debug)]
pub(crate) struct AfterCut {
    pub(crate) cut: Cut,
    /// The write that failed.
    pub(crate) write: String,
}

impl AfterCut {
    /// Whether the write that failed is this one, and not done.
    pub(crate) fn is_before(&self, write: &str) -> bool {
        self.cut.when == When::Before && self.write == write
    }

    /// Whether it is this one, and done.
    pub(crate) fn is_after(&self, write: &str) -> bool {
        self.cut.when == When::After && self.write == write
    }
}

/// Runs `act` once for each of its writes and each way in which that write can fail, each time in a world of its own
/// that `prepare` has prepared; then, with everything working again, `recover`. `writes` are the writes of an `act`
/// that nothing happens to, in their order: whoever changes it, thinks of the crash between.
pub(crate) async fn every_cut<S>(
    writes: &[&str],
    prepare: impl AsyncFn(&World) -> S,
    act: impl AsyncFn(&Process, &S),
    recover: impl AsyncFn(&World, &Process, S, &AfterCut),
) {
    let ways = [
        (When::Before, Then::Recovers),
        (When::Before, Then::StaysDown),
        (When::After, Then::Recovers),
        (When::After, Then::StaysDown),
    ];
    for done in cut_in(&ways, prepare, act, recover).await {
        assert_eq!(done, writes, "the writes of an undisturbed run");
    }
}

/// The same for a long `act`, killed before and after each of its writes, in whatever order it does them. Answers the
/// writes of the undisturbed runs.
pub(crate) async fn every_kill<S>(
    prepare: impl AsyncFn(&World) -> S,
    act: impl AsyncFn(&Process, &S),
    recover: impl AsyncFn(&World, &Process, S, &AfterCut),
) -> Vec<Vec<String>> {
    let ways = [(When::Before, Then::StaysDown), (When::After, Then::StaysDown)];
    cut_in(&ways, prepare, act, recover).await
}

async fn cut_in<S>(
    ways: &[(When, Then)],
    prepare: impl AsyncFn(&World) -> S,
    act: impl AsyncFn(&Process, &S),
    recover: impl AsyncFn(&World, &Process, S, &AfterCut),
) -> Vec<Vec<String>> {
    let mut undisturbed = Vec::new();
    for &(when, then) in ways {
        for at in 1.. {
            let world = World::new().await;
            let process = world.process();
            // Each is large, and all of them together too large for one future.
            let prepared = Box::pin(prepare(&world)).await;
            let cut = Cut { at, when, then };
            process.faults.arm(cut);
            Box::pin(act(&process, &prepared)).await;
            let (done, has_fired) = process.faults.heal();
            if !has_fired {
                assert_eq!(at, done.len() + 1, "every write was cut");
                undisturbed.push(done);
                world.close().await;
                break;
            }
            world.check().await;
            let after = AfterCut {
                cut,
                write: done[at - 1].clone(),
            };
            Box::pin(recover(&world, &process, prepared, &after)).await;
            world.close().await;
        }
    }
    undisturbed
}
