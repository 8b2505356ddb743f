//! The probe of a store that works; of broken ones, each adapter's own tests tell.

use crate::harness::{World, at_once};

pub(crate) async fn a_sound_store_passes_however_often_it_is_asked(world: World) {
    let passed = at_once(20, |n| {
        let stores = world.by_turns(n);
        async move { stores.probe.probe().await.is_ok() }
    })
    .await;
    assert!(passed.iter().all(|passed| *passed));
}
