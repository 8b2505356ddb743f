//! Bodies that are slow, or too large, or never end.

use sealgate::http::server::Limits;

use crate::{
    protocol::{SHORT, chunked_post, limits, post, spawn},
    support::{Person, RawConnection, StoreSet, eventually},
};

cases_once! {
    a_body_that_does_not_arrive_is_408
    a_body_that_trickles_is_408
    a_body_that_breaks_off_stops_nobody
    a_body_of_64_kib_fits_and_one_byte_more_does_not
    ten_mebibytes_are_refused_and_who_sends_them_learns_why
    a_body_without_end_is_cut_off
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
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
    let piece = chunk(&[b' '; 16 * 1024]);
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
