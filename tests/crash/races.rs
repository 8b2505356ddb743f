//! Many at once, on several processes: whoever comes first, there is one account, and it can be opened.

use std::{
    io::{self, Write as _},
    sync::Arc,
    time::Duration,
};

use sealgate::{
    domain::ids::AccountId,
    service::{
        confirm::{ConfirmError, Confirmed},
        register::LIFETIME,
        sign_in::SignInError,
    },
};
use tokio::{sync::Barrier, task::JoinSet};

use crate::{process::Process, world::World};

const EMAIL: &str = "ada@example.com";
const PROCESSES: usize = 3;

/// Several processes of one installation.
async fn processes(world: &World) -> Vec<Arc<Process>> {
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        processes.push(Arc::new(world.separate_process().await));
    }
    processes
}

/// A registration with a link of its own, that no mail pushed out.
async fn with_link(world: &World, email: &str, password: &str) -> (AccountId, String) {
    let id = world.sound.register(email, password).await.expect("registered");
    let link = world.sound.make_link(&id).await;
    (id, link)
}

/// Uses all links at once, each on another process than the one before.
async fn click_at_once(processes: &[Arc<Process>], links: &[String]) -> Vec<Result<Confirmed, ConfirmError>> {
    let start = Arc::new(Barrier::new(links.len()));
    let mut clicks = JoinSet::new();
    for (n, link) in links.iter().cloned().enumerate() {
        let (process, start) = (Arc::clone(&processes[n % processes.len()]), Arc::clone(&start));
        clicks.spawn(async move {
            start.wait().await;
            process.confirm(&link).await
        });
    }
    clicks.join_all().await
}

/// Nobody was answered with a fault; how many were told that they made the account.
fn made(answers: &[Result<Confirmed, ConfirmError>]) -> usize {
    for answer in answers {
        assert!(!matches!(answer, Err(ConfirmError::Failure(_))), "{answer:?}");
    }
    answers
        .iter()
        .filter(|answer| matches!(answer, Ok(Confirmed::Now)))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_registrations_of_one_address_confirmed_at_once_are_one_account() {
    let world = World::new().await;
    let mut links = Vec::new();
    for n in 0..50 {
        links.push(with_link(&world, EMAIL, &format!("Password-{n}")).await.1);
    }
    let answers = click_at_once(&processes(&world).await, &links).await;
    assert_eq!(made(&answers), 1);
    let census = world.check().await;
    assert_eq!(
        (census.accounts.len(), census.registrations.len()),
        (1, 0),
        "rivals are gone at once"
    );
    assert_eq!(census.deks, census.accounts);
    assert_eq!(world.settle().await, census);
    assert_eq!(world.mails().len(), 1, "one welcome");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_uses_of_one_link_are_one_account() {
    let world = World::new().await;
    let (_, link) = with_link(&world, EMAIL, "Password-1").await;
    let answers = click_at_once(&processes(&world).await, &vec![link; 50]).await;
    assert_eq!(made(&answers), 1);
    let census = world.check().await;
    assert_eq!((census.accounts.len(), census.registrations.len()), (1, 0));
    assert_eq!(census.deks, census.accounts);
    assert_eq!(world.settle().await, census);
    assert_eq!(world.mails().len(), 1, "one welcome");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_rivals_confirmed_at_once_a_hundred_times() {
    let world = World::new().await;
    let processes = processes(&world).await;
    let mut first_won = 0;
    for round in 0..100 {
        let email = format!("ada{round}@example.com");
        let mut rivals = Vec::new();
        for n in 0..2 {
            let password = format!("Password-{round}-{n}");
            let (id, link) = with_link(&world, &email, &password).await;
            rivals.push((id, password, link));
        }
        let links: Vec<String> = rivals.iter().map(|(_, _, link)| link.clone()).collect();
        assert_eq!(made(&click_at_once(&processes, &links).await), 1, "round {round}");
        let census = world.census().await;
        assert_eq!((census.accounts.len(), census.registrations.len()), (round + 1, 0));
        assert_eq!(census.deks, census.accounts, "round {round}");
        for (n, (id, password, _)) in rivals.iter().enumerate() {
            let signed_in = world.sound.sign_in(&email, password).await;
            if census.accounts.contains(id.as_str()) {
                assert!(world.sound.opens(id).await, "round {round}");
                signed_in.expect("the account's own password");
                first_won += usize::from(n == 0);
            } else {
                assert!(
                    matches!(signed_in, Err(SignInError::InvalidCredentials)),
                    "round {round}"
                );
            }
        }
    }
    let _ = writeln!(io::stderr(), "the first of two won {first_won} of 100 rounds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_click_races_the_sweep_a_hundred_times() {
    let world = World::new().await;
    let processes = processes(&world).await;
    for round in 0..100 {
        let email = format!("ada{round}@example.com");
        let (id, link) = with_link(&world, &email, "Password-1").await;
        // For the clicking server the registration has a moment left, for the sweeping one none.
        world.clock.advance(LIFETIME);
        let behind = Arc::new(world.process_behind(Duration::from_secs(1)));
        let start = Arc::new(Barrier::new(2));
        let sweeping = tokio::spawn({
            let (process, start) = (Arc::clone(&processes[0]), Arc::clone(&start));
            async move {
                start.wait().await;
                process.sweep().await
            }
        });
        start.wait().await;
        let clicked = behind.confirm(&link).await;
        sweeping.await.expect("joined").expect("swept");
        let census = world.check().await;
        assert_eq!(
            census.accounts.contains(id.as_str()),
            clicked.is_ok(),
            "round {round}: {clicked:?}"
        );
        assert_eq!(census.registrations.len(), 0, "round {round}");
        assert_eq!(census.deks, census.accounts, "round {round}");
    }
}
