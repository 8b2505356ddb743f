//! Keys that data hangs on: wherever a rotation is cut off, whoever goes on ends it, and nothing is lost.

use std::{sync::Arc, time::Duration};

use sealgate::{
    crypto::{
        keyring::{KeyState, KeyUse},
        record_mac::RecordMac,
    },
    domain::{
        clock::ManualClock,
        ids::{AccountId, WorkerId},
        share::Share,
        user_type::UserType,
    },
    service::{
        Core, Failure,
        rotation::{
            self,
            jobs::{Round, round},
            progress::{Standing, progress},
        },
        sessions::TokenPair,
        token_keys::Versions,
    },
    storage::Ref,
};

use crate::{cuts::every_kill, process::Process, world::World};

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "SecureP@ssw0rd123!";
/// More than a rotation takes.
const ROUNDS: usize = 60;

/// Who was there before: an account with a session, and a registration that waits.
struct Before {
    clock: Arc<ManualClock>,
    account: AccountId,
    link: String,
    _pair: TokenPair,
}

fn user_type() -> UserType {
    "User1".parse().expect("valid")
}

async fn prepare(world: &World) -> Before {
    let account = world.sound.register(EMAIL, PASSWORD).await.expect("registered");
    world.settle().await;
    let link = world.sound.make_link(&account).await;
    world.sound.confirm(&link).await.expect("confirmed");
    let waiting = world
        .sound
        .register("grace@example.com", PASSWORD)
        .await
        .expect("registered");
    world.settle().await;
    Before {
        clock: Arc::clone(&world.clock),
        account,
        link: world.sound.make_link(&waiting).await,
        _pair: world.sound.sign_in(EMAIL, PASSWORD).await.expect("signed in"),
    }
}

/// What a worker does by the clock, until the newest version is alone. `false` where it is not within [`ROUNDS`].
async fn go_on(core: &Core, clock: &ManualClock, key_use: &KeyUse, worker: &WorkerId) -> Result<bool, Failure> {
    for _ in 0..ROUNDS {
        rotation::advance(core).await?;
        core.keys.reread(core).await.map_err(Failure::from)?;
        let is_over = || false;
        let turn = Round {
            worker,
            share: Share::new(100).expect("a share"),
            is_over: &is_over,
        };
        round(core, &Versions::read(core).await?, &turn).await?;
        let jobs = progress(core).await?;
        let name = key_use.name();
        let are_done = jobs
            .iter()
            .filter(|job| job.key_use == name)
            .all(|job| job.standing == Standing::Done);
        if are_done && states(core, key_use).await? == [KeyState::Retired, KeyState::Active] {
            return Ok(true);
        }
        clock.advance(Duration::from_mins(1));
    }
    Ok(false)
}

async fn states(core: &Core, key_use: &KeyUse) -> Result<Vec<KeyState>, Failure> {
    let name = key_use.name();
    let mut keys = core.stores.keyring.list().await?;
    keys.retain(|record| record.key_use == name);
    keys.sort_by_key(|record| record.version);
    Ok(keys.into_iter().map(|record| record.state).collect())
}

fn worker(n: u8) -> WorkerId {
    format!("wrk_{}{n}", "0".repeat(25)).parse().expect("an id")
}

async fn rotate_whole(process: &Process, before: &Before, key_use: &KeyUse) {
    if rotation::rotate(&process.core, key_use).await.is_ok() {
        let _ = go_on(&process.core, &before.clock, key_use, &worker(1)).await;
    }
}

/// Another worker goes on; everybody gets in, and nothing names the old key.
async fn recover(world: &World, before: Before, key_use: &KeyUse) {
    let core = &world.sound.core;
    if states(core, key_use).await.expect("answers").len() < 2 {
        rotation::rotate(core, key_use).await.expect("made");
    }
    let is_done = go_on(core, &before.clock, key_use, &worker(2)).await;
    assert!(is_done.expect("goes on"), "{:?}", progress(core).await);
    world.check().await;
    world.sound.sign_in(EMAIL, PASSWORD).await.expect("signed in");
    world.sound.confirm(&before.link).await.expect("confirmed");
    world
        .sound
        .sign_in("grace@example.com", PASSWORD)
        .await
        .expect("signed in");

    let key = Ref::new(&user_type(), before.account.clone());
    let deks = core.stores.deks.find(&key).await.expect("answers").expect("keys");
    match key_use {
        KeyUse::Kek => {
            let active = core.stores.keyring.list().await.expect("answers");
            let active = active.iter().find(|record| record.id == "kek/2").expect("made");
            assert!(
                deks.deks
                    .values()
                    .all(|wrapped| wrapped.kek_id == active.wrapped.kek_id)
            );
        }
        KeyUse::Dek => assert_eq!((deks.generation, deks.deks.len()), (2, 1)),
        _ => {
            let account = core
                .stores
                .accounts
                .find(&key)
                .await
                .expect("answers")
                .expect("an account");
            let keyring = core.keyring.current();
            let security = RecordMac::new(&keyring).verify(&user_type(), &key.id, account.security());
            let slots = &security.expect("signed").slots;
            assert_eq!(slots.email_ix_1.as_bytes(), key.id.as_str().as_bytes());
            assert_eq!(slots.email_ix_0.as_bytes().len(), 32);
        }
    }
}

/// Killed at each of its writes; `expected` are some of them.
async fn every_kill_of(key_use: KeyUse, expected: &[&str]) {
    let undisturbed = every_kill(
        prepare,
        async |process, before| rotate_whole(process, before, &key_use).await,
        async |world, _, before, _| recover(world, before, &key_use).await,
    )
    .await;
    for done in undisturbed {
        for write in expected {
            assert!(done.iter().any(|done| done == write), "{write}: {done:?}");
        }
    }
}

#[tokio::test]
async fn a_new_kek_that_is_cut_off_wraps_everything_in_the_end() {
    every_kill_of(KeyUse::Kek, &["key_jobs.insert", "deks.update", "keyring.replace"]).await;
}

#[tokio::test]
async fn new_data_keys_that_are_cut_off_seal_everything_in_the_end() {
    let expected = [
        "deks.update",
        "accounts.update",
        "registrations.update",
        "sessions.update",
    ];
    every_kill_of(KeyUse::Dek, &expected).await;
}

#[tokio::test]
async fn a_new_index_key_that_is_cut_off_finds_everybody_in_the_end() {
    let expected = ["accounts.update", "registrations.update", "keyring.replace"];
    every_kill_of(KeyUse::Index(user_type()), &expected).await;
}

#[tokio::test]
async fn a_look_at_the_jobs_reads_the_keyring_once() {
    let world = World::new().await;
    world.sound.faults.counted();
    world.sound.key_jobs_round(&worker(1)).await;
    let (writes, operations) = world.sound.faults.counted();
    assert_eq!((writes.len(), operations), (0, 1), "there is no job: {writes:?}");
    world.close().await;
}

#[tokio::test]
async fn two_workers_do_nothing_twice() {
    let world = World::new().await;
    for n in 0..250 {
        world
            .sound
            .register(&format!("person{n}@example.com"), PASSWORD)
            .await
            .expect("registered");
    }
    let core = &world.sound.core;
    rotation::rotate(core, &KeyUse::Kek).await.expect("made");
    for _ in 0..3 {
        world.clock.advance(Duration::from_mins(2));
        rotation::advance(core).await.expect("answers");
    }
    core.keys.reread(core).await.expect("read");
    let other = world.separate_process().await;
    other.core.keys.reread(&other.core).await.expect("read");
    let is_over = || false;
    let (first, second) = (worker(1), worker(2));
    let turn = |worker| Round {
        worker,
        share: Share::new(100).expect("a share"),
        is_over: &is_over,
    };
    let (first, second) = (turn(&first), turn(&second));
    for _ in 0..3 {
        let versions = Versions::read(core).await.expect("answers");
        let (one, two) = tokio::join!(round(core, &versions, &first), round(&other.core, &versions, &second));
        one.and(two).expect("done");
    }
    let jobs = progress(core).await.expect("answers");
    assert_eq!(jobs[0].standing, Standing::Done, "{jobs:?}");
    // Each record was changed once, whoever did it.
    assert_eq!((jobs[0].changed, jobs[0].total), (250, 250));
    for id in &world.census().await.deks {
        let key = Ref::new(&user_type(), id.parse().expect("an id"));
        let deks = core.stores.deks.find(&key).await.expect("answers").expect("keys");
        assert_eq!(deks.rev, 1, "{id}");
    }
    world.close().await;
}
