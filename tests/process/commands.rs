//! The command line: mistakes in the configuration, doctor, document, health, keys.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Output};

use serde_json::Value;

use crate::{
    installation::Installation,
    stores::{OwnRedis, SharedStores},
};

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Several mistakes and, among them, three secrets.
const MISTAKES: [(&str, &str); 8] = [
    ("HTTP_ADDR", "everywhere"),
    ("USER_TYPES", "Customer,customer"),
    ("JWT_ALGORITHM", "HS256"),
    ("JWT_SECRET", "hunter2-too-short"),
    ("MONGO_URL", "mongodb://root:hunter2-in-a-url@db.example.com"),
    ("REDIS_URL", "http://:hunter2-of-redis@cache.example.com"),
    ("ARGON2_MEMORY_KIB", "64"),
    ("WORKER", "hunter2-by-mistake"),
];

fn assert_all_told(output: &Output) {
    let said = err(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for name in [
        "HTTP_ADDR",
        "USER_TYPES",
        "JWT_SECRET",
        "ENVIRONMENT",
        "REDIS_URL",
        "ARGON2_MEMORY_KIB",
        "WORKER",
    ] {
        assert!(
            said.lines().any(|line| line.contains(&format!("{name}: "))),
            "{name} is named in\n{said}"
        );
    }
    assert!(!said.contains("hunter2"), "{said}");
    assert!(!out(output).contains("hunter2"));
}

#[test]
fn all_mistakes_are_told_at_once_and_no_secret_is_repeated() {
    let installation = Installation::new();
    for arguments in [&[][..], &["doctor"], &["openapi"], &["keys", "new"]] {
        assert_all_told(&installation.run(arguments, &MISTAKES));
    }
    assert!(!installation.data().exists(), "nothing was made");
}

#[test]
fn the_worker_tells_the_same() {
    let installation = Installation::new();
    assert_all_told(&installation.run_worker(&MISTAKES));
    assert!(!installation.data().exists(), "nothing was made");
}

#[test]
fn the_doctor_finds_a_good_setup_good() {
    let installation = Installation::new();
    for _ in 0..2 {
        let output = installation.run(&["doctor"], &[]);
        assert!(output.status.success(), "{}{}", out(&output), err(&output));
        assert!(out(&output).ends_with("All is well.\n"), "{}", out(&output));
        assert!(!out(&output).contains("!!"), "{}", out(&output));
    }
}

#[test]
fn the_doctor_names_everything_that_is_wrong() {
    let installation = Installation::new();
    let (mails, templates) = (installation.path().join("mails"), installation.path().join("templates"));
    fs::write(&mails, b"in the way").expect("written");
    fs::create_dir(&templates).expect("made");
    fs::write(templates.join("registration.txt"), b"Hello {{ nobody }}").expect("written");
    assert!(installation.run(&["keys", "new"], &[]).status.success());
    let kek = installation.data().join("kek.keys");
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o640)).expect("changed");

    let output = installation.run(
        &["doctor"],
        &[
            ("MAIL_DIRECTORY", mails.to_str().expect("plain")),
            ("TEMPLATES_DIR", templates.to_str().expect("plain")),
        ],
    );
    let said = out(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for (what, mend) in [
        ("stores and keys", "chmod 600"),
        ("outbox directory", "MAIL_DIRECTORY"),
        ("templates", "registration"),
    ] {
        let is_told = |line: &str| line.starts_with(&format!("!!  {what}: ")) && line.contains(mend);
        assert!(said.lines().any(is_told), "{what}, {mend}:\n{said}");
    }
}

#[test]
fn the_document_has_the_routes_of_every_configured_user_type() {
    let installation = Installation::new();
    let output = installation.run(&["openapi"], &[("USER_TYPES", "Customer,Driver")]);
    assert!(output.status.success(), "{}", err(&output));
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    for user_type in ["Customer", "Driver"] {
        for route in ["create", "verify", "login", "refresh-token", "logout"] {
            assert!(
                paths.contains_key(&format!("/{user_type}/{route}")),
                "{user_type} {route}"
            );
        }
    }
    assert!(!paths.keys().any(|path| path.starts_with("/User1")));
    assert!(!installation.data().exists(), "nothing was made");
}

#[test]
fn a_key_file_is_made_once() {
    let installation = Installation::new();
    let output = installation.run(&["keys", "new"], &[]);
    assert!(output.status.success(), "{}", err(&output));
    let kek = installation.data().join("kek.keys");
    let made = fs::read(&kek).expect("there");
    assert_eq!(kek.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    assert!(!out(&output).contains(String::from_utf8_lossy(&made).lines().last().expect("a key")));

    let again = installation.run(&["keys", "new"], &[]);
    assert_eq!(again.status.code(), Some(1));
    assert!(err(&again).contains("exists already"), "{}", err(&again));
    let deployed_again = installation.run(&["keys", "new", "--if-missing"], &[]);
    assert!(deployed_again.status.success(), "{}", err(&deployed_again));
    assert_eq!(fs::read(&kek).expect("there"), made);

    fs::remove_file(&kek).expect("removed");
    let first = installation.run(&["keys", "new", "--if-missing"], &[]);
    assert!(first.status.success(), "{}", err(&first));
    assert_ne!(fs::read(&kek).expect("there"), made, "a new key");
}

#[tokio::test]
async fn health_is_asked_for_by_the_binary_itself() {
    let installation = Installation::new();
    let mut server = installation.serve(&[]).await;
    server.ready().await;
    let own = [("HTTP_ADDR", server.address.as_str())];
    let url = |path: &str| format!("http://{}{path}", server.address);
    let asked = |arguments: &[&str]| installation.run(arguments, &own);
    for arguments in [&["health"][..], &["health", &url("/livez")]] {
        let output = asked(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", err(&output));
    }
    for (address, says) in [
        (url("/nowhere"), "404"),
        (format!("https://{}/livez", server.address), "http://"),
    ] {
        let output = asked(&["health", &address]);
        assert_eq!(output.status.code(), Some(1), "{address}");
        assert!(err(&output).contains(says), "{address}: {}", err(&output));
    }

    server.process.kill();
    let output = asked(&["health"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("no answer"), "{}", err(&output));
}

#[tokio::test]
async fn the_doctor_refuses_a_redis_that_loses_or_splits_what_it_holds() {
    let installation = Installation::new();
    let stores = SharedStores::new();
    assert!(
        installation
            .run(&["keys", "new"], &stores.settings_with(&[]))
            .status
            .success()
    );
    for (settings, what, mend) in [
        (
            &["--cluster-enabled", "yes"][..],
            "stores and keys",
            "cluster-enabled no",
        ),
        (
            &["--maxmemory-policy", "allkeys-lru"],
            "settings of the stores",
            "maxmemory-policy to noeviction",
        ),
        (
            &["--requirepass", "another"],
            "stores and keys",
            "password of REDIS_URL",
        ),
    ] {
        let redis = OwnRedis::start(&installation, settings).await;
        let output = installation.run(&["doctor"], &stores.settings_with(&[("REDIS_URL", &redis.url)]));
        let said = out(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let is_told = |line: &str| line.starts_with(&format!("!!  {what}: ")) && line.contains(mend);
        assert!(said.lines().any(is_told), "{what}, {mend}:\n{said}");
    }
    let output = installation.run(&["doctor"], &stores.settings_with(&[]));
    assert!(output.status.success(), "{}{}", out(&output), err(&output));
    stores.remove().await;
}

#[tokio::test]
async fn the_doctor_compares_indexes_and_warns_of_a_standalone_server() {
    let installation = Installation::new();
    let stores = SharedStores::new();
    let settings = stores.settings_with(&[]);
    assert!(installation.run(&["keys", "new"], &settings).status.success());
    let doctor = || {
        let output = installation.run(&["doctor"], &settings);
        assert!(output.status.success(), "{}{}", out(&output), err(&output));
        out(&output)
    };
    let database = stores.mongo().await;
    let hello = database
        .run_command(bson::doc! { "isMaster": 1 })
        .await
        .expect("answers");
    for n in 0..2 {
        let said = doctor();
        assert!(!said.contains("indexes"), "{n}: {said}");
        let is_warned = said
            .lines()
            .any(|line| line.starts_with("!   database: ") && line.contains("replica set"));
        assert_eq!(is_warned, !hello.contains_key("setName"), "{said}");
    }
    let requests = database.collection::<bson::Document>("requests");
    requests.drop_index("due").await.expect("drops");
    let said = doctor();
    assert!(said.contains("!   indexes: requests has no index due"), "{said}");
    assert!(!doctor().contains("indexes"), "opening the store made it");
    stores.remove().await;
}
