//! Wrong passwords: how many are compared, and that nobody is locked out by a stranger's.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::{
    limits::{member, sign_in},
    support::{Answer, Pair, Person, Setup, StoreSet, TestApp},
};

cases_per_store! {
    of_five_hundred_guesses_from_one_address_five_are_compared
    of_five_hundred_guesses_from_fifty_addresses_twenty_are_compared
    an_unknown_name_is_held_up_just_so
    a_victim_signs_in_from_a_known_device_meanwhile
    a_reset_works_meanwhile_and_makes_its_place_known
    a_reset_forgets_the_tries_of_before
    pauses_grow_and_end
    every_path_that_compares_a_password_is_held_up
}

/// Counts tries, and lets every address try as often as it likes: the limits of addresses have tests of their own.
async fn open(stores: &StoreSet) -> TestApp {
    settings(stores).spawn().await
}

pub(crate) fn settings(stores: &StoreSet) -> Setup {
    let mut setup = Setup::new(stores).set("RATE_LIMITS", "on");
    for limit in [
        "LOGIN",
        "CREATE",
        "VERIFY",
        "FORGET_PASSWORD",
        "RESET_PASSWORD",
        "REAUTHENTICATE",
        "ACCOUNT",
    ] {
        setup = setup.set(&format!("LIMIT_{limit}"), "100000/s");
    }
    setup.set("TRUSTED_PROXIES", "127.0.0.1")
}

pub(crate) async fn guess(app: &TestApp, name: &str, client: &str, password: &str) -> Answer {
    let call = app.post("/User1/login").header("x-forwarded-for", client);
    call.form(&[("username", name), ("password", password)]).send().await
}

/// So many guesses at once; answers how many were compared.
async fn compared(app: &TestApp, name: &str, guesses: usize, client: impl Fn(usize) -> String) -> usize {
    let clients: Vec<String> = (0..guesses).map(client).collect();
    let tries = clients
        .iter()
        .map(|client| guess(app, name, client, "a-wrong-password"));
    let mut compared = 0;
    for answer in join_all(tries).await {
        if answer.status == 401 {
            compared += 1;
        } else {
            answer.expect_problem(429, "too_many_tries");
        }
    }
    compared
}

fn scattered(n: usize) -> String {
    format!("198.18.{}.7", n % 50)
}

async fn of_five_hundred_guesses_from_one_address_five_are_compared(stores: &StoreSet) {
    let app = open(stores).await;
    let person = Person::new();
    member(&app, &person, "203.0.113.1").await;
    assert_eq!(compared(&app, &person.email, 500, |_| "198.51.100.9".into()).await, 5);
    // However it is spelt, and from the next house.
    let spelt = compared(&app, &person.email.to_uppercase(), 20, |n| format!("198.51.100.{n}")).await;
    assert_eq!(spelt, 0);
    app.shut_down().await;
}

async fn of_five_hundred_guesses_from_fifty_addresses_twenty_are_compared(stores: &StoreSet) {
    let app = open(stores).await;
    let person = Person::new();
    member(&app, &person, "203.0.113.1").await;
    assert_eq!(compared(&app, &person.email, 500, scattered).await, 20);
    app.shut_down().await;
}

async fn an_unknown_name_is_held_up_just_so(stores: &StoreSet) {
    let app = open(stores).await;
    let [person, nobody] = [Person::new(), Person::new()];
    member(&app, &person, "203.0.113.1").await;
    let mut shapes = Vec::new();
    for name in [&person.email, &nobody.email] {
        let mut answers = Vec::new();
        for n in 0..8 {
            let answer = guess(&app, name, "198.51.100.9", &format!("wrong-{n}")).await;
            answers.push((answer.shape(), answer.headers.get("retry-after").cloned()));
        }
        shapes.push(answers);
    }
    assert_eq!(shapes[0], shapes[1]);
    assert_eq!(shapes[0].iter().filter(|(shape, _)| shape.0 == 429).count(), 3);
    app.shut_down().await;
}

async fn a_victim_signs_in_from_a_known_device_meanwhile(stores: &StoreSet) {
    let app = open(stores).await;
    let person = Person::new();
    member(&app, &person, "203.0.113.1").await;
    let first = guess(&app, &person.email, "198.51.100.200", &person.password)
        .await
        .expect(200);
    let token = first.header("x-device-token").to_owned();
    compared(&app, &person.email, 100, scattered).await;
    // Somebody new waits, with the right password, too: whether it is right is not told.
    guess(&app, &person.email, "192.0.2.1", &person.password)
        .await
        .expect_problem(429, "too_many_tries");
    // The same program from the same network; and wherever it is with its token.
    sign_in(&app, &person, "203.0.113.200").await;
    let members = [
        ("username", person.email.as_str()),
        ("password", person.password.as_str()),
    ];
    let away = app.post("/User1/login").header("x-forwarded-for", "192.0.2.1");
    let away = away.header("x-device-token", &token).form(&members);
    away.send().await.expect(200);
    // A known device's own guesses have an end, and hold up nobody else.
    let mut refused = 0;
    for _ in 0..8 {
        let call = app.post("/User1/login").header("x-forwarded-for", "192.0.2.77");
        let call = call.header("x-device-token", &token);
        let wrong = [("username", person.email.as_str()), ("password", "a-wrong-password")];
        refused += usize::from(call.form(&wrong).send().await.status == 429);
    }
    assert_eq!(refused, 3);
    sign_in(&app, &person, "203.0.113.1").await;
    app.shut_down().await;
}

async fn a_reset_works_meanwhile_and_makes_its_place_known(stores: &StoreSet) {
    let app = open(stores).await;
    let person = Person::new();
    let own = member(&app, &person, "203.0.113.1").await;
    compared(&app, &person.email, 100, scattered).await;
    let call = app
        .post("/User1/forget_password")
        .header("x-forwarded-for", "192.0.2.1");
    call.json(&json!({ "email": person.email })).send().await.expect(202);
    let token = app.next_link(&person).await;
    let new = "Qu1te-another-0ne!";
    let call = app.post("/User1/reset_password").header("x-forwarded-for", "192.0.2.1");
    call.json(&json!({ "token": token, "password": new }))
        .send()
        .await
        .expect(200);
    guess(&app, &person.email, "192.0.2.1", new).await.expect(200);
    // The places before are not known any more: one of them may have been the thief's.
    app.profile("User1", &own.access).await.expect(401);
    assert_eq!(compared(&app, &person.email, 100, scattered).await, 20, "counted anew");
    guess(&app, &person.email, "203.0.113.1", new)
        .await
        .expect_problem(429, "too_many_tries");
    guess(&app, &person.email, "192.0.2.1", new).await.expect(200);
    app.shut_down().await;
}

/// The owner had guessed, too, and strangers with both names: the link from the mailbox ends all of it.
async fn a_reset_forgets_the_tries_of_before(stores: &StoreSet) {
    let app = open(stores).await;
    let person = Person::new().with_username();
    let username = person.username.clone().expect("a username");
    member(&app, &person, "203.0.113.1").await;
    let names = [&person.email, &username];
    for name in names {
        compared(&app, name, 100, scattered).await;
        assert_eq!(compared(&app, name, 10, |_| "203.0.113.1".into()).await, 5);
    }
    app.forget("User1", &person.email).await.expect(202);
    let token = app.next_link(&person).await;
    let new = "Qu1te-another-0ne!";
    let reset = async |token: &str| {
        let call = app
            .post("/User1/reset_password")
            .header("x-forwarded-for", "203.0.113.1");
        call.json(&json!({ "token": token, "password": new })).send().await
    };
    reset("garbled").await.expect_problem(400, "link_invalid");
    guess(&app, &person.email, "203.0.113.1", &person.password)
        .await
        .expect_problem(429, "too_many_tries");
    reset(&token).await.expect(200);
    for name in names {
        guess(&app, name, "203.0.113.1", new).await.expect(200);
        // From another house, too; strangers have what a new name has, and no more.
        guess(&app, name, "192.0.2.1", new).await.expect(200);
        assert_eq!(compared(&app, name, 100, scattered).await, 20);
    }
    app.shut_down().await;
}

async fn pauses_grow_and_end(stores: &StoreSet) {
    let app = open(stores).await;
    let person = Person::new();
    member(&app, &person, "203.0.113.1").await;
    let wrong = async || guess(&app, &person.email, "198.51.100.9", "a-wrong-password").await;
    for _ in 0..5 {
        wrong().await.expect_problem(401, "invalid_credentials");
    }
    let mut waits = Vec::new();
    for _ in 0..10 {
        let refused = wrong().await.expect_problem(429, "too_many_tries");
        assert!(
            refused.json()["detail"]
                .as_str()
                .expect("text")
                .contains(refused.header("retry-after"))
        );
        let wait: u64 = refused.header("retry-after").parse().expect("seconds");
        waits.push(wait);
        app.clock.advance(Duration::from_secs(wait));
        wrong().await.expect_problem(401, "invalid_credentials");
    }
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
    // The right one after the pause is good, and forgets the wrong ones from there.
    app.clock.advance(Duration::from_mins(15));
    guess(&app, &person.email, "198.51.100.9", &person.password)
        .await
        .expect(200);
    for _ in 0..5 {
        wrong().await.expect_problem(401, "invalid_credentials");
    }
    app.clock.advance(Duration::from_hours(1));
    for _ in 0..5 {
        wrong().await.expect_problem(401, "invalid_credentials");
    }
    app.shut_down().await;
}

async fn every_path_that_compares_a_password_is_held_up(stores: &StoreSet) {
    let app = open(stores).await;
    let person = Person::new();
    let own = member(&app, &person, "203.0.113.1").await;
    let other = sign_in(&app, &person, "203.0.113.1").await;
    let wrong = json!({ "password": "a-wrong-password" });
    let change = json!({ "current_password": "a-wrong-password", "new_password": "Qu1te-another-0ne!" });
    let paths = [
        ("POST", "reauthenticate", &wrong),
        ("POST", "change-password", &change),
        ("DELETE", "delete", &wrong),
    ];
    let post = async |pair: &Pair, n: usize| {
        let (method, path, body) = paths[n % 3];
        let call = app.call(method, &format!("/User1/{path}")).bearer(&pair.access);
        call.json(body).send().await
    };
    // One count for all three, of one session.
    for n in 0..5 {
        post(&own, n).await.expect_problem(403, "wrong_password");
    }
    for n in 0..3 {
        let refused = post(&own, n).await.expect_problem(429, "too_many_tries");
        assert_eq!(refused.header("retry-after"), "5");
    }
    // Another session of the account, and a sign-in, have their own.
    post(&other, 0).await.expect_problem(403, "wrong_password");
    sign_in(&app, &person, "203.0.113.1").await;
    app.clock.advance(Duration::from_secs(5));
    let right = app.post("/User1/reauthenticate").bearer(&own.access);
    right
        .json(&json!({ "password": person.password }))
        .send()
        .await
        .expect(200);
    app.shut_down().await;
}
