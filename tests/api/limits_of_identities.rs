//! How often an account, a token family, a mailbox and a number may be used, from whatever address.

use std::time::Duration;

use sealgate::domain::clock::Clock as _;
use serde_json::json;

use crate::{
    limits::{counting, member, sign_in},
    support::{Pair, Person, StoreSet, mobile},
};

cases_per_store! {
    an_account_has_sixty_a_minute_wherever_it_is
    a_token_family_has_thirty_refreshes_a_minute_wherever_it_is
    a_mailbox_gets_three_links_an_hour_whoever_asks
    a_client_asks_for_three_links_an_hour_to_one_mailbox
    a_number_gets_five_texts_an_hour_whoever_asks
    a_client_deletes_one_account_a_day
}

const HOUR: Duration = Duration::from_hours(1);

async fn an_account_has_sixty_a_minute_wherever_it_is(stores: &StoreSet) {
    let app = counting(stores).await;
    let [one, two] = [Person::new(), Person::new()];
    let own = member(&app, &one, "203.0.113.1").await;
    let second = sign_in(&app, &one, "203.0.113.1").await;
    let colleague = member(&app, &two, "203.0.113.1").await;
    let get = async |pair: &Pair, client: &str| {
        let call = app.get("/User1/").header("x-forwarded-for", client);
        call.bearer(&pair.access).send().await
    };
    for turn in 0..60 {
        let pair = if turn % 2 == 0 { &own } else { &second };
        let answer = get(pair, &format!("203.0.113.{turn}")).await.expect(200);
        assert_eq!(answer.header("ratelimit-policy"), "\"default\";q=60;w=60");
        assert!(
            answer
                .header("ratelimit")
                .starts_with(&format!("\"default\";r={};", 59 - turn))
        );
    }
    // Neither a new session nor a new address helps; whoever shares the address is not concerned.
    for client in ["203.0.113.1", "198.51.100.77"] {
        let refused = get(&second, client).await.expect_problem(429, "too_many_requests");
        assert_eq!(refused.header("retry-after"), "1");
    }
    for _ in 0..60 {
        get(&colleague, "203.0.113.1").await.expect(200);
    }
    // Nor who proves nothing from there; a forged token is nobody's account.
    let forged = Pair {
        access: format!("{}A", own.access),
        refresh: String::new(),
    };
    for _ in 0..60 {
        get(&forged, "203.0.113.1").await.expect_problem(401, "invalid_token");
    }
    get(&forged, "203.0.113.1")
        .await
        .expect_problem(429, "too_many_requests");
    app.clock.advance(Duration::from_secs(1));
    get(&own, "203.0.113.1").await.expect(200);
    app.shut_down().await;
}

async fn a_token_family_has_thirty_refreshes_a_minute_wherever_it_is(stores: &StoreSet) {
    let app = counting(stores).await;
    let person = Person::new();
    let mut pair = member(&app, &person, "203.0.113.1").await;
    let other = sign_in(&app, &person, "203.0.113.1").await;
    let refresh = async |token: &str, client: &str| {
        let call = app.post("/User1/refresh-token").header("x-forwarded-for", client);
        call.json(&json!({ "refresh_token": token })).send().await
    };
    for turn in 0..30 {
        let answer = refresh(&pair.refresh, &format!("203.0.113.{turn}")).await.expect(200);
        assert_eq!(answer.header("ratelimit-policy"), "\"default\";q=30;w=60");
        pair = Pair::of(&app, &answer);
    }
    let refused = refresh(&pair.refresh, "198.51.100.9").await;
    let refused = refused.expect_problem(429, "too_many_requests");
    assert_eq!(refused.header("retry-after"), "2");
    refresh(&other.refresh, "203.0.113.1").await.expect(200);
    // The refused one used nothing up.
    app.clock.advance(Duration::from_secs(2));
    refresh(&pair.refresh, "198.51.100.9").await.expect(200);
    app.shut_down().await;
}

/// Past three an hour nobody is told, and no mail goes: strangers learn nothing, and keep no owner from a link.
async fn a_mailbox_gets_three_links_an_hour_whoever_asks(stores: &StoreSet) {
    let app = counting(stores).await;
    let (person, nobody) = (Person::new(), Person::new());
    member(&app, &person, "203.0.113.1").await;
    let ask = async |email: &str, client: &str| {
        let call = app.post("/User1/forget_password").header("x-forwarded-for", client);
        call.json(&json!({ "email": email })).send().await
    };
    let mailed = async || {
        app.all_mails(&person.email)
            .await
            .into_iter()
            .filter(|mail| mail.subject.contains("password"))
    };
    let (began, mut shapes) = (app.clock.now(), Vec::new());
    for email in [&person.email, &nobody.email] {
        // However it is spelt; one more stranger learns nothing of those before.
        for (n, spelling) in [email.clone(), email.to_uppercase(), email.replacen('g', "G", 1)]
            .into_iter()
            .chain([(); 5].map(|()| email.clone()))
            .enumerate()
        {
            let client = format!("198.51.{n}.{}", shapes.len());
            let answer = ask(&spelling, &client).await.expect(202);
            let fields = ["ratelimit", "ratelimit-policy"].map(|name| answer.header(name).to_owned());
            shapes.push((answer.shape(), fields));
            app.settle().await;
            app.clock.advance(Duration::from_secs(1));
        }
    }
    assert!(shapes.iter().all(|shape| *shape == shapes[0]), "{shapes:#?}");
    assert_eq!(mailed().await.count(), 3);

    // The owner asks, in vain as it seems, and has the last link, which nothing has voided.
    let just_before = began.plus(HOUR / 3).minus(Duration::from_secs(1));
    app.clock.advance(just_before.since(app.clock.now()));
    ask(&person.email, "203.0.113.1").await.expect(202);
    assert_eq!(mailed().await.count(), 3);
    let new = "Qu1te-another-0ne!";
    let mut answers = Vec::new();
    for token in mailed().await.map(|mail| mail.token()) {
        let call = app
            .post("/User1/reset_password")
            .header("x-forwarded-for", "203.0.113.1");
        let answer = call.json(&json!({ "token": token, "password": new })).send().await;
        answers.push(answer.status);
    }
    answers.sort_unstable();
    assert_eq!(answers, [200, 400, 400], "one of them, whichever came last");
    // And another one as soon as there is one; the other user type counts for itself.
    app.clock.advance(Duration::from_secs(1));
    ask(&person.email, "203.0.113.1").await.expect(202);
    assert_eq!(mailed().await.filter(|mail| mail.link().is_some()).count(), 4);
    app.shut_down().await;
}

async fn a_client_asks_for_three_links_an_hour_to_one_mailbox(stores: &StoreSet) {
    let app = counting(stores).await;
    let person = Person::new();
    member(&app, &person, "203.0.113.1").await;
    let ask = async |user_type: &str, email: &str, client: &str| {
        let call = app.post(&format!("/{user_type}/forget_password"));
        let call = call.header("x-forwarded-for", client);
        let answer = call.json(&json!({ "email": email })).send().await;
        // The route itself allows three a minute.
        app.clock.advance(Duration::from_secs(20));
        answer
    };
    for (client, email) in [("203.0.113.2", &person.email), ("203.0.113.3", &Person::new().email)] {
        for spelling in [email.clone(), email.to_uppercase(), email.replacen('g', "G", 1)] {
            ask("User1", &spelling, client).await.expect(202);
        }
        let refused = ask("User1", email, client)
            .await
            .expect_problem(429, "too_many_requests");
        assert_eq!(refused.header("retry-after"), "1140");
        assert_eq!(refused.header("ratelimit-policy"), "\"default\";q=3;w=3600");
        // Another mailbox, another user type and another client have their own.
        ask("User1", &Person::new().email, client).await.expect(202);
        ask("User2", email, client).await.expect(202);
        ask("User1", email, "203.0.113.99").await.expect(202);
        app.clock.advance(HOUR / 3);
        ask("User1", email, client).await.expect(202);
    }
    app.shut_down().await;
}

async fn a_number_gets_five_texts_an_hour_whoever_asks(stores: &StoreSet) {
    let app = counting(stores).await;
    let victim = mobile();
    let ask = async |pair: &Pair, number: &str, client: &str| {
        let call = app.post("/User1/otp_phone").header("x-forwarded-for", client);
        call.bearer(&pair.access).json(&json!({ "phone": number })).send().await
    };
    for number in 0..5 {
        let client = format!("203.0.113.{number}");
        let pair = member(&app, &Person::new(), &client).await;
        ask(&pair, &victim, &client).await.expect(202);
        app.next_code(&victim).await;
        // One that comes too soon is refused before it is counted.
        ask(&pair, &victim, &client)
            .await
            .expect_problem(429, "code_sent_recently");
    }
    let last = member(&app, &Person::new(), "203.0.113.9").await;
    let refused = ask(&last, &victim, "203.0.113.9").await;
    let refused = refused.expect_problem(429, "too_many_requests");
    assert_eq!(refused.header("ratelimit-policy"), "\"default\";q=5;w=3600");
    assert_eq!(refused.header("retry-after"), "720");
    // Another number is not concerned, and the refused one became nobody's.
    let profile = app.get("/User1/").bearer(&last.access).send().await.expect(200).json();
    assert_ne!(profile["phone"], victim.as_str());
    ask(&last, &mobile(), "203.0.113.9").await.expect(202);
    assert_eq!(app.all_texts().await.iter().filter(|text| text.to == victim).count(), 5);
    app.shut_down().await;
}

async fn a_client_deletes_one_account_a_day(stores: &StoreSet) {
    let app = counting(stores).await;
    let [one, two] = [Person::new(), Person::new()];
    let client = "203.0.113.1";
    let first = member(&app, &one, client).await;
    let second = member(&app, &two, client).await;
    let delete = async |pair: &Pair, password: &str, client: &str| {
        let call = app.call("DELETE", "/User1/delete").header("x-forwarded-for", client);
        call.bearer(&pair.access)
            .json(&json!({ "password": password }))
            .send()
            .await
    };
    // A refused one does not count.
    delete(&first, "wrong", client)
        .await
        .expect_problem(403, "wrong_password");
    delete(&first, &one.password, client).await.expect(200);
    let refused = delete(&second, &two.password, client).await;
    let refused = refused.expect_problem(429, "too_many_requests");
    assert_eq!(refused.header("retry-after"), (24 * 3600).to_string());
    let profile = app.get("/User1/").bearer(&second.access).send().await;
    assert_eq!(
        profile.expect(200).member("email"),
        two.email,
        "the account is as it was"
    );
    app.clock.advance(HOUR * 24);
    let second = sign_in(&app, &two, client).await;
    delete(&second, &two.password, client).await.expect(200);
    // Another client is not concerned.
    let three = Person::new();
    let third = member(&app, &three, "198.51.100.1").await;
    delete(&third, &three.password, "198.51.100.1").await.expect(200);
    app.shut_down().await;
}
