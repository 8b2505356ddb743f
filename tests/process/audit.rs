//! The audit of a running installation: on standard output, and verified by the command.

use std::{fs, path::Path, process::Output, time::Duration};

use serde_json::Value;

use crate::{client::registration, installation::Installation, processes::SERVER, waiting::eventually};

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn standard_output_is_the_audit_alone_and_logs_go_elsewhere() {
    let installation = Installation::new();
    let settings = [("AUDIT_STDOUT", "on"), ("HTTP_ADDR", "127.0.0.1:0")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut process = installation.start(Path::new(SERVER), &[], &settings);
    let mut lines = process.lines();
    let address = eventually("a greeting among the logs", Duration::from_secs(30), async || {
        let logged = process.logged();
        let line = logged.lines().find_map(|line| line.split_once(" listens on http://"))?;
        Some(line.1.to_owned())
    })
    .await;
    let client = crate::client::Client::new(&address);
    client
        .post("/User1/create", &registration("ada@example.com"))
        .await
        .expect(201);
    let json = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    let registered = lines
        .find(|line| Some(json(line)).filter(|entry| entry["event"] == "registration_created"))
        .await
        .expect("an entry");
    assert_eq!(
        (&registered["audit"], &registered["user_type"]),
        (&"entry".into(), &"User1".into())
    );
    assert_eq!(registered["network"], "127.0.0.0/24");
    process.terminate();
    process.wait(Duration::from_secs(15)).await;
    assert!(!process.logged().contains("registration_created"), "not twice");
}

#[tokio::test]
async fn verify_says_what_was_changed_and_ends_with_a_code_of_its_own() {
    let installation = Installation::new();
    // Without a server, a worker or a checkpoint: nothing to be wrong.
    let first = installation.run(&["audit", "verify"], &[]);
    assert_eq!(first.status.code(), Some(0), "{}", out(&first));
    assert!(
        out(&first).ends_with("Nothing was changed, removed or put in.\n"),
        "{}",
        out(&first)
    );

    // Somebody writes a checkpoint of their own.
    let file = installation.data().join("sealgate.db");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", file.display()))
        .await
        .expect("opened");
    sqlx::query("INSERT INTO audit_checkpoints (id, doc) VALUES ('00000000000000000001', x'00')")
        .execute(&pool)
        .await
        .expect("written");
    pool.close().await;
    let second = installation.run(&["audit", "verify"], &[]);
    assert_eq!(second.status.code(), Some(3), "{}", out(&second));
    assert!(out(&second).contains("changed      checkpoint 1\n"), "{}", out(&second));

    for kept in ["17", "x:00", "17:0g"] {
        assert_eq!(
            installation
                .run(&["audit", "verify", "--kept", kept], &[])
                .status
                .code(),
            Some(2),
            "{kept}"
        );
    }
    let kept = installation.run(&["audit", "verify", "--kept", "17:00ff"], &[]);
    assert!(
        out(&kept).contains("checkpoint 17 is not the one that was kept"),
        "{}",
        out(&kept)
    );
    // What can't be looked at is no verdict.
    fs::write(installation.data().join("kek.keys"), "").expect("written");
    assert_eq!(installation.run(&["audit", "verify"], &[]).status.code(), Some(1));
}
