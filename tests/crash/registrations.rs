//! From the registration to the account, cut off at every write.

use std::time::Duration;

use sealgate::{
    domain::ids::AccountId,
    service::{confirm::Confirmed, register::LIFETIME, sign_in::SignInError},
};

use crate::{
    cuts::every_cut,
    process::Process,
    world::{Census, World},
};

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "SecureP@ssw0rd123!";

/// Three registrations of one address, whose links lie in the mailbox.
struct Rivals {
    ids: Vec<AccountId>,
    links: Vec<String>,
}

fn password(n: usize) -> String {
    format!("{n}-{PASSWORD}")
}

async fn three_rivals(world: &World) -> Rivals {
    let (mut ids, mut links) = (Vec::new(), Vec::new());
    for n in 0..3 {
        ids.push(world.sound.register(EMAIL, &password(n)).await.expect("registered"));
        world.clock.advance(Duration::from_secs(1));
    }
    world.settle().await;
    let mails = world.mails();
    for id in &ids {
        let mail = mails
            .iter()
            .find(|mail| mail.confirms().as_ref() == Some(id))
            .expect("mailed");
        links.push(mail.link.clone().expect("a link"));
    }
    Rivals { ids, links }
}

/// The second of them was confirmed: it is the account, and of the others nothing is left, their data keys included.
async fn assert_confirmed(world: &World, rivals: &Rivals, census: &Census) {
    let only = [rivals.ids[1].to_string()].into();
    assert_eq!(census.accounts, only);
    assert_eq!(census.registrations, [].into());
    assert_eq!(census.deks, only);
    for n in 0..3 {
        let signed_in = world.sound.sign_in(EMAIL, &password(n)).await;
        match n {
            1 => drop(signed_in.expect("its own password")),
            _ => assert!(
                matches!(signed_in, Err(SignInError::InvalidCredentials)),
                "a rival's password"
            ),
        }
        let again = world.sound.confirm(&rivals.links[n]).await;
        assert!(again.is_err(), "no link is left");
    }
    let welcomes = world.mails().into_iter().filter(|mail| mail.link.is_none()).count();
    assert_eq!(welcomes, 1);
}

const CONFIRM: [&str; 10] = [
    "registrations.update",
    "accounts.insert",
    "audit.append",
    // The newest rival, then the other.
    "registrations.update",
    "deks.delete",
    "registrations.delete",
    "registrations.update",
    "deks.delete",
    "registrations.delete",
    "registrations.delete",
];

async fn click(process: &Process, rivals: &Rivals) {
    let _ = process.confirm(&rivals.links[1]).await;
}

#[tokio::test]
async fn register_may_be_repeated_whatever_was_cut_off() {
    let writes = ["deks.insert", "registrations.insert", "audit.append"];
    every_cut(
        &writes,
        async |_: &World| (),
        async |process, ()| drop(process.register(EMAIL, PASSWORD).await),
        async |world, process, (), after| {
            process.register(EMAIL, PASSWORD).await.expect("registered");
            let census = world.settle().await;
            // A data key is stored before what it seals: cut off between the two, it is nobody's.
            let is_between = after.is_after("deks.insert") || after.is_before("registrations.insert");
            assert_eq!(census.orphans().len(), usize::from(is_between), "{after:?}");
            let links = world.links();
            assert_eq!(links.len(), census.registrations.len(), "{after:?}: each has its mail");
            assert_eq!(
                process.confirm(&links[0]).await.expect("confirmed"),
                Confirmed::Now,
                "{after:?}"
            );
            let census = world.settle().await;
            assert_eq!((census.accounts.len(), census.registrations.len()), (1, 0), "{after:?}");
            assert_eq!(census.orphans().len(), usize::from(is_between), "{after:?}");
            process.sign_in(EMAIL, PASSWORD).await.expect("signed in");
        },
    )
    .await;
}

#[tokio::test]
async fn the_next_click_ends_a_confirmation_that_was_cut_off() {
    every_cut(&CONFIRM, three_rivals, click, async |world, process, rivals, after| {
        let was_over = !world.census().await.registrations.contains(rivals.ids[1].as_str());
        // Once the registration is gone there is nothing left to do, and nothing left to click on.
        assert_eq!(process.confirm(&rivals.links[1]).await.is_err(), was_over, "{after:?}");
        let census = world.check().await;
        assert_eq!(census.accounts.len(), 1, "{after:?}");
        assert_eq!(census.registrations.len(), 0, "{after:?}");
        assert_confirmed(world, &rivals, &world.settle().await).await;
    })
    .await;
}

#[tokio::test]
async fn the_sweep_ends_a_confirmation_that_was_cut_off() {
    every_cut(&CONFIRM, three_rivals, click, async |world, _, rivals, after| {
        if after.cut.at == 1 && after.is_before("registrations.update") {
            let census = world.settle().await;
            assert_eq!(
                (census.accounts.len(), census.registrations.len()),
                (0, 3),
                "nothing happened"
            );
            return;
        }
        world.sound.sweep().await.expect("swept");
        assert_confirmed(world, &rivals, &world.settle().await).await;
    })
    .await;
}

/// Two registrations past their end, and one whose link was used by a process that died there.
async fn leftovers(world: &World) -> AccountId {
    for n in 0..2 {
        world.sound.register(EMAIL, &password(n)).await.expect("registered");
    }
    world.settle().await;
    world.clock.advance(LIFETIME);
    let used = world
        .sound
        .register("bob@example.com", PASSWORD)
        .await
        .expect("registered");
    let link = world.sound.make_link(&used).await;
    let dying = world.process();
    dying.faults.arm(crate::faults::Cut {
        at: 2,
        when: crate::faults::When::Before,
        then: crate::faults::Then::StaysDown,
    });
    assert!(dying.confirm(&link).await.is_err());
    used
}

#[tokio::test]
async fn the_sweep_may_be_cut_off_anywhere() {
    let writes = [
        "registrations.update",
        "deks.delete",
        "registrations.delete",
        "registrations.update",
        "deks.delete",
        "registrations.delete",
        "accounts.insert",
        "audit.append",
        "registrations.delete",
        "text_counts.remove",
    ];
    every_cut(
        &writes,
        leftovers,
        async |process, _| drop(process.sweep().await),
        async |world, _, used, after| {
            let census = world.settle().await;
            assert_eq!(census.accounts, [used.to_string()].into(), "{after:?}");
            assert_eq!(census.registrations, [].into(), "{after:?}");
            assert_eq!(census.deks, census.accounts, "{after:?}");
            world
                .sound
                .sign_in("bob@example.com", PASSWORD)
                .await
                .expect("signed in");
        },
    )
    .await;
}
