//! What ends other sessions, and what the owner is told of them, cut off at every write: all of it, or none of it and once
//! more.

use std::sync::Mutex;

use sealgate::{
    domain::{password::Password, private::Private, user_type::UserType},
    service::{
        authenticate::{AuthenticateError, Caller, authenticate},
        change_password::{ChangePasswordError, change_password},
        check_password::PasswordError,
        end_sessions::end_other_sessions,
        refresh::{RefreshError, refresh},
        sessions::TokenPair,
    },
};

use crate::{cuts::every_cut, process::Process, world::World};

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "SecureP@ssw0rd123!";
const NEW: &str = "Qu1te-another-0ne!";

fn user_type() -> UserType {
    "User1".parse().expect("valid")
}

fn password(text: &str) -> Password {
    Password::for_check(text.to_owned()).expect("short enough")
}

/// A member with two sessions.
async fn two_sessions(world: &World) -> [TokenPair; 2] {
    let id = world.sound.register(EMAIL, PASSWORD).await.expect("registered");
    let link = world.sound.make_link(&id).await;
    world.sound.confirm(&link).await.expect("confirmed");
    world.settle().await;
    let sign_in = async || world.sound.sign_in(EMAIL, PASSWORD).await.expect("signed in");
    [sign_in().await, sign_in().await]
}

async fn find(process: &Process, pair: &TokenPair) -> Option<Caller> {
    match authenticate(&process.core, &user_type(), pair.access.expose()).await {
        Ok(caller) => Some(caller),
        Err(AuthenticateError::InvalidToken) => None,
        Err(AuthenticateError::Failure(failure)) => panic!("{failure}"),
    }
}

fn told(world: &World, subject: &str) -> usize {
    let mails = world.mails();
    mails.iter().filter(|mail| mail.subject.starts_with(subject)).count()
}

#[tokio::test]
async fn a_password_is_changed_with_all_that_goes_with_it_or_not_at_all() {
    every_cut(
        &["accounts.update", "audit.append"],
        two_sessions,
        async |process, [own, _]| {
            let caller = find(process, own).await.expect("signed in");
            let _ = change_password(
                &process.core,
                &caller,
                password(PASSWORD),
                &Private::new(NEW.to_owned()),
            )
            .await;
        },
        async |world, process, [own, other], after| {
            let is_changed = !after.is_before("accounts.update");
            assert_eq!(process.sign_in(EMAIL, NEW).await.is_ok(), is_changed, "{after:?}");
            assert_eq!(process.sign_in(EMAIL, PASSWORD).await.is_ok(), !is_changed, "{after:?}");
            assert_eq!(find(process, &other).await.is_some(), !is_changed, "{after:?}");
            let own = find(process, &own).await.expect("the one that asks goes on");
            let again = change_password(&process.core, &own, password(PASSWORD), &Private::new(NEW.to_owned())).await;
            if is_changed {
                assert!(
                    matches!(again, Err(ChangePasswordError::NotShown(PasswordError::Wrong))),
                    "{after:?}: {again:?}"
                );
            } else {
                again.expect("changed");
            }
            world.settle().await;
            assert_eq!(told(world, "Your password"), 1, "{after:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn all_other_sessions_end_or_none() {
    every_cut(
        &["accounts.update", "audit.append"],
        two_sessions,
        async |process, [own, _]| {
            let caller = find(process, own).await.expect("signed in");
            let _ = end_other_sessions(&process.core, &caller).await;
        },
        async |world, process, [own, other], after| {
            let is_ended = !after.is_before("accounts.update");
            assert_eq!(find(process, &other).await.is_some(), !is_ended, "{after:?}");
            let own = find(&world.sound, &own).await.expect("the one that asks goes on");
            end_other_sessions(&process.core, &own).await.expect("ended");
            assert!(find(process, &other).await.is_none(), "{after:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn nobody_has_the_tokens_of_a_new_device_before_its_owner_is_to_be_told() {
    every_cut(
        &["sessions.insert", "accounts.update", "audit.append", "audit.append"],
        async |world: &World| {
            two_sessions(world).await;
            Mutex::new(None)
        },
        async |process, pair| {
            let began = process.sign_in_from("198.51.100.7", EMAIL, PASSWORD).await;
            *pair.lock().expect("unshared") = began.ok();
        },
        async |world, process, pair, after| {
            world.settle().await;
            if let Some(pair) = pair.into_inner().expect("unshared") {
                assert!(find(process, &pair).await.is_some(), "{after:?}");
                assert_eq!(told(world, "A new device"), 1, "{after:?}");
            }
            // Who tries again is told of, too, or was.
            let again = process.sign_in_from("198.51.100.7", EMAIL, PASSWORD).await;
            again.expect("signed in");
            world.settle().await;
            assert_eq!(told(world, "A new device"), 1, "{after:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn a_reused_token_ends_its_family_and_the_owner_is_told() {
    every_cut(
        &["accounts.update", "sessions.update", "audit.append"],
        async |world: &World| {
            let [first, _] = two_sessions(world).await;
            let renew = async |pair: &TokenPair| {
                let renewed = refresh(&world.sound.core, &user_type(), pair.refresh.expose()).await;
                renewed.expect("renewed")
            };
            let second = renew(&first).await;
            let third = renew(&second).await;
            [first, third]
        },
        async |process, [first, _]| drop(refresh(&process.core, &user_type(), first.refresh.expose()).await),
        async |world, process, [first, third], after| {
            let again = refresh(&process.core, &user_type(), first.refresh.expose()).await;
            let is_over = matches!(again, Err(RefreshError::Reused | RefreshError::InvalidToken));
            assert!(is_over, "{after:?}");
            assert!(find(process, &third).await.is_none(), "{after:?}");
            world.settle().await;
            assert_eq!(told(world, "We ended a session"), 1, "{after:?}");
        },
    )
    .await;
}
