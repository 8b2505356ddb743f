//! The wire: what is slow, silent, too large or malformed, and how the service stops.

use std::time::Duration;

use sealgate::http::server::Limits;
use tokio::time::Instant;

use crate::support::{Person, RawConnection, Setup, StoreSet, TestApp, eventually};

cases_once! {
    a_silent_connection_is_closed
    a_header_that_does_not_end_is_closed
    an_idle_connection_is_closed
    a_body_that_does_not_arrive_is_408
    a_body_that_trickles_is_408
    a_body_that_breaks_off_stops_nobody
    a_body_of_64_kib_fits_and_one_byte_more_does_not
    ten_mebibytes_are_refused_and_who_sends_them_learns_why
    a_body_without_end_is_cut_off
    requests_in_a_row_are_answered_in_order
    malformed_requests_are_refused
    a_request_in_flight_is_finished_when_the_service_stops
    nobody_who_is_silent_or_waits_keeps_the_service_from_stopping
    connections_past_the_limit_wait_for_their_turn
}

/// What no case but those about it should meet.
const LONG: Duration = Duration::from_mins(10);
const SHORT: Duration = Duration::from_millis(200);

async fn spawn(stores: &StoreSet, limits: Limits) -> TestApp {
    let mut setup = Setup::new(stores);
    setup.limits = limits;
    setup.spawn().await
}

fn limits() -> Limits {
    Limits {
        header: LONG,
        body: LONG,
        shutdown: LONG,
        connections: 100,
    }
}

/// The head of a POST with a body of `length` bytes.
fn post(path: &str, length: usize) -> String {
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

async fn a_body_that_does_not_arrive_is_408(stores: &StoreSet) {
    let app = spawn(
        stores,
        Limits {
            body: SHORT,
            ..limits()
        },
    )
    .await;
    let person = Person::new();
    for body in ["", "{\"email\":"] {
        for path in ["/User1/create", "/User2/login", "/User1/verify", "/nowhere"] {
            let mut slow = RawConnection::open(app.address).await;
            slow.send(format!("{}{body}", post(path, 100))).await;
            let answer = slow.answer().await.expect("an answer");
            assert_eq!(answer.status, 408, "{answer:?}");
            assert!(answer.body.contains("\"code\":\"body_timeout\""), "{answer:?}");
            assert_eq!(answer.headers["content-type"], "application/problem+json");
            assert_eq!(slow.until_closed().await, b"", "the rest of the body is no request");
        }
    }
    app.join("User1", &person).await;
    app.shut_down().await;
}

async fn a_body_that_trickles_is_408(stores: &StoreSet) {
    let app = spawn(
        stores,
        Limits {
            body: SHORT,
            ..limits()
        },
    )
    .await;
    let mut slow = RawConnection::open(app.address).await;
    slow.send(post("/User1/create", 60_000)).await;
    // A byte at a time restarts no clock. It is sent for as long as the service listens.
    let answer = eventually("the service to lose patience", async || {
        slow.send(" ").await;
        slow.answer_so_far()
    })
    .await;
    assert_eq!(answer.status, 408, "{answer:?}");
    app.shut_down().await;
}

async fn a_body_that_breaks_off_stops_nobody(stores: &StoreSet) {
    let app = spawn(stores, limits()).await;
    for _ in 0..20 {
        let mut gone = RawConnection::open(app.address).await;
        gone.send(format!("{}{{", post("/User1/create", 1000))).await;
    }
    app.join("User1", &Person::new()).await;
    app.shut_down().await;
}

async fn a_body_of_64_kib_fits_and_one_byte_more_does_not(stores: &StoreSet) {
    const LARGEST: usize = 64 * 1024;
    let app = spawn(stores, limits()).await;
    let json = r#"{"username":"grace","password":"x"}"#;
    let fits = format!("{json}{}", " ".repeat(LARGEST - json.len()));
    app.post("/User1/login")
        .body("application/json", fits.clone())
        .send()
        .await
        .expect_problem(401, "invalid_credentials");
    app.post("/User1/login")
        .body("application/json", format!("{fits} "))
        .send()
        .await
        .expect_problem(413, "body_too_large");

    for (body, status) in [(fits.clone(), 401), (format!("{fits} "), 413)] {
        let mut chunked = RawConnection::open(app.address).await;
        chunked.send(chunked_post("/User1/login")).await;
        for piece in body.as_bytes().chunks(1000) {
            chunked.send(chunk(piece)).await;
        }
        chunked.send(chunk(b"")).await;
        let answer = chunked.answer().await.expect("an answer");
        assert_eq!(answer.status, status, "chunks are counted, too: {answer:?}");
    }
    app.shut_down().await;
}

fn chunked_post(path: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    )
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

async fn ten_mebibytes_are_refused_and_who_sends_them_learns_why(stores: &StoreSet) {
    const LARGE: usize = 10 * 1024 * 1024;
    let app = spawn(stores, limits()).await;
    for path in ["/User1/create", "/User1/login", "/User2/verify", "/nowhere", "/livez"] {
        let ordinary = app.post(path).body("application/json", vec![b' '; LARGE]).send().await;
        ordinary.expect_problem(413, "body_too_large");
        for (head, piece) in [
            (post(path, LARGE), vec![b' '; 16 * 1024]),
            (chunked_post(path), chunk(&[b' '; 16 * 1024])),
        ] {
            let mut large = RawConnection::open(app.address).await;
            large.send(head).await;
            for _ in 0..LARGE / (16 * 1024) {
                assert!(large.send(&piece).await, "{path}: closed while it was being sent");
            }
            large.send("0\r\n\r\n").await;
            let answer = large.answer().await.expect("an answer");
            assert_eq!(answer.status, 413, "{path}: {answer:?}");
            assert!(answer.body.contains("\"code\":\"body_too_large\""), "{answer:?}");
        }
    }
    app.shut_down().await;
}

async fn a_body_without_end_is_cut_off(stores: &StoreSet) {
    let app = spawn(stores, limits()).await;
    let mut endless = RawConnection::open(app.address).await;
    endless.send(chunked_post("/User1/create")).await;
    let piece = chunk(&[b' '; 64 * 1024]);
    let mut sent = 0;
    while endless.send(&piece).await {
        sent += piece.len();
        assert!(sent < 64 * 1024 * 1024, "nobody stops it");
    }

    // Who asks first need not send: the answer comes at once, and no `100 Continue`.
    let mut asking = RawConnection::open(app.address).await;
    let head = post("/User1/create", 10_000_000).replacen("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n", 1);
    asking.send(head).await;
    assert_eq!(asking.answer().await.expect("an answer").status, 413);

    // Who announces too much and then sends nothing is not waited for without end either.
    let short = spawn(
        stores,
        Limits {
            body: SHORT,
            ..limits()
        },
    )
    .await;
    let mut silent = RawConnection::open(short.address).await;
    silent.send(post("/User1/create", 10_000_000)).await;
    assert_eq!(silent.answer().await.expect("an answer").status, 413);
    short.shut_down().await;
    app.shut_down().await;
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

async fn malformed_requests_are_refused(stores: &StoreSet) {
    let app = spawn(stores, limits()).await;
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
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
