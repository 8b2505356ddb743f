//! What a stranger's question costs does not depend on whether the address has an account: the same reads and writes, in
//! the same order, the same password hashes and the same jobs. That the time is the same, `scripts/bench strangers` measures.

use std::time::Duration;

use sealgate::{
    crypto::email_sign_in::Shown,
    domain::{device::Device, email::Email, email_sign_in::SignInCode, token::LinkToken, user_type::UserType},
    service::{
        email_sign_in::{
            ask::ask_email_sign_in,
            verify::{EmailSignInAttempt, verify_email_sign_in},
        },
        forget_password::forget_password,
        resend_confirmation::resend_confirmation,
        reset_password::check_link,
    },
};

use crate::{process::Process, world::World};

const MEMBER: &str = "ada@example.com";
const WAITING: &str = "grace@example.com";
const NOBODY: &str = "nobody@example.com";
const PASSWORD: &str = "SecureP@ssw0rd123!";

/// What was done for one question.
#[derive(Debug, PartialEq, Eq)]
struct Work {
    writes: Vec<String>,
    operations: usize,
    hashes: u64,
    jobs: usize,
}

/// One member, one who waits for their link, and a process that is asked.
struct Service {
    world: World,
    asked: Process,
}

impl Service {
    async fn new() -> Self {
        let world = World::new().await;
        let id = world.sound.register(MEMBER, PASSWORD).await.expect("registered");
        let link = world.sound.make_link(&id).await;
        world.sound.confirm(&link).await.expect("confirmed");
        world.sound.register(WAITING, PASSWORD).await.expect("registered");
        let asked = world.process();
        Self { world, asked }
    }

    /// What `question` is, in work.
    async fn work<T>(&self, question: impl AsyncFnOnce(&Process) -> T) -> Work {
        // Whatever is due goes first, and what a spacing of messages holds back is not counted.
        self.world.clock.advance(Duration::from_mins(2));
        self.asked.due().await;
        let hashes = self.asked.core.hasher.begun();
        self.asked.faults.counted();
        question(&self.asked).await;
        let (writes, operations) = self.asked.faults.counted();
        Work {
            writes,
            operations,
            hashes: self.asked.core.hasher.begun() - hashes,
            jobs: self.asked.due().await.len(),
        }
    }
}

fn user_type() -> UserType {
    "User1".parse().expect("valid")
}

fn email(text: &str) -> Email {
    Email::parse(text).expect("valid")
}

#[tokio::test]
async fn a_wrong_password_costs_the_same_for_a_member_for_one_who_waits_and_for_nobody() {
    let service = Service::new().await;
    let sign_in = async |name: &'static str| {
        let asked = async move |asked: &Process| asked.sign_in(name, "Wr0ng-Passw0rd!").await.is_err();
        service.work(asked).await
    };
    let works = [sign_in(MEMBER).await, sign_in(WAITING).await, sign_in(NOBODY).await];
    assert_eq!((works[0].hashes, works[0].writes.len()), (1, 1), "{:?}", works[0]);
    assert_eq!(works[0], works[1]);
    assert_eq!(works[0], works[2]);
    service.world.close().await;
}

#[tokio::test]
async fn a_registration_costs_the_same_for_a_taken_address_and_for_a_free_one() {
    let service = Service::new().await;
    let register = async |address: &'static str| {
        let asked = async move |asked: &Process| asked.register(address, PASSWORD).await.expect("answered").to_string();
        service.work(asked).await
    };
    let works = [register(MEMBER).await, register(WAITING).await, register(NOBODY).await];
    assert_eq!((works[0].hashes, works[0].jobs), (1, 1), "{:?}", works[0]);
    assert_eq!(works[0], works[1]);
    assert_eq!(works[0], works[2]);
    service.world.close().await;
}

#[tokio::test]
async fn forgetting_and_asking_again_cost_the_same_for_every_address() {
    let service = Service::new().await;
    let forget = async |address: &'static str| {
        let asked = async move |asked: &Process| forget_password(&asked.core, &user_type(), &email(address)).await;
        service.work(asked).await
    };
    let resend = async |address: &'static str| {
        let asked = async move |asked: &Process| resend_confirmation(&asked.core, &user_type(), &email(address)).await;
        service.work(asked).await
    };
    for works in [
        [forget(MEMBER).await, forget(WAITING).await, forget(NOBODY).await],
        [resend(MEMBER).await, resend(WAITING).await, resend(NOBODY).await],
    ] {
        assert_eq!((works[0].hashes, works[0].jobs), (0, 1), "{:?}", works[0]);
        assert_eq!(works[0], works[1]);
        assert_eq!(works[0], works[2]);
    }
    service.world.close().await;
}

#[tokio::test]
async fn signing_in_by_mail_costs_the_same_for_every_address_and_so_does_a_wrong_code() {
    let service = Service::new().await;
    let ask = async |address: &'static str| {
        let asked = async move |asked: &Process| ask_email_sign_in(&asked.core, &user_type(), &email(address)).await;
        service.work(asked).await
    };
    let guess = async |address: &'static str| {
        let challenge = ask_email_sign_in(&service.asked.core, &user_type(), &email(address)).await;
        let attempt = EmailSignInAttempt {
            challenge: challenge.expect("asked"),
            shown: SignInCode::parse("00000000").map(Shown::Code),
            remember: false,
            device: Device::default(),
        };
        let guess =
            async move |asked: &Process| verify_email_sign_in(&asked.core, &user_type(), attempt).await.is_err();
        service.work(guess).await
    };
    for (works, jobs) in [
        ([ask(MEMBER).await, ask(WAITING).await, ask(NOBODY).await], 1),
        ([guess(MEMBER).await, guess(WAITING).await, guess(NOBODY).await], 0),
    ] {
        assert_eq!((works[0].hashes, works[0].jobs), (0, jobs), "{:?}", works[0]);
        assert!(!works[0].writes.is_empty());
        assert_eq!(works[0], works[1]);
        assert_eq!(works[0], works[2]);
    }
    service.world.close().await;
}

#[tokio::test]
async fn a_made_up_link_costs_the_same_whether_or_not_it_names_an_account() {
    let service = Service::new().await;
    let census = service.world.census().await;
    let member = census.accounts.first().expect("an account").parse().expect("an id");
    let nobody = format!("usr_{}", "0".repeat(26)).parse().expect("an id");
    let made_up = |id| {
        let token = LinkToken::make(id, &sealgate::crypto::system_entropy::SystemEntropy);
        token.expose().expose().to_owned()
    };
    let (member, nobody) = (made_up(member), made_up(nobody));
    let confirm = async |link: &str| {
        let link = link.to_owned();
        service
            .work(async move |asked: &Process| asked.confirm(&link).await.is_err())
            .await
    };
    assert_eq!(confirm(&member).await, confirm(&nobody).await);
    let reset = async |link: &str| {
        let link = link.to_owned();
        let asked = async move |asked: &Process| check_link(&asked.core, &user_type(), &link).await.is_err();
        service.work(asked).await
    };
    assert_eq!(reset(&member).await, reset(&nobody).await);
    service.world.close().await;
}
