//! An account that was deleted stays deleted, whatever a crash left of its registration and whoever still holds its
//! link.

use std::collections::BTreeSet;

use sealgate::{
    jobs::queue::Job,
    service::{authenticate::authenticate, erase_account::erase_account, sessions::TokenPair},
};

use crate::{
    cuts::every_cut,
    faults::{Cut, Then, When},
    meetings::every_meeting,
    process::Process,
    world::World,
};

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "SecureP@ssw0rd123!";

async fn with_link(world: &World) -> String {
    let id = world.sound.register(EMAIL, PASSWORD).await.expect("registered");
    world.settle().await;
    world.sound.make_link(&id).await
}

async fn with_account(world: &World) {
    let link = with_link(world).await;
    world.sound.confirm(&link).await.expect("confirmed");
    world.settle().await;
}

/// Signs in and deletes the account; whether that was answered.
async fn erase(process: &Process) -> bool {
    let pair = process.sign_in(EMAIL, PASSWORD).await.expect("signed in");
    erase_as(process, &pair).await
}

async fn erase_as(process: &Process, pair: &TokenPair) -> bool {
    let user_type = "User1".parse().expect("valid");
    let caller = authenticate(&process.core, &user_type, pair.access.expose())
        .await
        .expect("signed in");
    erase_account(&process.core, &caller).await.is_ok()
}

/// The worker does what is left to be done.
async fn work(world: &World) {
    for job in world.sound.due().await {
        world.sound.deliver(&job).await;
    }
}

async fn assert_nothing_is_left(world: &World, when: &str) {
    let census = world.settle().await;
    assert_eq!(census.accounts, BTreeSet::new(), "{when}");
    assert_eq!(census.registrations, BTreeSet::new(), "{when}");
    assert_eq!(census.deks, BTreeSet::new(), "{when}");
}

#[tokio::test]
async fn what_a_cut_off_click_left_does_not_bring_the_account_back() {
    let world = World::new().await;
    let link = with_link(&world).await;
    let dying = world.process();
    // Marked, inserted, and dead.
    dying.faults.arm(Cut {
        at: 2,
        when: When::After,
        then: Then::StaysDown,
    });
    assert!(dying.confirm(&link).await.is_err());
    assert!(erase(&world.sound).await);
    work(&world).await;
    let _ = world.sound.confirm(&link).await;
    assert_nothing_is_left(&world, "deleted").await;
}

#[tokio::test]
async fn a_click_that_is_late_does_not_bring_the_account_back() {
    let click = async |_: &World, process: &Process, link: &String| {
        let _ = process.confirm(link).await;
    };
    let a_whole_life = async |world: &World, process: &Process, link: &String| {
        process.confirm(link).await.expect("confirmed");
        assert!(erase(process).await);
        work(world).await;
    };
    every_meeting(with_link, click, a_whole_life, async |world, link, at| {
        let _ = world.sound.confirm(&link).await;
        assert_nothing_is_left(world, &format!("stopped at {at}")).await;
    })
    .await;
}

#[tokio::test]
async fn a_deletion_that_was_cut_off_is_ended_by_the_worker() {
    let signed_in = async |world: &World| {
        with_account(world).await;
        world.sound.sign_in(EMAIL, PASSWORD).await.expect("signed in")
    };
    let writes = ["accounts.update", "deks.delete", "audit.append"];
    every_cut(
        &writes,
        signed_in,
        async |process, pair| {
            erase_as(process, pair).await;
        },
        async |world, _, pair, after| {
            if after.is_before("accounts.update") {
                assert!(erase_as(&world.sound, &pair).await, "{after:?}: nothing had happened");
            }
            assert!(
                world.sound.sign_in(EMAIL, PASSWORD).await.is_err(),
                "{after:?}: gone at once"
            );
            assert_nothing_is_left(world, &format!("{after:?}")).await;
        },
    )
    .await;
}

#[tokio::test]
async fn the_removal_of_what_is_left_may_be_cut_off_anywhere() {
    let erased = async |world: &World| {
        with_account(world).await;
        assert!(erase(&world.sound).await);
        world.sound.due().await
    };
    let deliver = async |process: &Process, jobs: &Vec<Job>| {
        for job in jobs {
            process.deliver(job).await;
        }
    };
    let writes = [
        "deks.delete",
        "sessions.delete",
        "registrations.delete",
        "accounts.delete",
    ];
    every_cut(&writes, erased, deliver, async |world, _, _, after| {
        assert_nothing_is_left(world, &format!("{after:?}")).await;
    })
    .await;
}
