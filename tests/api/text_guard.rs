//! What a text may cost: countries, caps of a day, limits of accounts, clients and prefixes, codes that don't come back.

use std::time::Duration;

use sealgate::domain::audit::AuditEvent;
use serde_json::json;

use crate::{
    limits::member,
    support::{Answer, Pair, Person, Setup, StoreSet, TestApp, mobile},
};

cases_per_store! {
    a_cap_of_the_day_ends_texts_until_the_next
    a_cap_of_one_user_type_is_not_the_others
    codes_that_do_not_come_back_pause_their_prefix
    an_account_and_a_client_have_their_limits_of_texts
    user_types_share_the_limits_of_texts
}

cases_once! {
    only_countries_that_are_served_are_texted
    numbers_in_a_row_have_a_limit_together
}

/// Somebody with a number of their own.
async fn reachable(app: &TestApp, user_type: &str) -> (Person, Pair) {
    let person = Person::new().with_mobile();
    app.join(user_type, &person).await;
    let pair = app.login(user_type, &person).await;
    (person, pair)
}

async fn ask(app: &TestApp, user_type: &str, pair: &Pair) -> Answer {
    app.ask_code(user_type, &pair.access, &json!({})).await
}

async fn count_of(app: &TestApp, user_type: &str, event: AuditEvent) -> usize {
    app.audit(user_type)
        .await
        .iter()
        .filter(|entry| entry.event == event)
        .count()
}

async fn a_cap_of_the_day_ends_texts_until_the_next(stores: &StoreSet) {
    let setup = Setup::new(stores).set("SMS_DAILY_CAP_ALL", "2");
    // Issuer and audience are made of it: a token outlives the restart.
    let setup = setup.set("PUBLIC_URL", "http://id.example.com");
    let app = setup.spawn().await;
    let mut people = Vec::new();
    for user_type in ["User1", "User2", "User1", "User2"] {
        people.push((user_type, reachable(&app, user_type).await));
    }
    for (user_type, (person, pair)) in &people[..2] {
        ask(&app, user_type, pair).await.expect(202);
        app.next_code(&person.phone).await;
    }
    for (user_type, (_, pair)) in &people[2..] {
        let refused = ask(&app, user_type, pair).await.expect_problem(503, "texts_paused");
        // Until midnight: tests begin at 16:00:00.123 UTC.
        assert_eq!(refused.header("retry-after"), (8 * 3600).to_string());
    }
    assert_eq!(app.all_texts().await.len(), 2);
    assert_eq!(count_of(&app, "User1", AuditEvent::TextsPaused).await, 1, "told once");
    assert_eq!(count_of(&app, "User2", AuditEvent::TextsPaused).await, 0);

    // Who was refused neither waits nor has lost a text: a restart changes nothing, the next day everything.
    let clock = std::sync::Arc::clone(&app.clock);
    app.shut_down().await;
    let app = setup.spawn().await;
    ask(&app, "User1", &people[2].1.1)
        .await
        .expect_problem(503, "texts_paused");
    clock.advance(Duration::from_hours(8));
    let (person, _) = &people[2].1;
    let pair = app.login("User1", person).await;
    ask(&app, "User1", &pair).await.expect(202);
    app.shut_down().await;
}

async fn a_cap_of_one_user_type_is_not_the_others(stores: &StoreSet) {
    let app = Setup::new(stores).set("SMS_DAILY_CAP_User1", "1").spawn().await;
    let [one, two] = [reachable(&app, "User1").await, reachable(&app, "User1").await];
    let other = reachable(&app, "User2").await;
    ask(&app, "User1", &one.1).await.expect(202);
    ask(&app, "User1", &two.1).await.expect_problem(503, "texts_paused");
    ask(&app, "User2", &other.1).await.expect(202);
    app.shut_down().await;
}

async fn codes_that_do_not_come_back_pause_their_prefix(stores: &StoreSet) {
    let app = Setup::new(stores)
        .set("SMS_CONVERSION_VOLUME", "3")
        .set("SMS_CONVERSION_PERCENT", "50")
        .spawn()
        .await;
    let mut pairs = Vec::new();
    // The same seven digits, whatever number the others of the suite are at.
    for number in 0..5 {
        let (_, pair) = app.member("User1").await;
        let phone = format!("+4917612345{number:02}");
        let asked = json!({ "phone": phone });
        if number < 3 {
            app.ask_code("User1", &pair.access, &asked).await.expect(202);
            app.next_code(&phone).await;
        }
        pairs.push((pair, asked));
    }
    app.clock.advance(Duration::from_mins(10));
    let mut fresh = Vec::new();
    for _ in 0..3 {
        fresh.push(reachable(&app, "User1").await);
    }
    let enrol = async |number: usize| {
        let (pair, asked) = &pairs[number];
        let body = json!({ "phone": asked["phone"] });
        app.ask_code("User1", &pair.access, &body).await
    };
    // Enrolling takes a fresh sign-in: those who have the numbers already ask again.
    enrol(0).await.expect(202);
    let refused = enrol(1).await.expect_problem(503, "texts_paused");
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(count_of(&app, "User1", AuditEvent::TextsPaused).await, 1);
    assert_eq!(
        count_of(&app, "User1", AuditEvent::TextConversionLow).await,
        1,
        "of the country"
    );

    // Elsewhere in the country texts go on, and codes that come back are no alarm.
    for (person, pair) in &fresh {
        let sent = ask(&app, "User1", pair).await.expect(202);
        let code = app.next_code(&person.phone).await;
        app.send_code("User1", &pair.access, &sent.member("otp"), &code)
            .await
            .expect(200);
    }
    app.clock.advance(Duration::from_mins(10));
    let (_, last) = reachable(&app, "User1").await;
    ask(&app, "User1", &last).await.expect(202);
    let counted = app.open_stores().await.text_counts.list().await.expect("a store");
    let now = sealgate::domain::clock::Clock::now(&*app.clock);
    let named = |name: &str| counted.iter().find(|record| record.id.to_string() == name).expect(name);
    let prefix = named("prefix:4917612");
    assert_eq!((prefix.conversion(now).sent, prefix.conversion(now).verified), (4, 0));
    let country = named("country:49");
    assert_eq!((country.conversion(now).sent, country.conversion(now).verified), (7, 3));
    // The next day, texts go there again.
    app.clock.advance(Duration::from_hours(8));
    let (_, pair) = app.member("User1").await;
    let asked = json!({ "phone": "+491761234599" });
    app.ask_code("User1", &pair.access, &asked).await.expect(202);
    app.shut_down().await;
}

async fn an_account_and_a_client_have_their_limits_of_texts(stores: &StoreSet) {
    let app = Setup::new(stores)
        .set("RATE_LIMITS", "on")
        .set("TRUSTED_PROXIES", "127.0.0.1")
        .set("LIMIT_TEXTS_OF_ACCOUNT", "2/day")
        .set("LIMIT_TEXTS_OF_CLIENT", "3/h")
        .spawn()
        .await;
    let ask = async |pair: &Pair, client: &str| {
        let call = app.post("/User1/otp_phone").header("x-forwarded-for", client);
        let body = json!({ "phone": mobile() });
        call.bearer(&pair.access).json(&body).send().await
    };
    let one = member(&app, &Person::new(), "203.0.113.1").await;
    let sent = ask(&one, "203.0.113.1").await.expect(202);
    // Of those that count, the one with least left; of two, the one that is whole later.
    assert_eq!(sent.header("ratelimit-policy"), "\"default\";q=2;w=86400");
    assert_eq!(sent.header("ratelimit"), "\"default\";r=1;t=43200");
    app.clock.advance(Duration::from_mins(1));
    ask(&one, "203.0.113.2").await.expect(202);
    app.clock.advance(Duration::from_mins(2));
    // From wherever.
    let refused = ask(&one, "203.0.113.3").await.expect_problem(429, "too_many_requests");
    assert_eq!(refused.header("ratelimit-policy"), "\"default\";q=2;w=86400");

    let others = [(); 4].map(|()| Person::new());
    for (n, person) in others.iter().enumerate() {
        let pair = member(&app, person, &format!("198.51.100.{n}")).await;
        let answer = ask(&pair, "203.0.113.77").await;
        // The route itself allows three a minute.
        app.clock.advance(Duration::from_secs(30));
        if n < 3 {
            answer.expect(202);
        } else {
            let refused = answer.expect_problem(429, "too_many_requests");
            assert_eq!(refused.header("ratelimit-policy"), "\"default\";q=3;w=3600");
        }
    }
    app.shut_down().await;
}

/// Somebody with an account in each population does not get as many times the texts.
async fn user_types_share_the_limits_of_texts(stores: &StoreSet) {
    for (limit, is_one_client, is_one_number) in [
        ("TO_NUMBER", false, true),
        ("TO_PREFIX", false, false),
        ("TO_COUNTRY", false, false),
        ("OF_CLIENT", true, false),
    ] {
        let app = Setup::new(&stores.another())
            .set("RATE_LIMITS", "on")
            .set("TRUSTED_PROXIES", "127.0.0.1")
            .set(&format!("LIMIT_TEXTS_{limit}"), "2/h")
            .spawn()
            .await;
        let numbers: Vec<String> = (0..4).map(|n| format!("+4917612345{n:02}")).collect();
        for (n, user_type) in ["User1", "User2", "User1", "User2"].into_iter().enumerate() {
            let (_, pair) = app.member(user_type).await;
            let number = &numbers[if is_one_number { 0 } else { n }];
            let client = format!("203.0.113.{}", if is_one_client { 0 } else { n });
            let call = app.post(&format!("/{user_type}/otp_phone"));
            let call = call.header("x-forwarded-for", &client).bearer(&pair.access);
            let answer = call.json(&json!({ "phone": number })).send().await;
            if n < 2 {
                answer.expect(202);
            } else {
                let refused = answer.expect_problem(429, "too_many_requests");
                assert_eq!(refused.header("ratelimit-policy"), "\"default\";q=2;w=3600", "{limit}");
            }
        }
        assert_ne!(count_of(&app, "User1", AuditEvent::LimitReached).await, 0, "{limit}");
        app.shut_down().await;
    }
}

async fn numbers_in_a_row_have_a_limit_together(stores: &StoreSet) {
    let app = Setup::new(stores)
        .set("RATE_LIMITS", "on")
        .set("TRUSTED_PROXIES", "127.0.0.1")
        .set("LIMIT_TEXTS_TO_PREFIX", "3/h")
        .spawn()
        .await;
    for number in 0..4 {
        let client = format!("203.0.113.{number}");
        let pair = member(&app, &Person::new(), &client).await;
        let call = app.post("/User1/otp_phone").header("x-forwarded-for", &client);
        let body = json!({ "phone": format!("+4917612345{number:02}") });
        let answer = call.bearer(&pair.access).json(&body).send().await;
        answer.expect(if number < 3 { 202 } else { 429 });
    }
    app.shut_down().await;
}

async fn only_countries_that_are_served_are_texted(stores: &StoreSet) {
    let app = Setup::new(stores).set("SMS_COUNTRIES", "ch, US").spawn().await;
    for (number, status) in [
        ("+41791234567", 202),
        ("+12015550123", 202),
        ("+16045550123", 422),
        ("+4915123456789", 422),
    ] {
        let (_, pair) = app.member("User1").await;
        let answer = app
            .ask_code("User1", &pair.access, &json!({ "phone": number }))
            .await
            .expect(status);
        if status == 422 {
            let refused = answer.expect_problem(422, "phone_not_textable");
            assert!(refused.member("detail").contains("country"), "{}", refused.text());
        }
    }
    assert_eq!(app.all_texts().await.len(), 2);
    app.shut_down().await;
}
