//! Health as it is: each fault is shown, and its end too, and where nobody can be told yes, nobody is told no.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::time::Instant;

use crate::{
    installation::{Installation, Server},
    waiting::until,
};

/// The prober's round and its time-out, and something for a busy machine.
const NOTICED: Duration = Duration::from_secs(5);
/// An operation of the store ends within five seconds, and so does the request that waits for it.
const REFUSED: Duration = Duration::from_secs(7);
/// A worker's sign of life comes every ten seconds.
const BEAT: Duration = Duration::from_secs(15);

/// Waits until `/health` says that of a service; `None` for the status of all.
async fn says(server: &Server, service: Option<&str>, status: &[&str], patience: Duration) {
    let what = format!("/health says {service:?} {status:?}");
    until(&what, patience, async || {
        let Some(answer) = server.client.try_get("/health").await else {
            return false;
        };
        let body = answer.json();
        let said = match service {
            Some(service) => &body["services"][service],
            None => &body["status"],
        };
        said.as_str().is_some_and(|said| status.contains(&said))
    })
    .await;
}

/// Another process that holds the database's only write lock.
async fn lock(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(Duration::from_secs(10));
    let mut connection = SqliteConnection::connect_with(&options).await.expect("opened");
    sqlx::raw_sql("BEGIN EXCLUSIVE")
        .execute(&mut connection)
        .await
        .expect("locked");
    connection
}

async fn locked_and_released(name: &str) {
    let installation = Installation::new();
    let server = installation.serve(&[]).await;
    server.ready().await;
    let file = installation.data().join(name);
    let locked = lock(&file).await;

    let noticed = server.answers("/readyz", 503, NOTICED).await;
    let health = server.client.get("/health").await.expect(503);
    assert_eq!(health.json()["services"]["database"], "down");
    server.client.get("/db_check").await.expect(503);
    server.client.get("/livez").await.expect(200);

    let began = Instant::now();
    let refused = server.client.create("User1", "ada@example.com").await.expect(503);
    let refusal = began.elapsed();
    assert!(refusal < REFUSED, "{refusal:?}");
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(refused.member("code"), "unavailable");
    server.client.get("/livez").await.expect(200);

    locked.close().await.expect("released");
    let recovered = server.answers("/readyz", 200, NOTICED).await;
    let _ = writeln!(
        io::stderr(),
        "{name} locked: noticed after {noticed:?}, refused in {refusal:?}, recovered {recovered:?} after its release"
    );
    server.client.get("/health").await.expect(200);
    server.client.create("User1", "ada@example.com").await.expect(201);
    installation.outbox().link_to("ada@example.com").await;
}

#[tokio::test]
async fn a_locked_database_is_down_until_it_is_released() {
    locked_and_released("sealgate.db").await;
}

#[tokio::test]
async fn a_locked_key_database_is_down_until_it_is_released() {
    locked_and_released("keys.db").await;
}

#[tokio::test]
async fn a_database_that_was_removed_or_replaced_is_down() {
    for name in ["sealgate.db", "keys.db"] {
        let installation = Installation::new();
        let server = installation.serve(&[]).await;
        server.ready().await;
        let file = installation.data().join(name);
        let moved = installation.path().join("moved");

        fs::rename(&file, &moved).expect("moved");
        says(&server, Some("database"), &["down"], NOTICED).await;
        server.client.get("/db_check").await.expect(503);
        server.client.get("/readyz").await.expect(503);
        server.client.get("/livez").await.expect(200);

        fs::copy(&moved, &file).expect("copied");
        says(&server, Some("database"), &["down"], NOTICED).await;

        fs::rename(&moved, &file).expect("moved back");
        server.answers("/readyz", 200, NOTICED).await;
        server.answers("/db_check", 200, NOTICED).await;
    }
}

#[tokio::test]
async fn mails_are_unknown_without_a_worker_and_healthy_with_one() {
    let installation = Installation::new();
    let server = installation.serve(&[("WORKER", "off")]).await;
    server.ready().await;
    says(&server, Some("email"), &["unknown"], NOTICED).await;
    says(&server, None, &["degraded"], NOTICED).await;
    server.client.get("/health").await.expect(200);

    let public_url = format!("http://{}", server.address);
    let mut worker = installation.work(&[("PUBLIC_URL", &public_url)]).await;
    says(&server, Some("email"), &["healthy"], NOTICED).await;
    says(&server, None, &["healthy"], NOTICED).await;

    worker.process.terminate();
    assert!(worker.process.wait(Duration::from_secs(20)).await.success());
    says(&server, Some("email"), &["unknown"], NOTICED).await;
}

#[tokio::test]
async fn a_folder_that_takes_no_mails_is_shown_and_the_mails_come_once_it_does() {
    let installation = Installation::new();
    let server = installation.serve(&[]).await;
    says(&server, Some("email"), &["healthy"], BEAT).await;
    let outbox = installation.outbox();
    fs::write(outbox.path(), b"in the way").expect("written");
    for n in 0..5 {
        server
            .client
            .create("User1", &format!("ada{n}@example.com"))
            .await
            .expect(201);
    }
    says(&server, Some("email"), &["degraded", "down"], BEAT).await;
    says(&server, None, &["degraded"], NOTICED).await;
    server.client.get("/readyz").await.expect(200);

    fs::remove_file(outbox.path()).expect("removed");
    until("all mails arrive", Duration::from_mins(1), async || {
        outbox.mails().len() == 5
    })
    .await;
    says(&server, Some("email"), &["healthy"], BEAT).await;
}
