//! How often a client's address may do something, and which address that is. By account, family, mailbox and number:
//! `limits_of_identities.rs`.

use std::time::Duration;

use serde_json::json;

use crate::support::{Answer, BROWSER, Pair, Person, Setup, StoreSet, TestApp};

cases_per_store! {
    defect_07_limits_count_sign_in_and_the_address_that_the_proxy_saw
}

cases_once! {
    every_route_has_its_number
    twins_share_a_bucket_and_user_types_do_not
    a_limit_says_when_to_come_back
    without_proxies_the_header_changes_nothing
    people_get_their_refusal_as_a_page
    the_numbers_are_the_operators
}

async fn the_numbers_are_the_operators(stores: &StoreSet) {
    let setup = Setup::new(stores).set("RATE_LIMITS", "on").set("LIMIT_VERIFY", "2/day");
    let app = setup.spawn().await;
    let (allowed, refused) = until_refused(async || app.confirm("User1", "no-such-token").await).await;
    assert_eq!(allowed, 2);
    assert_eq!(refused.header("ratelimit-policy"), "\"default\";q=2;w=86400");
    assert_eq!(refused.header("retry-after"), "43200");
    app.shut_down().await;
}

const MINUTE: Duration = Duration::from_mins(1);

/// A service that counts, behind a proxy that says who is calling.
pub(crate) async fn counting(stores: &StoreSet) -> TestApp {
    let setup = Setup::new(stores).set("RATE_LIMITS", "on");
    // What a user type may be without is there.
    let setup = setup.set("EMAIL_SIGN_IN", "code,link");
    setup.set("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8").spawn().await
}

/// Somebody asks from `client`.
async fn ask(app: &TestApp, client: &str, method: &str, path: &str) -> Answer {
    app.call(method, path).header("x-forwarded-for", client).send().await
}

/// A new account, signed in from `client`.
pub(crate) async fn member(app: &TestApp, person: &Person, client: &str) -> Pair {
    let from = |path: &str| app.post(&format!("/User1/{path}")).header("x-forwarded-for", client);
    from("create").json(&person.json()).send().await.expect(201);
    let token = app.next_link(person).await;
    from("verify").json(&json!({ "token": token })).send().await.expect(200);
    app.next_mail(&person.email).await;
    sign_in(app, person, client).await
}

pub(crate) async fn sign_in(app: &TestApp, person: &Person, client: &str) -> Pair {
    let call = app.post("/User1/login").header("x-forwarded-for", client);
    let form = [("username", person.email.as_str()), ("password", &person.password)];
    Pair::of(app, &call.form(&form).send().await.expect(200))
}

/// Asks until it is refused; answers how often it was not, and the refusal.
async fn until_refused(mut next: impl AsyncFnMut() -> Answer) -> (usize, Answer) {
    let mut allowed = 0;
    loop {
        let answer = next().await;
        if answer.status == 429 {
            return (allowed, answer.expect_problem(429, "too_many_requests"));
        }
        allowed += 1;
        assert!(allowed < 500, "{} is not limited", answer.call);
    }
}

async fn every_route_has_its_number(stores: &StoreSet) {
    let app = counting(stores).await;
    for (number, (method, path, burst, window)) in [
        ("POST", "create", 5_usize, 60_usize),
        ("POST", "login", 5, 60),
        ("GET", "verify?token=x", 10, 60),
        ("POST", "verify", 10, 60),
        ("POST", "otp_phone", 3, 60),
        ("GET", "verify_otp_phone", 5, 60),
        ("POST", "verify_otp_phone", 5, 60),
        ("GET", "forget_password", 3, 60),
        ("POST", "forget_password", 3, 60),
        ("GET", "reset_password_form", 10, 60),
        ("POST", "reset_password", 3, 60),
        ("GET", "", 60, 60),
        ("PUT", "update", 10, 60),
        ("GET", "logout", 10, 60),
        ("POST", "logout", 10, 60),
        // Nobody is signed in, and nothing is said: a hundred an hour.
        ("DELETE", "delete", 100, 3600),
        ("POST", "refresh-token", 100, 3600),
        ("POST", "resend-verification", 100, 3600),
    ]
    .into_iter()
    .enumerate()
    {
        let client = format!("203.0.113.{number}");
        let path = format!("/User1/{path}");
        let (allowed, refused) = until_refused(async || ask(&app, &client, method, &path).await).await;
        assert_eq!(allowed, burst, "{method} {path}");
        assert_eq!(
            refused.header("ratelimit-policy"),
            format!("\"default\";q={burst};w={window}")
        );
        let wait = window.div_ceil(burst);
        assert_eq!(refused.header("retry-after"), wait.to_string(), "{method} {path}");
        assert_eq!(
            refused.header("ratelimit"),
            format!("\"default\";r=0;t={wait}"),
            "{method} {path}"
        );
        // Somebody else is not concerned.
        let other = ask(&app, "198.51.100.1", method, &path).await;
        assert_ne!(other.status, 429, "{method} {path}");
    }
    // What is not of a user type is not counted.
    for _ in 0..120 {
        app.get("/livez").send().await.expect(200);
    }
    app.shut_down().await;
}

async fn twins_share_a_bucket_and_user_types_do_not(stores: &StoreSet) {
    let app = counting(stores).await;
    for (number, (methods, path, burst)) in [
        (["GET", "POST"], "verify", 10),
        (["GET", "POST"], "verify_otp_phone", 5),
        (["GET", "POST"], "forget_password", 3),
        (["POST", "GET"], "logout", 10),
        (["HEAD", "GET"], "reset_password_form", 10),
    ]
    .into_iter()
    .enumerate()
    {
        let client = format!("203.0.113.{number}");
        let path = |user_type: &str| format!("/{user_type}/{path}");
        for turn in 0..burst {
            let answer = ask(&app, &client, methods[turn % 2], &path("User1")).await;
            assert_ne!(answer.status, 429, "{turn} of {}", answer.call);
        }
        for method in methods {
            ask(&app, &client, method, &path("User1")).await.expect(429);
            assert_ne!(ask(&app, &client, method, &path("User2")).await.status, 429);
        }
    }
    // The profile with and without the slash is one route.
    for turn in 0..60 {
        let path = if turn % 2 == 0 { "/User1" } else { "/User1/" };
        ask(&app, "203.0.113.99", "GET", path).await.expect(401);
    }
    ask(&app, "203.0.113.99", "GET", "/User1").await.expect(429);
    ask(&app, "203.0.113.99", "GET", "/User1/").await.expect(429);
    app.shut_down().await;
}

async fn a_limit_says_when_to_come_back(stores: &StoreSet) {
    let app = counting(stores).await;
    let client = "203.0.113.1";
    let ask = async |email: &str| {
        let call = app.get(&format!("/User1/forget_password?email={email}"));
        call.header("x-forwarded-for", client).send().await
    };
    for (left, until_full) in [(2, 20), (1, 40), (0, 60)] {
        let answer = ask(&format!("a{left}@mail.example")).await.expect(202);
        // Of the first, the mailbox's own limit has as little left, and is whole again later.
        let (window, until_full) = if left == 2 { (3600, 1200) } else { (60, until_full) };
        assert_eq!(answer.header("ratelimit-policy"), format!("\"default\";q=3;w={window}"));
        assert_eq!(
            answer.header("ratelimit"),
            format!("\"default\";r={left};t={until_full}")
        );
        assert_eq!(answer.header("retry-after"), "");
    }
    let refused = ask("b@mail.example").await.expect(429);
    assert_eq!(refused.header("retry-after"), "20");
    // A refused one costs nothing, and one that came a moment early is told the rest.
    app.clock.advance(Duration::from_millis(19_500));
    assert_eq!(ask("b@mail.example").await.expect(429).header("retry-after"), "1");
    app.clock.advance(Duration::from_millis(500));
    ask("b@mail.example").await.expect(202);
    ask("c@mail.example").await.expect(429);
    app.clock.advance(MINUTE);
    for _ in 0..3 {
        ask("c@mail.example").await.expect(202);
    }
    ask("c@mail.example").await.expect(429);
    app.shut_down().await;
}

async fn defect_07_limits_count_sign_in_and_the_address_that_the_proxy_saw(stores: &StoreSet) {
    let app = counting(stores).await;
    let person = Person::new();
    member(&app, &person, "198.51.100.200").await;
    app.clock.advance(MINUTE);
    let try_from = async |forwarded: &[&str]| {
        let mut call = app.post("/User1/login");
        for line in forwarded {
            call = call.header("x-forwarded-for", line);
        }
        // Each a name of its own: wrong passwords of one name are counted besides.
        let name = Person::new().email;
        let form = [("username", name.as_str()), ("password", "wrong")];
        call.form(&form).send().await.status
    };
    // What stands to the left of what the proxy wrote is the client's own invention.
    for invented in ["1.1.1.1", "2.2.2.2", "unknown", "10.0.0.9", "\"; drop"] {
        assert_eq!(try_from(&[&format!("{invented}, 203.0.113.9")]).await, 401);
    }
    assert_eq!(try_from(&["3.3.3.3, 203.0.113.9"]).await, 429);
    assert_eq!(
        try_from(&["3.3.3.3", "203.0.113.9"]).await,
        429,
        "in lines of their own"
    );
    assert_eq!(try_from(&["203.0.113.9, 10.1.2.3"]).await, 429, "two proxies");
    assert_eq!(try_from(&["::ffff:203.0.113.9"]).await, 429, "the same in IPv6");
    assert_eq!(try_from(&["203.0.113.10"]).await, 401);
    // The right password from there is refused as well: nothing is learnt.
    let call = app.post("/User1/login").header("x-forwarded-for", "203.0.113.9");
    let form = [("username", person.email.as_str()), ("password", &person.password)];
    let refused = call.form(&form).send().await.expect_problem(429, "too_many_requests");
    assert!(!refused.header("retry-after").is_empty());

    // One customer's IPv6 addresses are one client.
    for host in ["::1", ":ffff::9", ":0:0:0:77", "::abcd", ":1:2:3:4"] {
        assert_eq!(try_from(&[&format!("2001:db8:1:2{host}")]).await, 401, "{host}");
    }
    assert_eq!(try_from(&["2001:db8:1:2::77:1"]).await, 429);
    assert_eq!(try_from(&["2001:db8:1:3::1"]).await, 401);

    // Nothing that can be believed: all of it is the proxy's own.
    for nothing in [
        "",
        "unknown",
        "203.0.113.77, garbage",
        "10.0.0.1, 10.0.0.2",
        "203.0.113.78:https",
    ] {
        assert_eq!(try_from(&[nothing]).await, 401, "{nothing}");
    }
    assert_eq!(try_from(&[]).await, 429);
    app.shut_down().await;
}

async fn without_proxies_the_header_changes_nothing(stores: &StoreSet) {
    let app = Setup::new(stores).set("RATE_LIMITS", "on").spawn().await;
    for number in 0..5 {
        ask(&app, &format!("203.0.113.{number}"), "POST", "/User1/login")
            .await
            .expect(422);
    }
    ask(&app, "203.0.113.200", "POST", "/User1/login").await.expect(429);
    app.shut_down().await;
}

async fn people_get_their_refusal_as_a_page(stores: &StoreSet) {
    let app = counting(stores).await;
    for (path, burst) in [("verify", 10), ("reset_password", 3)] {
        let post = async |accept: &str| {
            let call = app
                .post(&format!("/User1/{path}"))
                .form(&[("token", "x"), ("password", "x")]);
            call.accept(accept).send().await
        };
        for _ in 0..burst {
            post("application/json").await;
        }
        let page = post(BROWSER).await.expect(429);
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(!page.header("retry-after").is_empty());
        post("application/json").await.expect_problem(429, "too_many_requests");
    }
    app.shut_down().await;
}
