//! SIGHUP: settings are read again, all of them or none, while connections go on.

use std::{fs, path::Path, time::Duration};

use serde_json::Value;

use crate::{
    certificates::{Pair, text},
    client::Client,
    installation::{Installation, Server},
    processes::{Process, SERVER},
    waiting::{eventually, until},
    wire::Wire,
};

const PATIENCE: Duration = Duration::from_secs(20);
/// What is logged once settings were taken up, and once they were not.
const TAKEN: &str = "the settings were read again";
const REFUSED: &str = "the settings were not read again, the old ones count on";

fn write_env(installation: &Installation, lines: &[&str]) {
    let file = installation.path().join(".env");
    fs::write(file, lines.join("\n") + "\n").expect("written");
}

/// Sends SIGHUP and waits for a further line with `text` in the log.
async fn hang_up(process: &Process, text: &str) {
    let seen = || process.logged().matches(text).count();
    let before = seen();
    process.hang_up();
    let what = format!("the process logs `{text}`");
    until(&what, PATIENCE, async || seen() > before).await;
}

#[tokio::test]
async fn a_limit_is_raised_and_no_connection_dropped() {
    let installation = Installation::new();
    write_env(&installation, &["LIMIT_LOGIN=2/min"]);
    let server = installation.serve(&[("RATE_LIMITS", "on")]).await;
    let mut kept = Wire::plain(&server.address).await;
    let statuses = [
        kept.sign_in("a").await,
        kept.sign_in("b").await,
        kept.sign_in("c").await,
    ];
    assert_eq!(statuses, [401, 401, 429]);

    write_env(&installation, &["LIMIT_LOGIN=300/min", "APP_NAME=Other"]);
    hang_up(&server.process, TAKEN).await;
    // The bucket refills at the new pace: five a second.
    until("the new limit counts on the same connection", PATIENCE, async || {
        kept.sign_in("d").await == 401
    })
    .await;
    let logged = server.process.logged();
    assert!(logged.contains("need a restart: APP_NAME"), "{logged}");

    // Off, nothing is counted, and the environment wins over the file.
    write_env(&installation, &["RATE_LIMITS=off"]);
    hang_up(&server.process, TAKEN).await;
    let counted = server.client.post("/User1/create", &Value::Null).await;
    assert!(
        counted.headers.contains_key("ratelimit-policy"),
        "the environment says on"
    );
}

#[tokio::test]
async fn settings_that_are_wrong_change_nothing_and_are_named_without_their_values() {
    let installation = Installation::new();
    write_env(&installation, &["LIMIT_CREATE=55/min"]);
    let server = installation.serve(&[("RATE_LIMITS", "on")]).await;
    let shown = async || {
        let answer = server.client.post("/User1/create", &Value::Null).await;
        answer.headers["ratelimit-policy"].to_str().expect("text").to_owned()
    };
    assert!(shown().await.contains("55"));
    for (lines, named) in [
        (
            &["LIMIT_CREATE=66/min", "LIMIT_LOGIN=a-word"][..],
            "LIMIT_LOGIN: can't be read",
        ),
        (
            &["LIMIT_CREATE=66/min", "JWT_ALGORITHM=HS256", "JWT_SECRET=a-word"],
            "JWT_SECRET:",
        ),
        (&["LIMIT_CREATE=66/min", "a-word a-word"], ".env: can't be read"),
    ] {
        write_env(&installation, lines);
        hang_up(&server.process, REFUSED).await;
        let logged = server.process.logged();
        let line = logged.lines().rfind(|line| line.contains(REFUSED)).expect("a line");
        assert!(line.contains("ERROR") && line.contains(named), "{line}");
        assert!(!logged.contains("a-word"), "{logged}");
        assert!(shown().await.contains("55"), "{named}");
    }
    write_env(&installation, &["LIMIT_CREATE=66/min"]);
    hang_up(&server.process, TAKEN).await;
    assert!(shown().await.contains("66"));
}

async fn serve_with(installation: &Installation, pair: &Pair) -> Server {
    let settings = pair.settings();
    let settings = [0, 1].map(|n| (settings[n].0.as_str(), settings[n].1.as_str()));
    installation.serve(&settings).await
}

#[tokio::test]
async fn a_replaced_certificate_is_shown_to_the_next_and_the_old_connection_goes_on() {
    let installation = Installation::new();
    let pair = Pair::make(installation.path(), "pair");
    let (second, wrong) = (
        Pair::make(installation.path(), "second"),
        Pair::make(installation.path(), "wrong"),
    );
    let (first_der, second_der) = (pair.der().to_vec(), second.der().to_vec());
    let server = serve_with(&installation, &pair).await;
    let mut kept = Wire::secure(&server.address, &pair).await;
    assert_eq!(kept.get("/livez").await, 200);
    assert_eq!(kept.shown(), first_der);

    second.put_in_place_of(&pair);
    hang_up(&server.process, TAKEN).await;
    assert_eq!(kept.get("/livez").await, 200, "the old connection goes on");
    let mut next = Wire::secure(&server.address, &pair).await;
    assert_eq!(next.shown(), second_der);
    assert_eq!(next.get("/livez").await, 200);

    // A certificate without its key changes nothing.
    fs::rename(&wrong.certificate, &pair.certificate).expect("renamed");
    hang_up(&server.process, REFUSED).await;
    assert!(server.process.logged().contains("TLS_KEY_FILE is not the key"));
    assert!(
        Wire::try_secure(&server.address, &pair).await.is_err(),
        "it is not shown"
    );
    assert_eq!(kept.get("/livez").await, 200);
    assert_eq!(next.get("/livez").await, 200);
}

#[tokio::test]
async fn the_level_of_logs_and_templates_are_taken_up_by_server_and_worker() {
    let installation = Installation::new();
    let templates = installation.path().join("templates");
    fs::create_dir(&templates).expect("made");
    let base = format!("TEMPLATES_DIR={}", text(&templates));
    write_env(
        &installation,
        &[&base, "LOG_LEVEL=warn,sealgate::jobs::worker=info", "WORKER=off"],
    );
    let server = installation.serve(&[]).await;
    let worker = installation.work(&[]).await;
    server.client.get("/livez").await.expect(200);
    assert!(
        !server.process.logged().contains("answered"),
        "requests are of the level info"
    );

    fs::write(templates.join("registration.subject.txt"), "Another subject").expect("written");
    write_env(&installation, &[&base, "LOG_LEVEL=info", "WORKER=off"]);
    hang_up(&server.process, TAKEN).await;
    hang_up(&worker.process, TAKEN).await;
    server.client.get("/livez").await.expect(200);
    until("requests are logged", PATIENCE, async || {
        server.process.logged().contains("answered")
    })
    .await;

    server.client.create("User1", "ada@example.com").await.expect(201);
    let mail = installation.outbox().link_to("ada@example.com").await;
    server.client.verify("User1", mail.token()).await.expect(200);
    let folder = installation.outbox();
    eventually("the welcome with the new subject", PATIENCE, async || {
        let files = fs::read_dir(folder.path()).ok()?.flatten();
        let mut mails = files.filter_map(|file| fs::read_to_string(file.path()).ok());
        mails.find(|mail| mail.contains("Subject: Another subject"))
    })
    .await;

    // One that does not compile: nothing of the settings is taken up.
    fs::write(templates.join("registration.subject.txt"), "{{ name").expect("written");
    write_env(&installation, &[&base, "LOG_LEVEL=warn", "WORKER=off"]);
    hang_up(&server.process, REFUSED).await;
    assert!(
        server
            .process
            .logged()
            .contains("TEMPLATES_DIR: registration.subject.txt"),
        "it is named"
    );
    let before = server.process.logged().matches("answered").count();
    server.client.get("/livez").await.expect(200);
    until("requests are logged as before", PATIENCE, async || {
        server.process.logged().matches("answered").count() > before
    })
    .await;
}

#[tokio::test]
async fn a_file_of_another_name_is_read_and_what_was_read_is_audited() {
    let installation = Installation::new();
    let file = installation.path().join("settings.env");
    fs::write(&file, "AUDIT_STDOUT=on\nLIMIT_LOGIN=5/min\n").expect("written");
    let settings = [("ENV_FILE", text(&file)), ("HTTP_ADDR", "127.0.0.1:0".to_owned())];
    let settings = settings.map(|(name, value)| (name.to_owned(), value));
    let mut process = installation.start(Path::new(SERVER), &[], &settings);
    let mut lines = process.lines();
    let address = eventually("a greeting among the logs", PATIENCE, async || {
        let logged = process.logged();
        let line = logged.lines().find_map(|line| line.split_once(" listens on http://"))?;
        Some(line.1.to_owned())
    })
    .await;
    Client::new(&address).get("/livez").await.expect(200);
    fs::write(&file, "AUDIT_STDOUT=on\nLIMIT_LOGIN=6/min\nDOCS=off\n").expect("written");
    hang_up(&process, TAKEN).await;
    let entry = |line: &str| serde_json::from_str::<Value>(line).ok();
    let noted = lines
        .find(|line| entry(line).filter(|entry| entry["event"] == "settings_reread"))
        .await;
    let noted = noted.expect("an entry");
    assert_eq!(noted["outcome"], "success");
    assert_eq!(noted["details"]["changed"], "LIMIT_LOGIN");
    assert_eq!(noted["details"]["needs_restart"], "DOCS");

    fs::remove_file(&file).expect("removed");
    hang_up(&process, REFUSED).await;
    assert!(
        process.logged().contains("ENV_FILE: can't be read"),
        "{}",
        process.logged()
    );
    let noted = lines
        .find(|line| entry(line).filter(|entry| entry["event"] == "settings_reread"))
        .await;
    assert_eq!(noted.expect("an entry")["outcome"], "refused");
}
