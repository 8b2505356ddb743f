//! Mails, whoever is killed: none is lost, none is doubled.

use std::{collections::BTreeSet, path::Path, time::Duration};

use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    client::registration,
    faults::say,
    installation::{Installation, Server},
    smtp::MailServer,
    stores::SharedStores,
    waiting::until,
};

/// A message that a worker held when it was killed is sent a minute after its hand-over.
const REDELIVERY: Duration = Duration::from_secs(100);

/// Registers all of them at once; those that were answered.
async fn create(server: &Server, emails: &[String]) -> Vec<String> {
    let mut requests = JoinSet::new();
    for email in emails.iter().cloned() {
        let client = server.client.clone();
        requests.spawn(async move {
            let answer = client.try_post("/User1/create", &registration(&email)).await?;
            answer.expect(201);
            Some(email)
        });
    }
    requests.join_all().await.into_iter().flatten().collect()
}

fn addresses(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{name}{n}@example.com")).collect()
}

/// Messages that no worker has ticked off.
async fn undelivered(data: &Path) -> i64 {
    const SQL: &str = "SELECT count(*) FROM registrations WHERE outbox_due < 253402214400000";
    let options = SqliteConnectOptions::new()
        .filename(data.join("sealgate.db"))
        .read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await.expect("opened");
    sqlx::query_scalar(SQL)
        .fetch_one(&mut connection)
        .await
        .expect("counted")
}

#[tokio::test]
async fn no_mail_is_lost_or_doubled_while_workers_are_killed() {
    const ROUNDS: usize = 6;
    const EACH: usize = 5;
    let installation = Installation::new();
    let server = installation.serve(&[("WORKER", "off")]).await;
    let public_url = format!("http://{}", server.address);
    let settings = [("PUBLIC_URL", public_url.as_str())];
    let outbox = installation.outbox();

    let mut all = Vec::new();
    let mut worker = installation.work(&settings).await;
    for round in 0..ROUNDS {
        let before = outbox.mails().len();
        let emails = addresses(&format!("ada{round}-"), EACH);
        assert_eq!(create(&server, &emails).await.len(), EACH);
        all.extend(emails);
        // The first mail shows that the others are under way.
        until("a mail arrives", REDELIVERY, async || outbox.mails().len() > before).await;
        worker.process.kill();
        if round == ROUNDS - 1 {
            // Nobody took its sign of life down: it counts for half a minute.
            let unknown = async || server.client.get("/health").await.json()["services"]["email"] == "unknown";
            until("the mails are unknown", Duration::from_secs(45), unknown).await;
        }
        worker = installation.work(&settings).await;
    }
    until("nothing is left to be sent", REDELIVERY, async || {
        undelivered(&installation.data()).await == 0
    })
    .await;

    let mails = outbox.mails();
    let told: BTreeSet<&String> = mails.iter().map(|mail| &mail.to).collect();
    let ids: BTreeSet<&String> = mails.iter().map(|mail| &mail.id).collect();
    assert_eq!(told, all.iter().collect(), "each of them");
    assert_eq!((mails.len(), ids.len()), (all.len(), all.len()), "once");
    for mail in &mails {
        server.client.verify("User1", mail.token()).await.expect(200);
    }
    worker.process.terminate();
    assert!(worker.process.wait(Duration::from_secs(20)).await.success());
}

#[tokio::test]
async fn what_a_killed_server_did_not_hand_over_the_relay_finds() {
    let installation = Installation::new();
    let mut answered = Vec::new();
    for round in 0..4 {
        let mut server = installation.serve(&[("WORKER", "off")]).await;
        server.ready().await;
        let email = format!("ada{round}@example.com");
        server.client.create("User1", &email).await.expect(201);
        server.process.kill();
        answered.push(email);
    }
    assert!(undelivered(&installation.data()).await == 4, "nobody has sent them");

    let server = installation.serve(&[]).await;
    let outbox = installation.outbox();
    until("every mail arrives", REDELIVERY, async || {
        answered.iter().all(|email| outbox.to(email).len() == 1)
    })
    .await;
    for email in &answered {
        let mail = outbox.link_to(email).await;
        server.client.verify("User1", mail.token()).await.expect(200);
    }
}

/// Within the minute that is promised: the queue gives a silent worker's job away once the message's lease is over.
#[tokio::test]
async fn what_a_killed_worker_held_another_sends_within_a_minute_on_redis() {
    let (installation, stores) = (Installation::new(), SharedStores::new());
    let smtp = MailServer::refusing().await;
    smtp.hang();
    let mails = [
        ("WORKER", "off"),
        ("MAIL_SERVER", "127.0.0.1"),
        ("MAIL_PORT", smtp.port.as_str()),
        ("MAIL_STARTTLS", "off"),
        ("MAIL_FROM", "no-reply@example.com"),
    ];
    let settings = stores.settings_with(&mails);
    let keys = installation.run(&["keys", "new"], &settings);
    assert!(keys.status.success(), "{}", String::from_utf8_lossy(&keys.stderr));
    let server = installation.serve(&settings).await;
    let mut worker = installation.work(&settings).await;
    server.client.create("User1", "ada@example.com").await.expect(201);
    until("the worker names the address", REDELIVERY, async || smtp.asked() == 1).await;
    worker.process.kill();
    let killed = Instant::now();
    smtp.accept();
    let _other = installation.work(&settings).await;
    until("the mail arrives", REDELIVERY, async || smtp.taken().len() == 1).await;
    let took = killed.elapsed();
    assert!(took < Duration::from_mins(1), "{took:?}");
    say(&format!(
        "worker killed in the middle of a mail: another sent it after {took:.1?}, once"
    ));
    stores.remove().await;
}
