//! A click and whatever else may happen to its registration at that moment: whichever is stopped wherever, an account
//! that is made can be opened, and there is never a second one.

use std::time::Duration;

use sealgate::{
    domain::{email::Email, ids::AccountId},
    jobs::queue::Job,
    service::{register::LIFETIME, resend_confirmation::resend_confirmation, sign_in::SignInError},
};

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
    world.clock.advance(LIFETIME.saturating_sub(LAST_MOMENT));
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

/// Two registrations of the address, each with its link.
async fn two_rivals(world: &World) -> [Waiting; 2] {
    [
        registered(world, "First-1-password").await,
        registered(world, "Second-2-password").await,
    ]
}

async fn click_first(world: &World, process: &Process, rivals: &[Waiting; 2]) {
    click(world, process, &rivals[0]).await;
}

async fn click_second(world: &World, process: &Process, rivals: &[Waiting; 2]) {
    click(world, process, &rivals[1]).await;
}

/// One of the two is the account, and of the other nothing is left, its password included.
async fn one_of_two(world: &World, rivals: [Waiting; 2], at: usize) {
    world.check().await;
    let census = world.settle().await;
    assert_eq!(census.accounts.len(), 1, "stopped at {at}");
    assert_eq!(census.registrations.len(), 0, "stopped at {at}");
    assert_eq!(census.deks, census.accounts, "stopped at {at}");
    for rival in rivals {
        let signed_in = world.sound.sign_in(EMAIL, &rival.password).await;
        if census.accounts.contains(rival.id.as_str()) {
            signed_in.expect("the account's own password");
        } else {
            assert!(
                matches!(signed_in, Err(SignInError::InvalidCredentials)),
                "stopped at {at}"
            );
        }
    }
}

/// The account of the address, and a registration made after it, whose link was never mailed and whose notice to the
/// holder is about to be.
async fn taken(world: &World) -> [Waiting; 2] {
    let holder = registered(world, "Holder-1-password").await;
    world.sound.confirm(&holder.link).await.expect("confirmed");
    world.settle().await;
    let id = world
        .sound
        .register(EMAIL, "Late-2-password")
        .await
        .expect("registered");
    let late = Waiting {
        link: world.sound.make_link(&id).await,
        password: "Late-2-password".to_owned(),
        jobs: world.sound.due().await,
        id,
    };
    [holder, late]
}

/// A request to send the confirmation again, handed over.
async fn asked_again(world: &World) -> Waiting {
    let waiting = registered(world, "Again-1-password").await;
    let email = Email::parse(EMAIL).expect("valid");
    let user_type = "User1".parse().expect("valid");
    resend_confirmation(&world.sound.core, &user_type, &email)
        .await
        .expect("asked");
    Waiting {
        jobs: world.sound.due().await,
        ..waiting
    }
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

#[tokio::test]
async fn a_registration_is_swept_while_its_link_is_clicked_by_a_server_whose_clock_is_behind() {
    let click_behind = async |world: &World, _: &Process, waiting: &Waiting| {
        let behind = world.process_behind(LAST_MOMENT);
        click(world, &behind, waiting).await;
    };
    let prepare = async |world: &World| {
        let waiting = about_to_expire(world).await;
        world.clock.advance(LAST_MOMENT);
        waiting
    };
    every_meeting(prepare, sweep, click_behind, checked).await;
}

#[tokio::test]
async fn a_click_while_a_rival_is_clicked() {
    every_meeting(two_rivals, click_first, click_second, one_of_two).await;
}

#[tokio::test]
async fn a_click_while_the_same_link_is_clicked() {
    let prepare = async |world: &World| registered(world, "Double-1-password").await;
    let made = async |world: &World, waiting: Waiting, at: usize| {
        assert_eq!(all_or_nothing(world, waiting, at).await.accounts.len(), 1);
    };
    every_meeting(prepare, click, click, made).await;
}

#[tokio::test]
async fn a_click_while_the_sweep_looks_for_what_a_crash_left() {
    let prepare = async |world: &World| registered(world, "Early-1-password").await;
    let made = async |world: &World, waiting: Waiting, at: usize| {
        assert_eq!(all_or_nothing(world, waiting, at).await.accounts.len(), 1);
    };
    every_meeting(prepare, click, sweep, made).await;
    every_meeting(prepare, sweep, click, made).await;
}

#[tokio::test]
async fn a_click_while_the_holder_of_the_address_is_told() {
    let tell = async |world: &World, process: &Process, both: &[Waiting; 2]| deliver(world, process, &both[1]).await;
    every_meeting(taken, click_second, tell, one_of_two).await;
    every_meeting(taken, tell, click_second, one_of_two).await;
}

#[tokio::test]
async fn a_click_while_the_link_is_sent_again() {
    // Whichever link wins: the account is made by the click, or by a later one on the link in the last mail.
    let made = async |world: &World, waiting: Waiting, at: usize| {
        world.settle().await;
        if world.census().await.accounts.is_empty() {
            let confirmed = async |link: String| world.sound.confirm(&link).await.is_ok();
            let mut worked = 0;
            for link in world.links() {
                worked += usize::from(confirmed(link).await);
            }
            assert_eq!(worked, 1, "stopped at {at}: the last link works");
        }
        assert_eq!(
            all_or_nothing(world, waiting, at).await.accounts.len(),
            1,
            "stopped at {at}"
        );
    };
    every_meeting(asked_again, click, deliver, made).await;
    every_meeting(asked_again, deliver, click, made).await;
}
