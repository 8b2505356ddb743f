//! Jobs, cut off at every write: no mail is lost, and a link that was mailed works.

use std::collections::BTreeSet;

use sealgate::{
    domain::email::Email,
    jobs::queue::Job,
    service::{confirm::Confirmed, resend_confirmation::resend_confirmation},
};

use crate::{cuts::every_cut, process::Process, world::World};

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "SecureP@ssw0rd123!";

async fn deliver(process: &Process, jobs: &Vec<Job>) {
    for job in jobs {
        process.deliver(job).await;
    }
}

/// One job, handed over and not run yet.
async fn handed_over(world: &World) -> Vec<Job> {
    let jobs = world.sound.due().await;
    assert_eq!(jobs.len(), 1);
    jobs
}

async fn registered(world: &World) -> Vec<Job> {
    world.sound.register(EMAIL, PASSWORD).await.expect("registered");
    handed_over(world).await
}

async fn registered_a_fourth_time(world: &World) -> Vec<Job> {
    for _ in 0..3 {
        world.sound.register(EMAIL, PASSWORD).await.expect("registered");
        world.settle().await;
        world.clock.advance(std::time::Duration::from_secs(1));
    }
    registered(world).await
}

async fn confirmed(world: &World) {
    let id = world.sound.register(EMAIL, PASSWORD).await.expect("registered");
    let link = world.sound.make_link(&id).await;
    world.sound.confirm(&link).await.expect("confirmed");
}

async fn registered_again(world: &World) -> Vec<Job> {
    confirmed(world).await;
    world.settle().await;
    registered(world).await
}

async fn asked_again(world: &World) -> Vec<Job> {
    world.sound.register(EMAIL, PASSWORD).await.expect("registered");
    world.settle().await;
    ask_again(world).await;
    handed_over(world).await
}

async fn ask_again(world: &World) {
    let email = Email::parse(EMAIL).expect("valid");
    let user_type = "User1".parse().expect("valid");
    resend_confirmation(&world.sound.core, &user_type, &email)
        .await
        .expect("asked");
}

#[tokio::test]
async fn the_mail_with_the_link_is_sent_once_and_its_link_works() {
    let writes = ["registrations.update", "registrations.update", "audit.append"];
    every_cut(&writes, registered, deliver, async |world, process, _, after| {
        let before: BTreeSet<String> = world.links().into_iter().collect();
        world.settle().await;
        let links: BTreeSet<String> = world.links().into_iter().collect();
        assert_eq!(links.len(), 1, "{after:?}");
        assert!(
            before.is_subset(&links),
            "{after:?}: what was sent again is the same mail"
        );
        let link = links.first().expect("one");
        assert_eq!(
            process.confirm(link).await.expect("confirmed"),
            Confirmed::Now,
            "{after:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn the_fourth_registration_pushes_the_first_out_and_its_mail_is_sent() {
    let writes = [
        "registrations.update",
        "deks.delete",
        "registrations.delete",
        "registrations.update",
        "registrations.update",
        "audit.append",
    ];
    every_cut(
        &writes,
        registered_a_fourth_time,
        deliver,
        async |world, process, _, after| {
            let census = world.settle().await;
            assert_eq!((census.registrations.len(), census.deks.len()), (3, 3), "{after:?}");
            let mut mailed = BTreeSet::new();
            for mail in world.mails() {
                let id = mail.confirms().expect("a link").to_string();
                let link = mail.link.expect("a link");
                mailed.insert(id.clone());
                if census.registrations.contains(&id) {
                    continue;
                }
                assert!(process.confirm(&link).await.is_err(), "{after:?}: pushed out");
            }
            assert_eq!(mailed.len(), 4, "{after:?}");
            assert!(census.registrations.is_subset(&mailed), "{after:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn the_holder_of_the_address_is_told_and_the_registration_goes() {
    let writes = [
        "registrations.update",
        "audit.append",
        "registrations.update",
        "deks.delete",
        "registrations.delete",
    ];
    every_cut(&writes, registered_again, deliver, async |world, _, _, after| {
        let census = world.settle().await;
        assert_eq!((census.accounts.len(), census.registrations.len()), (1, 0), "{after:?}");
        assert_eq!(census.deks, census.accounts, "{after:?}");
        let told = world
            .mails()
            .into_iter()
            .filter(|mail| mail.subject.contains("already"))
            .count();
        assert_eq!(told, 1, "{after:?}");
        assert_eq!(world.links(), Vec::<String>::new(), "{after:?}: no link");
    })
    .await;
}

#[tokio::test]
async fn a_new_account_is_welcomed() {
    let prepare = async |world: &World| {
        confirmed(world).await;
        handed_over(world).await
    };
    let writes = ["accounts.update", "accounts.update", "audit.append"];
    every_cut(&writes, prepare, deliver, async |world, _, _, after| {
        world.settle().await;
        assert_eq!(world.mails().len(), 1, "{after:?}");
    })
    .await;
}

#[tokio::test]
async fn who_asks_again_gets_a_link_that_works() {
    let writes = [
        "requests.update",
        "registrations.update",
        "audit.append",
        "requests.delete",
    ];
    every_cut(&writes, asked_again, deliver, async |world, process, jobs, after| {
        let census = world.settle().await;
        assert_eq!(census.requests, BTreeSet::new(), "{after:?}");
        let asked = jobs[0].message.message_id.as_str();
        let mails = world.mails();
        assert_eq!(mails.len(), 2, "{after:?}");
        let (new, old): (Vec<_>, Vec<_>) = mails.into_iter().partition(|mail| mail.id.starts_with(asked));
        let (new, old) = (
            new[0].link.as_ref().expect("a link"),
            old[0].link.as_ref().expect("a link"),
        );
        assert!(process.confirm(old).await.is_err(), "{after:?}: replaced");
        assert_eq!(
            process.confirm(new).await.expect("confirmed"),
            Confirmed::Now,
            "{after:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_mail_that_could_not_be_sent_is_replaced_by_the_one_that_is_asked_for() {
    let world = World::new().await;
    let jobs = registered(&world).await;
    world.refuse_mails(true);
    deliver(&world.sound, &jobs).await;
    for _ in 0..2 {
        ask_again(&world).await;
        // The request, and then the message that it became.
        for _ in 0..2 {
            deliver(&world.sound, &world.sound.due().await).await;
        }
    }
    world.refuse_mails(false);
    world.settle().await;
    // An older one, sent after it, would carry a link that its successor has replaced.
    let links = world.links();
    assert_eq!(links.len(), 1);
    assert_eq!(world.sound.confirm(&links[0]).await.expect("confirmed"), Confirmed::Now);
}
