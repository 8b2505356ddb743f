//! An account that was deleted stays deleted, whatever a crash left of its registration and whoever still holds its
//! link.

use std::collections::BTreeSet;

use sealgate::{
    crypto::{erasure_mac::ErasureFacts, receipt::ReceiptKeys},
    domain::{audit::AuditEvent, ids::AccountId},
    jobs::queue::Job,
    service::{
        apply_erasures::{Fate, Unproven, apply, read_line},
        authenticate::authenticate,
        erase_account::{Actor, erase_account, erase_for},
        sessions::TokenPair,
    },
    storage::{Ref, erasures::ErasureLine},
};

use crate::{
    cuts::{AfterCut, every_cut},
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
    every_cut(
        &ERASES,
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
            assert_is_journaled(world, &format!("{after:?}"));
        },
    )
    .await;
}

/// What an erasure writes, in its order.
const ERASES: [&str; 4] = ["accounts.update", "audit.append", "erasures.append", "deks.delete"];

/// A note that is not stored stops nobody.
fn goes_on(after: &AfterCut) -> bool {
    after.write == "audit.append" && after.cut.then == Then::Recovers
}

/// Somebody is in the journal, once or more, and nobody else.
fn assert_is_journaled(world: &World, when: &str) {
    let named: BTreeSet<String> = world.journal().iter().map(ToString::to_string).collect();
    assert_eq!(named.len(), 1, "{when}: {named:?}");
}

async fn only_account(world: &World) -> Ref<AccountId> {
    with_account(world).await;
    let census = world.census().await;
    let id = census.accounts.first().expect("an account").parse().expect("an id");
    Ref::new(&"User1".parse().expect("valid"), id)
}

#[tokio::test]
async fn an_operators_deletion_may_be_cut_off_anywhere_and_repeated() {
    every_cut(
        &ERASES,
        only_account,
        async |process, key| {
            let _ = erase_for(&process.core, &Actor::Operator, key).await;
        },
        async |world, _, key, after| {
            let again = erase_for(&world.sound.core, &Actor::Operator, &key).await;
            // Whoever finds the key destroyed finds it done; before that there is a receipt.
            let is_done = after.is_after("deks.delete") || goes_on(after);
            assert_eq!(again.is_err(), is_done, "{after:?}: {again:?}");
            assert_is_journaled(world, &format!("{after:?}"));
            assert_nothing_is_left(world, &format!("{after:?}")).await;
            let audit = &world.sound.core.stores.audit;
            let noted = audit
                .list(&key.user_type, Some(&key.id), None, 100)
                .await
                .expect("listed");
            let erased = noted.iter().find(|entry| entry.event == AuditEvent::AccountErased);
            let by = erased.and_then(|entry| entry.details.get("by"));
            let is_noted = !after.is_before("audit.append") && !after.is_after("accounts.update");
            assert!(
                by == Some("operator") || (by.is_none() && !is_noted),
                "{after:?}: {by:?}"
            );
        },
    )
    .await;
}

/// The journal's disk is full: the tombstone stands, its key stays, and the worker ends it once there is room.
#[tokio::test]
async fn what_the_journal_did_not_take_the_worker_writes_and_may_be_cut_off() {
    let half_erased = async |world: &World| {
        let key = only_account(world).await;
        let process = world.process();
        process.faults.arm(Cut {
            at: 3,
            when: When::Before,
            then: Then::Recovers,
        });
        let refused = erase_for(&process.core, &Actor::Operator, &key).await;
        assert!(refused.is_err(), "nobody is told that it is done");
        let census = world.check().await;
        assert_eq!((census.accounts.len(), census.deks.len()), (1, 1), "the key stays");
        assert_eq!(world.journal(), [], "nothing is written");
        assert!(world.sound.sign_in(EMAIL, PASSWORD).await.is_err(), "gone at once");
        world.sound.due().await
    };
    let deliver = async |process: &Process, jobs: &Vec<Job>| {
        for job in jobs {
            process.deliver(job).await;
        }
    };
    let writes = [
        "erasures.append",
        "deks.delete",
        "registrations.delete",
        "accounts.delete",
    ];
    every_cut(&writes, half_erased, deliver, async |world, _, _, after| {
        if !after.is_before("erasures.append") {
            assert_is_journaled(world, &format!("{after:?}"));
        }
        assert_nothing_is_left(world, &format!("{after:?}")).await;
        assert_is_journaled(world, &format!("{after:?}"));
    })
    .await;
}

fn line_of(process: &Process, key: &Ref<AccountId>) -> ErasureLine {
    let erased_at = process.core.clock.now();
    let facts = ErasureFacts {
        user_type: &key.user_type,
        account_id: &key.id,
        erased_at,
    };
    ErasureLine {
        mac: facts.sign(&process.core.keyring.current()).expect("a key"),
        user_type: key.user_type.clone(),
        account_id: key.id.clone(),
        erased_at,
        receipt: String::new(),
    }
}

#[tokio::test]
async fn applying_the_journal_may_be_cut_off_anywhere_and_repeated() {
    let writes = ["registrations.delete", "accounts.update", "audit.append", "deks.delete"];
    every_cut(
        &writes,
        only_account,
        async |process, key| {
            let _ = apply(&process.core, &line_of(process, key), false).await;
        },
        async |world, _, key, after| {
            let line = line_of(&world.sound, &key);
            let again = apply(&world.sound.core, &line, false).await.expect("applied");
            let is_done = after.is_after("deks.delete") || goes_on(after);
            assert_eq!(again == Fate::Gone, is_done, "{after:?}: {again:?}");
            assert_nothing_is_left(world, &format!("{after:?}")).await;
            let last = apply(&world.sound.core, &line, false).await.expect("applied");
            assert_eq!(last, Fate::Gone);
        },
    )
    .await;
}

/// A back-up from before the link was used has the registration.
#[tokio::test]
async fn applying_the_journal_removes_a_registration_too() {
    let registered = async |world: &World| {
        let id = world.sound.register(EMAIL, PASSWORD).await.expect("registered");
        (
            Ref::new(&"User1".parse().expect("valid"), id.clone()),
            world.sound.make_link(&id).await,
        )
    };
    let writes = [
        "registrations.delete",
        "deks.delete",
        "registrations.delete",
        "accounts.delete",
        "audit.append",
    ];
    every_cut(
        &writes,
        registered,
        async |process, (key, _)| {
            let _ = apply(&process.core, &line_of(process, key), false).await;
        },
        async |world, _, (key, link), after| {
            let line = line_of(&world.sound, &key);
            apply(&world.sound.core, &line, false).await.expect("applied");
            assert!(world.sound.confirm(&link).await.is_err(), "{after:?}");
            assert_nothing_is_left(world, &format!("{after:?}")).await;
        },
    )
    .await;
}

#[tokio::test]
async fn a_line_that_somebody_planted_erases_nobody() {
    let world = World::new().await;
    let key = only_account(&world).await;
    let core = &world.sound.core;
    let line = line_of(&world.sound, &key);
    let keys = ReceiptKeys::default();
    let read = |line: &ErasureLine| read_line(core, &keys, &line.to_text());
    assert_eq!(read(&line), Ok(line.clone()));
    let mut planted = line.clone();
    planted.account_id = "usr_b".parse().expect("valid");
    let mut of_other_type = line.clone();
    of_other_type.user_type = "User2".parse().expect("valid");
    let mut altered = line.clone();
    altered.mac[10] ^= 1;
    for forged in [&planted, &of_other_type, &altered] {
        assert_eq!(read(forged), Err(Unproven::Unsigned), "{forged:?}");
    }
    let text = line.to_text();
    for torn in ["{}", &text[..text.len() - 1], "no JSON"] {
        assert_eq!(read_line(core, &keys, torn), Err(Unproven::Unreadable), "{torn}");
    }
    assert_eq!(apply(core, &line, true).await.expect("applied"), Fate::Erased);
    world
        .sound
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect("a dry run erases nobody");
}

/// An imported id may come again, and is somebody else then. One of ours never does, whatever a clock says.
#[tokio::test]
async fn who_was_made_under_an_imported_id_since_stays() {
    let world = World::new().await;
    let key = only_account(&world).await;
    let (core, accounts) = (&world.sound.core, &world.sound.core.stores.accounts);
    let early = |key: &Ref<AccountId>| ErasureLine {
        erased_at: core.clock.now().minus(std::time::Duration::from_hours(1)),
        ..line_of(&world.sound, key)
    };
    let mut account = accounts.find(&key).await.expect("answers").expect("there");
    assert_eq!(apply(core, &early(&key), false).await.expect("applied"), Fate::Erased);
    work(&world).await;

    account.id = "4711".parse().expect("an id");
    let imported = Ref::new(&key.user_type, account.id.clone());
    accounts.insert(&account).await.expect("inserted");
    assert_eq!(
        apply(core, &early(&imported), false).await.expect("applied"),
        Fate::MadeLater
    );
    let stays = accounts.find(&imported).await.expect("answers").expect("there");
    assert!(stays.sealed.is_some());
    let now = line_of(&world.sound, &imported);
    assert_eq!(apply(core, &now, false).await.expect("applied"), Fate::Erased);
    let gone = accounts.find(&imported).await.expect("answers");
    assert!(gone.is_none_or(|account| account.sealed.is_none()));
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
    let writes = ["sessions.delete", "registrations.delete", "accounts.delete"];
    every_cut(&writes, erased, deliver, async |world, _, _, after| {
        assert_nothing_is_left(world, &format!("{after:?}")).await;
    })
    .await;
}
