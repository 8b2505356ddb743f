//! Sessions, cut off at every write: on or over, never half.

use std::sync::Mutex;

use sealgate::{
    domain::user_type::UserType,
    service::{
        authenticate::{AuthenticateError, authenticate},
        refresh::{RefreshError, refresh},
        sessions::TokenPair,
        sign_out::sign_out,
    },
};

use crate::{cuts::every_cut, process::Process, world::World};

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "SecureP@ssw0rd123!";

fn user_type() -> UserType {
    "User1".parse().expect("valid")
}

async fn signed_in(world: &World) -> TokenPair {
    let id = world.sound.register(EMAIL, PASSWORD).await.expect("registered");
    let link = world.sound.make_link(&id).await;
    world.sound.confirm(&link).await.expect("confirmed");
    world.settle().await;
    world.sound.sign_in(EMAIL, PASSWORD).await.expect("signed in")
}

/// Whether the access token is accepted.
async fn is_accepted(process: &Process, pair: &TokenPair) -> bool {
    match authenticate(&process.core, &user_type(), pair.access.expose()).await {
        Ok(_) => true,
        Err(AuthenticateError::InvalidToken) => false,
        Err(AuthenticateError::Failure(failure)) => panic!("{failure}"),
    }
}

#[tokio::test]
async fn a_session_is_ended_or_not_and_signing_out_may_be_repeated() {
    every_cut(
        &["sessions.update", "audit.append"],
        signed_in,
        async |process, pair| {
            let caller = authenticate(&process.core, &user_type(), pair.access.expose()).await;
            let _ = sign_out(&process.core, &caller.expect("signed in")).await;
        },
        async |world, process, pair, after| {
            let is_on = is_accepted(process, &pair).await;
            assert_eq!(is_on, after.is_before("sessions.update"), "{after:?}");
            assert_eq!(
                is_on,
                is_accepted(&world.sound, &pair).await,
                "{after:?}: the same for every process"
            );
            if is_on {
                let caller = authenticate(&process.core, &user_type(), pair.access.expose()).await;
                sign_out(&process.core, &caller.expect("signed in"))
                    .await
                    .expect("signed out");
                assert!(!is_accepted(process, &pair).await, "{after:?}");
            }
            let renewed = refresh(&process.core, &user_type(), pair.refresh.expose()).await;
            assert!(
                matches!(renewed, Err(RefreshError::InvalidToken)),
                "{after:?}: over for both tokens"
            );
        },
    )
    .await;
}

#[tokio::test]
async fn a_refresh_whose_answer_was_lost_is_given_again() {
    every_cut(
        &["sessions.update", "audit.append"],
        signed_in,
        async |process, pair| drop(refresh(&process.core, &user_type(), pair.refresh.expose()).await),
        async |world, process, pair, after| {
            let first = refresh(&process.core, &user_type(), pair.refresh.expose())
                .await
                .expect("renewed");
            let second = refresh(&world.sound.core, &user_type(), pair.refresh.expose())
                .await
                .expect("renewed");
            assert_eq!(
                first.refresh.expose(),
                second.refresh.expose(),
                "{after:?}: one successor"
            );
            assert!(
                is_accepted(process, &first).await && is_accepted(process, &second).await,
                "{after:?}"
            );
            refresh(&process.core, &user_type(), first.refresh.expose())
                .await
                .expect("the session goes on");
        },
    )
    .await;
}

#[tokio::test]
async fn a_sign_in_that_was_cut_off_leaves_nothing_that_works() {
    every_cut(
        &["sessions.insert", "accounts.update", "audit.append"],
        async |world: &World| {
            signed_in(world).await;
            Mutex::new(None)
        },
        async |process, pair| {
            *pair.lock().expect("unshared") = process.sign_in(EMAIL, PASSWORD).await.ok();
        },
        async |_, process, pair, after| {
            // The entry of the audit is the only write that a sign-in does without.
            let pair = pair.into_inner().expect("unshared");
            assert_eq!(pair.is_some(), after.write == "audit.append", "{after:?}");
            if let Some(pair) = pair {
                assert!(is_accepted(process, &pair).await, "{after:?}");
            }
            process.sign_in(EMAIL, PASSWORD).await.expect("signed in");
        },
    )
    .await;
}
