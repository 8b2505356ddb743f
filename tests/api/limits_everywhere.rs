//! Every route has a limit and says what is left of it; who is exempt, and what is shown when several count.

use sealgate::{
    domain::{
        limits::{Limit, Quotas},
        user_type::parse_user_types,
    },
    http::{
        docs::document,
        middleware::rate_limit::{Counted, counted},
    },
};
use serde_json::{Value, json};

use crate::{
    limits::{counting, member},
    support::{Answer, Person, Setup, StoreSet, TestApp},
};

cases_once! {
    every_operation_of_the_document_has_a_limit_and_says_so
    pages_of_the_system_have_a_limit_and_probes_have_none
    without_limits_nothing_is_said_of_any
    of_several_limits_the_tightest_is_shown
    an_exempt_network_is_not_counted_by_address
    nobody_becomes_exempt_by_a_header
    where_something_is_guessed_or_texted_nobody_is_exempt
}

async fn ask(app: &TestApp, forwarded: &str, method: &str, path: &str) -> Answer {
    app.call(method, path).header("x-forwarded-for", forwarded).send().await
}

async fn every_operation_of_the_document_has_a_limit_and_says_so(stores: &StoreSet) {
    let app = counting(stores).await;
    let document: Value =
        serde_json::from_str(&document(&parse_user_types("User1,User2").expect("valid"))).expect("JSON");
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            let route = path.trim_start_matches("/User1").trim_start_matches("/User2");
            let limit = match counted(route) {
                _ if route.starts_with("/hooks/") => Limit::StatusCallback,
                _ if route.starts_with("/.well-known/") => Limit::VerifyToken,
                Counted::Client(limit) => limit,
                Counted::Identity { strangers, .. } => strangers,
            };
            let quota = Quotas::default().of(limit);
            // A client of its own for each: nobody has used anything up.
            let client = format!("2001:db8:{operations:x}::1");
            let path = path
                .replace("{id}", "ses_00000000000000000000000000")
                .replace("{message_id}", "msg_00000000000000000000000000")
                .replace("{user_type}", "User1");
            let answer = ask(&app, &client, &method.to_uppercase(), &path).await;
            assert!(
                // Nobody has set who to write to about security.
                ![404, 405].contains(&answer.status) || path.ends_with("/security.txt"),
                "{} answered {}",
                answer.call,
                answer.status
            );
            let policy = format!("\"default\";q={};w={}", quota.burst, quota.period.as_secs());
            assert_eq!(answer.header("ratelimit-policy"), policy, "{}", answer.call);
            let left = format!("\"default\";r={};t=", quota.burst - 1);
            assert!(
                answer.header("ratelimit").starts_with(&left),
                "{}: {:?}",
                answer.call,
                answer.headers
            );
            operations += 1;
        }
    }
    assert!(operations > 30, "{operations}");
    app.shut_down().await;
}

async fn pages_of_the_system_have_a_limit_and_probes_have_none(stores: &StoreSet) {
    let app = Setup::new(stores)
        .set("RATE_LIMITS", "on")
        .set("TRUSTED_PROXIES", "127.0.0.1")
        .set("LIMIT_STRANGER", "2/h")
        .set("DOCS", "on")
        .spawn()
        .await;
    for path in [
        "/errors",
        "/docs",
        "/redoc",
        "/scalar",
        "/openapi.json",
        "/openapi.yaml",
    ] {
        for left in [1, 0] {
            let call = app.get(path).header("x-forwarded-for", "203.0.113.1");
            let answer = call.send_unchecked().await.expect(200);
            let shown = format!("\"default\";r={left};");
            assert!(
                answer.header("ratelimit").starts_with(&shown),
                "{path}: {:?}",
                answer.headers
            );
        }
        let refused = app
            .get(path)
            .header("x-forwarded-for", "203.0.113.1")
            .send_unchecked()
            .await;
        let refused = refused.expect_problem(429, "too_many_requests");
        assert_eq!(refused.header("retry-after"), "1800", "{path}");
        app.get(path)
            .header("x-forwarded-for", "203.0.113.2")
            .send_unchecked()
            .await
            .expect(200);
    }
    for path in ["/livez", "/readyz", "/health", "/db_check"] {
        for _ in 0..5 {
            let answer = app
                .get(path)
                .header("x-forwarded-for", "203.0.113.1")
                .send_unchecked()
                .await;
            assert_eq!((answer.status, answer.header("ratelimit")), (200, ""), "{path}");
        }
    }
    app.shut_down().await;
}

async fn without_limits_nothing_is_said_of_any(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    let (_, pair) = app.member("User1").await;
    let profile = app.profile("User1", &pair.access).await.expect(200);
    let asked = app.forget("User1", "nobody@mail.example").await.expect(202);
    let refused = app.sign_in("User1", "nobody@mail.example", "wrong").await.expect(401);
    for answer in [profile, asked, refused] {
        for name in ["ratelimit", "ratelimit-policy"] {
            assert_eq!(answer.header(name), "", "{}", answer.call);
        }
    }
    app.shut_down().await;
}

async fn of_several_limits_the_tightest_is_shown(stores: &StoreSet) {
    let app = counting(stores).await;
    let forget = async |client: &str, email: &str| {
        let call = app.post("/User1/forget_password").header("x-forwarded-for", client);
        call.json(&json!({ "email": email })).send().await.expect(202)
    };
    // Both have two left; that of client and mailbox is whole again later.
    let first = forget("203.0.113.1", "a@mail.example").await;
    assert_eq!(first.header("ratelimit"), "\"default\";r=2;t=1200");
    // What is left to the mailbox, wherever it is asked from, is told to nobody: it tells of others.
    let second = forget("203.0.113.2", "a@mail.example").await;
    assert_eq!(second.header("ratelimit"), "\"default\";r=2;t=1200");
    let again = forget("203.0.113.2", "a@mail.example").await;
    assert_eq!(again.header("ratelimit"), "\"default\";r=1;t=2400");
    assert_eq!(again.header("ratelimit-policy"), "\"default\";q=3;w=3600");
    // The client has one left, whatever it asks for.
    let third = forget("203.0.113.1", "b@mail.example").await;
    assert_eq!(third.header("ratelimit"), "\"default\";r=1;t=40");
    assert_eq!(third.header("ratelimit-policy"), "\"default\";q=3;w=60");
    app.shut_down().await;
}

/// Behind a proxy, with a network that is exempt.
async fn with_exempt(stores: &StoreSet, exempt: &str) -> TestApp {
    let setup = Setup::new(stores).set("RATE_LIMITS", "on").set("LIMIT_EXEMPT", exempt);
    setup.set("TRUSTED_PROXIES", "127.0.0.1").spawn().await
}

async fn an_exempt_network_is_not_counted_by_address(stores: &StoreSet) {
    let app = with_exempt(stores, "203.0.113.0/24, 2001:db8:7::/48, 198.51.100.9").await;
    for client in ["203.0.113.50", "2001:db8:7:1::9", "198.51.100.9", "::ffff:203.0.113.5"] {
        for _ in 0..12 {
            let answer = ask(&app, client, "GET", "/User1/verify?token=x").await;
            assert_ne!(answer.status, 429, "{client}");
            assert_eq!(answer.header("ratelimit"), "", "nothing is counted, nothing is said");
        }
    }
    for client in ["203.0.112.255", "2001:db8:8::9", "198.51.100.10"] {
        for _ in 0..10 {
            assert_ne!(ask(&app, client, "GET", "/User1/verify?token=x").await.status, 429);
        }
        ask(&app, client, "GET", "/User1/verify?token=x").await.expect(429);
    }
    // What counts accounts and mailboxes counts them from there too.
    let person = Person::new();
    let pair = member(&app, &person, "203.0.113.50").await;
    for _ in 0..60 {
        let call = app.get("/User1/").header("x-forwarded-for", "203.0.113.50");
        call.bearer(&pair.access).send().await.expect(200);
    }
    let call = app.get("/User1/").header("x-forwarded-for", "203.0.113.50");
    call.bearer(&pair.access).send().await.expect(429);
    let forget = async || {
        let call = app
            .post("/User1/forget_password")
            .header("x-forwarded-for", "203.0.113.50");
        call.json(&json!({ "email": person.email })).send().await
    };
    for left in [2, 1, 0] {
        let shown = format!("\"default\";r={left};");
        assert!(forget().await.expect(202).header("ratelimit").starts_with(&shown));
    }
    forget().await.expect(429);
    app.shut_down().await;
}

async fn nobody_becomes_exempt_by_a_header(stores: &StoreSet) {
    let app = with_exempt(stores, "203.0.113.0/24").await;
    let verify = async |forwarded: &[&str]| {
        let mut call = app.get("/User1/verify?token=x");
        for line in forwarded {
            call = call.header("x-forwarded-for", line);
        }
        call.send().await.status
    };
    // What stands to the left of what the proxy wrote is the client's own invention.
    for turn in 0..10 {
        let invented = format!("203.0.113.{turn}, 198.51.100.1");
        assert_ne!(verify(&[&invented]).await, 429);
    }
    assert_eq!(verify(&["203.0.113.1, 198.51.100.1"]).await, 429);
    assert_eq!(verify(&["203.0.113.1", "198.51.100.1"]).await, 429);
    assert_eq!(verify(&["203.0.113.1, 198.51.100.1, 127.0.0.1"]).await, 429);
    app.shut_down().await;
    // Without a proxy the socket's address counts, whatever the header says.
    let setup = Setup::new(stores)
        .set("RATE_LIMITS", "on")
        .set("LIMIT_EXEMPT", "203.0.113.0/24");
    let app = setup.spawn().await;
    for _ in 0..10 {
        assert_ne!(
            ask(&app, "203.0.113.1", "GET", "/User1/verify?token=x").await.status,
            429
        );
    }
    ask(&app, "203.0.113.1", "GET", "/User1/verify?token=x")
        .await
        .expect(429);
    app.shut_down().await;
}

async fn where_something_is_guessed_or_texted_nobody_is_exempt(stores: &StoreSet) {
    let app = with_exempt(stores, "203.0.113.0/24").await;
    for (method, path, burst) in [
        ("POST", "login", 5),
        ("POST", "otp_phone", 3),
        ("POST", "verify_otp_phone", 5),
        ("POST", "reset_password", 3),
        ("POST", "refresh-token", 100),
        ("DELETE", "delete", 100),
    ] {
        let path = format!("/User1/{path}");
        for _ in 0..burst {
            assert_ne!(ask(&app, "203.0.113.1", method, &path).await.status, 429, "{path}");
        }
        ask(&app, "203.0.113.1", method, &path).await.expect(429);
    }
    app.shut_down().await;
}
