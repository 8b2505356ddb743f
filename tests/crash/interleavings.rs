//! A click and whatever else may happen to its registration at that moment: whichever is stopped wherever, an account
//! that is made can be opened, and there is never a second one.

use std::time::Duration;

use sealgate::{domain::ids::AccountId, jobs::queue::Job, service::register::LIFETIME};

use crate::{
    meetings::every_meeting,
    process::Process,
    world::{Census, World},
};

const EMAIL: &str = "ada@example.com";
/// Less than a registration's life by this much.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// A registration whose link lies in the mailbox.
struct Waiting {
    id: AccountId,
    password: String,
    link: String,
    /// What the relay handed over after it was mailed.
    jobs: Vec<Job>,
}

async fn registered(world: &World, password: &str) -> Waiting {
    let id = world.sound.register(EMAIL, password).await.expect("registered");
    world.settle().await;
    Waiting {
        link: world.sound.make_link(&id).await,
        password: password.to_owned(),
        id,
        jobs: Vec::new(),
    }
}

/// A registration that the next mail to its address pushes out: three newer ones wait already.
async fn about_to_be_trimmed(world: &World) -> Waiting {
    let oldest = registered(world, "Oldest-1-password").await;
    for n in 0..2 {
        world.clock.advance(Duration::from_secs(1));
        registered(world, &format!("Newer-{n}-password")).await;
    }
    world.clock.advance(Duration::from_secs(1));
    world
        .sound
        .register(EMAIL, "Newest-1-password")
        .await
        .expect("registered");
    let jobs = world.sound.due().await;
    assert_eq!(jobs.len(), 1);
    Waiting { jobs, ..oldest }
}

async fn about_to_expire(world: &World) -> Waiting {
    let waiting = registered(world, "Late-1-password").await;
    world.clock.advance(LIFETIME - LAST_MOMENT);
    waiting
}

async fn click(_: &World, process: &Process, waiting: &Waiting) {
    let _ = process.confirm(&waiting.link).await;
}

async fn deliver(_: &World, process: &Process, waiting: &Waiting) {
    for job in &waiting.jobs {
        process.deliver(job).await;
    }
}

async fn sweep(_: &World, process: &Process, _: &Waiting) {
    process.sweep().await.expect("swept");
}

async fn expire_and_sweep(world: &World, process: &Process, waiting: &Waiting) {
    world.clock.advance(LAST_MOMENT);
    sweep(world, process, waiting).await;
}

/// What must be true in the end: the click made the account, which opens and has the right password, or it made
/// nothing at all.
async fn all_or_nothing(world: &World, waiting: Waiting, at: usize) -> Census {
    world.check().await;
    let census = world.settle().await;
    assert_eq!(census.orphans(), Vec::<&String>::new(), "stopped at {at}");
    if census.accounts.is_empty() {
        assert!(
            !census.registrations.contains(waiting.id.as_str()),
            "stopped at {at}: in between"
        );
    } else {
        assert_eq!(
            census.accounts.iter().collect::<Vec<_>>(),
            [waiting.id.as_str()],
            "stopped at {at}"
        );
        assert!(census.registrations.is_empty(), "stopped at {at}");
        world.sound.sign_in(EMAIL, &waiting.password).await.expect("signed in");
    }
    census
}

async fn checked(world: &World, waiting: Waiting, at: usize) {
    all_or_nothing(world, waiting, at).await;
}

#[tokio::test]
async fn a_click_while_a_newer_mail_pushes_the_registration_out() {
    every_meeting(about_to_be_trimmed, click, deliver, checked).await;
}

#[tokio::test]
async fn a_registration_is_pushed_out_while_its_link_is_clicked() {
    every_meeting(about_to_be_trimmed, deliver, click, checked).await;
}

#[tokio::test]
async fn a_click_in_the_last_moment_while_the_registration_is_swept() {
    every_meeting(about_to_expire, click, expire_and_sweep, checked).await;
}
