//! Lets two processes meet: one is stopped before each of its store operations in turn, reads included, while the
//! other does all of its work.

use crate::{process::Process, world::World};

/// For every operation of `first`: in a world of its own that `prepare` has prepared, stops `first` before it, does
/// all of `second` in another process, lets `first` go on, and then `check`s.
pub(crate) async fn every_meeting<S>(
    prepare: impl AsyncFn(&World) -> S,
    first: impl AsyncFn(&World, &Process, &S),
    second: impl AsyncFn(&World, &Process, &S),
    check: impl AsyncFn(&World, S, usize),
) {
    for at in 1.. {
        let world = World::new().await;
        let (one, other) = (world.process(), world.process());
        let prepared = Box::pin(prepare(&world)).await;
        let mut held = one.faults.hold(at);
        // On the heap: together they are too much for a stack.
        let stopped = Box::pin(async {
            first(&world, &one, &prepared).await;
            one.faults.heal();
        });
        let meanwhile = Box::pin(async {
            let has_come = held.arrived().await;
            if has_come {
                second(&world, &other, &prepared).await;
                held.release();
            }
            has_come
        });
        let ((), has_come) = tokio::join!(stopped, meanwhile);
        if has_come {
            Box::pin(check(&world, prepared, at)).await;
        }
        world.close().await;
        if !has_come {
            assert!(at > 2, "there was nothing to stop");
            return;
        }
    }
}
