//! The wire: what is slow, silent, too large or malformed, and how the service stops.

use std::time::Duration;

use sealgate::http::server::Limits;
use tokio::time::Instant;

use crate::support::{Person, RawConnection, Setup, StoreSet, TestApp, eventually, repeated};

cases_once! {
    a_silent_connection_is_closed
    a_header_that_does_not_end_is_closed
    an_idle_connection_is_closed
    requests_in_a_row_are_answered_in_order
    an_idempotency_key_that_is_none_is_refused
    malformed_requests_are_refused
    a_request_in_flight_is_finished_when_the_service_stops
    nobody_who_is_silent_or_waits_keeps_the_service_from_stopping
    connections_past_the_limit_wait_for_their_turn
}

/// What no case but those about it should meet.
const LONG: Duration = Duration::from_mins(10);
pub(crate) const SHORT: Duration = Duration::from_millis(200);

pub(crate) async fn spawn(stores: &StoreSet, limits: Limits) -> TestApp {
    let mut setup = Setup::new(stores);
    setup.limits = limits;
    setup.spawn().await
}

pub(crate) fn limits() -> Limits {
    Limits {
        header: LONG,
        body: LONG,
        shutdown: LONG,
        connections: 100,
    }
}

/// The head of a POST with a body of `length` bytes.
pub(crate) fn post(path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

const LIVE: &str = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";

async fn a_silent_connection_is_closed(stores: &StoreSet) {
    let app = spawn(
        stores,
        Limits {
            header: SHORT,
            ..limits()
        },
    )
    .await;
    let began = Instant::now();
    let silent = RawConnection::open(app.address).await;
    assert_eq!(silent.until_closed().await, b"", "nothing is said to who says nothing");
    assert!(began.elapsed() >= SHORT, "it was given its time: {:?}", began.elapsed());
    app.shut_down().await;
}

async fn a_header_that_does_not_end_is_closed(stores: &StoreSet) {
    let app = spawn(
        stores,
        Limits {
            header: SHORT,
            ..limits()
        },
    )
    .await;
    for begun in [
        "G",
        "GET /livez HTTP/1.1\r\n",
        "GET /livez HTTP/1.1\r\nhost: localhost\r\nx-more: ",
    ] {
        let mut slow = RawConnection::open(app.address).await;
        slow.send(begun).await;
        let answer = slow.until_closed().await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{begun:?} is no request");
    }
    app.shut_down().await;
}

async fn an_idle_connection_is_closed(stores: &StoreSet) {
    let app = spawn(
        stores,
        Limits {
            header: SHORT,
            ..limits()
        },
    )
    .await;
    let mut kept = RawConnection::open(app.address).await;
    for _ in 0..2 {
        kept.send(LIVE).await;
        assert_eq!(kept.answer().await.expect("an answer").status, 200);
    }
    assert_eq!(kept.until_closed().await, b"");
    app.shut_down().await;
}

pub(crate) fn chunked_post(path: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    )
}

async fn requests_in_a_row_are_answered_in_order(stores: &StoreSet) {
    let app = spawn(stores, limits()).await;
    let mut connection = RawConnection::open(app.address).await;
    let login = r#"{"username":"nobody","password":"x"}"#;
    let create = post("/User1/create", 2);
    connection
        .send(format!(
            "{LIVE}{}{login}{create}{{}}GET /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\n{LIVE}",
            post("/User1/login", login.len())
        ))
        .await;
    for expected in [200, 401, 422, 404, 200] {
        assert_eq!(connection.answer().await.expect("an answer").status, expected);
    }
    app.shut_down().await;
}

/// Ignored, it would look as if the request were guarded.
async fn an_idempotency_key_that_is_none_is_refused(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    let body = Person::new().json();
    let long = vec![b'k'; 256];
    for key in [b"".as_slice(), b"two words", &[0xff], &long] {
        let call = app
            .post("/User1/create")
            .header_bytes("idempotency-key", key)
            .json(&body);
        call.send().await.expect_problem(400, "idempotency_key_invalid");
    }
    let twice = app
        .post("/User1/create")
        .header("idempotency-key", "a")
        .header("idempotency-key", "b");
    twice
        .json(&body)
        .send()
        .await
        .expect_problem(400, "idempotency_key_invalid");
    app.shut_down().await;
}

async fn malformed_requests_are_refused(stores: &StoreSet) {
    let app = spawn(stores, limits()).await;
    let many = repeated(200, |n| format!("x-{n}: 1\r\n"));
    let long = "a".repeat(64 * 1024);
    let requests = [
        "\0\0\0\0\r\n\r\n".to_owned(),
        "nonsense\r\n\r\n".to_owned(),
        "GET /livez HTTP/9.9\r\n\r\n".to_owned(),
        "GET  /livez HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        "GET /li vez HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        "GET /livez HTTP/1.1\r\nhost: localhost\r\nx-bad header: 1\r\n\r\n".to_owned(),
        "GET /livez HTTP/1.1\r\nhost: localhost\r\nx-request-id: a\0b\r\n\r\n".to_owned(),
        "POST /User1/login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n".to_owned(),
        "POST /User1/login HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "POST /User1/login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999999999999\r\n\r\n".to_owned(),
        "POST /User1/login HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip\r\n\r\n".to_owned(),
        format!("{}zz\r\n", chunked_post("/User1/login")),
        format!("GET /livez HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"),
        format!("GET /livez HTTP/1.1\r\nhost: localhost\r\nx-long: {long}\r\n\r\n"),
        format!("GET /{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ];
    for request in requests {
        let shown: String = request.chars().take(80).collect();
        let mut connection = RawConnection::open(app.address).await;
        connection.send(&request).await;
        if let Some(answer) = connection.answer().await {
            assert!((400..500).contains(&answer.status), "{shown:?} got {answer:?}");
        }
    }
    // Two lengths that disagree are how requests are smuggled past a proxy.
    let mut smuggling = RawConnection::open(app.address).await;
    let inner = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    smuggling
        .send(format!(
            "POST /User1/login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{inner}"
        ))
        .await;
    let first = smuggling.answer().await;
    assert!(first.is_none_or(|answer| answer.status >= 400), "the first is refused");
    let rest = smuggling.until_closed().await;
    assert!(!rest.starts_with(b"HTTP/1.1 200"), "what was smuggled is not answered");
    app.join("User1", &Person::new()).await;
    app.shut_down().await;
}

async fn a_request_in_flight_is_finished_when_the_service_stops(stores: &StoreSet) {
    let app = spawn(stores, limits()).await;
    let (address, person) = (app.address, Person::new());
    let token = app.register("User1", &person).await;
    let body = format!("{{\"token\":\"{token}\"}}");
    let (first, last) = body.split_at(20);
    let mut under_way = RawConnection::open(address).await;
    under_way
        .send(format!("{LIVE}{}{first}", post("/User1/verify", body.len())))
        .await;
    let live = under_way.answer().await.expect("an answer");
    assert_eq!(live.status, 200, "the next request on the connection has begun");

    let stopping = tokio::spawn(app.shut_down());
    eventually("the service to take no more connections", async || {
        tokio::net::TcpStream::connect(address).await.err()
    })
    .await;
    under_way.send(last).await;
    let answer = under_way.answer().await.expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(under_way.until_closed().await, b"", "and then the connection ends");
    stopping.await.expect("it stops");
}

async fn nobody_who_is_silent_or_waits_keeps_the_service_from_stopping(stores: &StoreSet) {
    let app = spawn(
        stores,
        Limits {
            connections: 2,
            ..limits()
        },
    )
    .await;
    let silent = RawConnection::open(app.address).await;
    let mut idle = RawConnection::open(app.address).await;
    idle.send(LIVE).await;
    assert_eq!(idle.answer().await.expect("an answer").status, 200);
    // Both places are taken; a third waits.
    let mut waiting = RawConnection::open(app.address).await;
    waiting.send(LIVE).await;
    let stopped = tokio::time::timeout(Duration::from_secs(20), app.shut_down()).await;
    assert!(
        stopped.is_ok(),
        "it waits for nobody, though every time-out is ten minutes"
    );
    assert_eq!(silent.until_closed().await, b"");
    assert_eq!(idle.until_closed().await, b"");
}

async fn connections_past_the_limit_wait_for_their_turn(stores: &StoreSet) {
    let app = spawn(
        stores,
        Limits {
            connections: 1,
            ..limits()
        },
    )
    .await;
    let mut first = RawConnection::open(app.address).await;
    first.send(LIVE).await;
    assert_eq!(first.answer().await.expect("an answer").status, 200);
    let mut second = RawConnection::open(app.address).await;
    second.send(LIVE).await;
    first.send(LIVE).await;
    assert_eq!(
        first.answer().await.expect("an answer").status,
        200,
        "who is in is served"
    );
    assert!(second.answer_so_far().is_none(), "who is not in waits");
    drop(first);
    assert_eq!(second.answer().await.expect("an answer").status, 200);
    app.shut_down().await;
}
