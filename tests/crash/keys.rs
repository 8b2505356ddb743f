//! Keys of tokens: wherever a step is cut off, somebody signs, and doing it again ends it.

use sealgate::{
    crypto::{
        keyring::KeyState::{self, Active, Pending, Retired, VerifyOnly},
        public_key::PairAlgorithm::EdDsa,
    },
    service::token_keys::{OVERLAP, PENDING, RemoveError, advance, list, remove, rotate},
};

use crate::{cuts::every_cut, world::World};

/// Every version of the keys of tokens, and whether it was removed.
async fn versions(world: &World) -> Vec<(u16, KeyState, bool)> {
    let keys = list(&world.sound.core).await.expect("answers");
    let tokens = keys.iter().filter(|key| key.key_use == "token");
    tokens.map(|key| (key.version, key.state, key.is_removed)).collect()
}

async fn somebody_signs(world: &World) {
    let versions = versions(world).await;
    assert!(versions.iter().any(|(_, state, _)| *state == Active), "{versions:?}");
}

#[tokio::test]
async fn a_rotation_that_is_cut_off_is_begun_again_or_was_begun() {
    every_cut(
        &["keyring.insert"],
        async |_| (),
        async |process, ()| {
            let _ = rotate(&process.core, EdDsa).await;
        },
        async |world, process, (), cut| {
            let again = rotate(&process.core, EdDsa).await;
            assert_eq!(again.is_ok(), cut.is_before("keyring.insert"), "{again:?}");
            assert_eq!(versions(world).await, [(1, Active, false), (2, Pending, false)]);
        },
    )
    .await;
}

#[tokio::test]
async fn a_takeover_that_is_cut_off_is_ended_by_the_next_round() {
    every_cut(
        &["keyring.replace", "keyring.replace"],
        async |world| {
            rotate(&world.sound.core, EdDsa).await.expect("made");
            world.clock.advance(PENDING);
        },
        async |process, ()| {
            let _ = advance(&process.core).await;
        },
        async |world, process, (), _| {
            somebody_signs(world).await;
            advance(&process.core).await.expect("answers");
            assert_eq!(versions(world).await, [(1, VerifyOnly, false), (2, Active, false)]);
        },
    )
    .await;
}

#[tokio::test]
async fn a_retirement_that_is_cut_off_is_ended_by_the_next_round() {
    every_cut(
        &["keyring.replace"],
        async |world| {
            let core = &world.sound.core;
            rotate(core, EdDsa).await.expect("made");
            world.clock.advance(PENDING);
            advance(core).await.expect("answers");
            world.clock.advance(OVERLAP);
        },
        async |process, ()| {
            let _ = advance(&process.core).await;
        },
        async |world, process, (), _| {
            somebody_signs(world).await;
            advance(&process.core).await.expect("answers");
            assert_eq!(versions(world).await, [(1, Retired, false), (2, Active, false)]);
            // Its public half is there, whichever round put it there.
            let keys = list(&process.core).await.expect("answers");
            assert!(
                keys.iter()
                    .filter(|key| key.key_use == "token")
                    .all(|key| key.public.is_some())
            );
        },
    )
    .await;
}

#[tokio::test]
async fn a_removal_that_is_cut_off_is_ended_by_asking_again() {
    every_cut(
        &["keyring.insert", "keyring.replace"],
        async |_| (),
        async |process, ()| {
            let _ = remove(&process.core, 1, EdDsa).await;
        },
        async |world, process, (), _| {
            somebody_signs(world).await;
            match remove(&process.core, 1, EdDsa).await {
                Ok(signs) => assert_eq!(signs, Some(2)),
                Err(error) => assert!(matches!(error, RemoveError::Done(1)), "{error}"),
            }
            assert_eq!(versions(world).await, [(1, Retired, true), (2, Active, false)]);
        },
    )
    .await;
}
