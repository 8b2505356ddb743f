//! Erasure on the command line: an operator's, its receipt, the journal after a restore, records that somebody changed.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::{
    installation::Installation,
    processes::{SERVER, measuring},
    stores::SharedStores,
};

const EMAIL: &str = "ada@example.com";

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Registers, confirms, signs in; the account's id and an access token.
async fn member(installation: &Installation, server: &crate::installation::Server, email: &str) -> (String, String) {
    server.client.create("User1", email).await.expect(201);
    let link = installation.outbox().link_to(email).await;
    server.client.verify("User1", link.token()).await.expect(200);
    let access = server.client.login("User1", email).await.access;
    let profile = server.client.profile("User1", &access).await.expect(200).json();
    (profile["id"].as_str().expect("an id").to_owned(), access)
}

/// `receipt verify -`, with a text on standard input.
fn verify(installation: &Installation, settings: &[(&str, &str)], more: &[&str], text: &str) -> Output {
    let mut command = Command::new(Path::new(SERVER));
    command.args(["receipt", "verify", "-"]).args(more);
    command.env_clear().envs(measuring()).envs(settings.iter().copied());
    command.current_dir(installation.path());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).expect("written");
    drop(stdin);
    child.wait_with_output().expect("ended")
}

#[tokio::test]
async fn an_operators_erasure_in_the_embedded_store() {
    an_operators_erasure(&Installation::new(), &[]).await;
}

#[tokio::test]
async fn an_operators_erasure_in_mongodb() {
    let (installation, stores) = (Installation::new(), SharedStores::new());
    let settings = stores.settings_with(&[]);
    assert!(installation.run(&["keys", "new"], &settings).status.success());
    an_operators_erasure(&installation, &settings).await;
    stores.remove().await;
}

async fn an_operators_erasure(installation: &Installation, settings: &[(&str, &str)]) {
    let server = installation.serve(settings).await;
    let run = |arguments: &[&str]| installation.run(arguments, settings);
    let (id, access) = member(installation, &server, EMAIL).await;
    for (arguments, says) in [
        (["--type", "User9", "--id", id.as_str()], "there is no user type User9"),
        (["--type", "User2", "--id", id.as_str()], "there is no such account"),
        (["--type", "User1", "--id", "usr_b"], "there is no such account"),
    ] {
        let refused = run(&[&["accounts", "erase"][..], &arguments].concat());
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        assert!(err(&refused).contains(says), "{arguments:?}: {}", err(&refused));
    }
    let public = run(&["keys", "public"]);
    fs::write(installation.path().join("keys.json"), &public.stdout).expect("written");
    let erased = run(&["accounts", "erase", "--type", "User1", "--id", &id]);
    assert!(erased.status.success(), "{}", err(&erased));
    let receipt = out(&erased);
    server.client.profile("User1", &access).await.expect(401);
    server.client.try_login("User1", EMAIL).await.expect(401);

    // The receipt, here and elsewhere.
    fs::write(installation.path().join("receipt"), &receipt).expect("written");
    let by_file = run(&["receipt", "verify", "receipt"]);
    let by_set = verify(installation, settings, &["--keys", "keys.json"], &receipt);
    for verified in [by_file, by_set] {
        let said = out(&verified);
        assert!(verified.status.success(), "{}", err(&verified));
        for told in [
            &*format!("the account {id} of User1"),
            "data keys    1",
            "wrapped by   kek_",
        ] {
            assert!(said.contains(told), "{told}: {said}");
        }
    }
    let altered = receipt.trim().replacen('.', ".A", 1);
    for (text, says) in [
        (access.as_str(), "this is no receipt of erasure"),
        ("nothing", "this is no receipt of erasure"),
        (&altered, "it was altered"),
    ] {
        let refused = verify(installation, settings, &[], text);
        assert_eq!(refused.status.code(), Some(1), "{says}");
        assert!(err(&refused).contains(says), "{says}: {}", err(&refused));
    }
    // The journal: applied, it finds nothing left to be done; what is no line of ours is refused.
    let journal = installation.data().join("erasures.jsonl");
    let text = fs::read_to_string(&journal).expect("written");
    // The server's worker may have come between the tombstone and the command's end, and written it too.
    let (text, more) = text.split_at(text.find('\n').expect("a line") + 1);
    assert!(more.is_empty() || more == text, "{more}");
    fs::write(&journal, text).expect("written");
    let line: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(
        (line["account_id"].as_str(), line["receipt"].as_str()),
        (Some(&*id), Some(receipt.trim()))
    );
    let (other, _) = member(installation, &server, "grace@example.com").await;
    let planted = text.replace(&id, &other);
    fs::write(
        installation.path().join("other.jsonl"),
        format!("{planted}{text}{}", &text[..40]),
    )
    .expect("written");
    let applied = run(&["erasures", "apply", journal.to_str().expect("plain"), "other.jsonl"]);
    assert_eq!(applied.status.code(), Some(3), "{}{}", out(&applied), err(&applied));
    assert!(
        out(&applied).starts_with("4 lines: 0 accounts erased"),
        "{}",
        out(&applied)
    );
    assert!(out(&applied).ends_with("1 refused.\n"), "{}", out(&applied));
    assert!(
        err(&applied).contains("other.jsonl:1: neither its MAC"),
        "{}",
        err(&applied)
    );
    assert!(err(&applied).contains("other.jsonl:3: cut off"), "{}", err(&applied));
    server.client.login("User1", "grace@example.com").await;
    let own = run(&["erasures", "apply", "--dry-run"]);
    assert!(own.status.success(), "{}", err(&own));
    assert!(
        out(&own).starts_with("1 lines: 0 accounts to be erased"),
        "{}",
        out(&own)
    );
    let missing = run(&["erasures", "apply", "nowhere.jsonl"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(err(&missing).contains("nowhere.jsonl"), "{}", err(&missing));
    let off = installation.run(
        &["erasures", "apply"],
        &[settings, &[("ERASURE_JOURNAL", "off")]].concat(),
    );
    assert!(err(&off).contains("ERASURE_JOURNAL is off"), "{}", err(&off));

    // Of a key that others may have had it proves nothing.
    let removed = run(&["keys", "remove", "--use", "token", "--version", "1"]);
    assert!(removed.status.success(), "{}", err(&removed));
    let refused = verify(installation, settings, &[], &receipt);
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("was removed"), "{}", err(&refused));
}

/// Both files copied while nobody runs, put back after the erasure: the journal lies elsewhere.
#[tokio::test]
async fn after_a_restore_of_both_files_the_journal_erases_again() {
    let (installation, journal) = (Installation::new(), tempfile::tempdir().expect("a folder"));
    let path = journal.path().join("erasures.jsonl");
    let settings = [("ERASURE_JOURNAL", path.to_str().expect("plain"))];
    let mut server = installation.serve(&settings).await;
    let (id, _) = member(&installation, &server, EMAIL).await;
    server.process.kill();
    let backup = tempfile::tempdir().expect("a folder");
    let databases = || {
        let files = fs::read_dir(installation.data()).expect("a folder").flatten();
        files.filter(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            name.starts_with("sealgate.db") || name.starts_with("keys.db")
        })
    };
    for file in databases() {
        fs::copy(file.path(), backup.path().join(file.file_name())).expect("copied");
    }
    let erased = installation.run(&["accounts", "erase", "--type", "User1", "--id", &id], &settings);
    assert!(erased.status.success(), "{}", err(&erased));
    for file in databases() {
        fs::remove_file(file.path()).expect("removed");
    }
    for file in fs::read_dir(backup.path()).expect("a folder").flatten() {
        fs::copy(file.path(), installation.data().join(file.file_name())).expect("restored");
    }

    let dry = installation.run(&["erasures", "apply", "--dry-run"], &settings);
    assert!(
        out(&dry).starts_with("1 lines: 1 accounts to be erased"),
        "{}{}",
        out(&dry),
        err(&dry)
    );
    let applied = installation.run(&["erasures", "apply"], &settings);
    assert!(applied.status.success(), "{}", err(&applied));
    assert!(
        out(&applied).starts_with("1 lines: 1 accounts erased"),
        "{}",
        out(&applied)
    );
    let again = installation.run(&["erasures", "apply"], &settings);
    assert!(
        out(&again).contains("0 accounts erased, 0 without an account removed, 1 gone"),
        "{}",
        out(&again)
    );
    let server = installation.serve(&settings).await;
    server.client.try_login("User1", EMAIL).await.expect(401);
}

#[test]
fn the_doctor_tells_of_a_journal_that_cannot_be_written() {
    let installation = Installation::new();
    let doctor = |journal: &str| installation.run(&["doctor"], &[("ERASURE_JOURNAL", journal)]);
    let unmounted = doctor("unmounted/erasures.jsonl");
    assert_eq!(unmounted.status.code(), Some(1));
    assert!(out(&unmounted).contains("!!  erasure journal: "), "{}", out(&unmounted));
    let off = doctor("off");
    assert!(off.status.success(), "{}", out(&off));
    assert!(
        out(&off).contains("!   erasure journal: ERASURE_JOURNAL is off"),
        "{}",
        out(&off)
    );
    assert!(doctor("erasures.jsonl").status.success());
    let production = [("ENVIRONMENT", "production"), ("ERASURE_JOURNAL", "erasures.jsonl")];
    let refused = installation.run(&["doctor"], &production);
    assert!(
        err(&refused).contains("ERASURE_JOURNAL: is no absolute path"),
        "{}",
        err(&refused)
    );
    let refused = installation.run(&["doctor"], &production[..1]);
    assert!(
        err(&refused).contains("ERASURE_JOURNAL: must be set in production"),
        "{}",
        err(&refused)
    );
}

#[tokio::test]
async fn records_are_looked_at_and_vouched_for() {
    let installation = Installation::new();
    let mut server = installation.serve(&[]).await;
    let (id, access) = member(&installation, &server, EMAIL).await;
    let run = |arguments: &[&str]| installation.run(arguments, &[]);
    let sound = run(&["doctor", "--records"]);
    assert!(sound.status.success(), "{}{}", out(&sound), err(&sound));
    assert_eq!(out(&sound), "Every record is as the service wrote it.\n");
    assert!(
        err(&sound).contains("accounts of User1: 1 looked at"),
        "{}",
        err(&sound)
    );

    let file = installation.data().join("sealgate.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let pool = sqlx::SqlitePool::connect_with(options).await.expect("opened");
    let document: Vec<u8> = sqlx::query_scalar("SELECT doc FROM accounts")
        .fetch_one(&pool)
        .await
        .expect("one");
    let mut document: bson::Document = bson::deserialize_from_slice(&document).expect("a document");
    document.insert("role", "admin");
    let bytes = bson::serialize_to_vec(&document).expect("a document");
    sqlx::query("UPDATE accounts SET doc = ?")
        .bind(bytes)
        .execute(&pool)
        .await
        .expect("changed");
    pool.close().await;

    server.client.profile("User1", &access).await.expect(401);
    let found = run(&["doctor", "--records"]);
    assert_eq!(found.status.code(), Some(3), "{}", out(&found));
    let line = format!("accounts  User1/{id}  its MAC does not verify");
    assert!(out(&found).starts_with(&line), "{}", out(&found));
    let found = run(&["doctor", "--records", "--json"]);
    let told: Value = serde_json::from_str(&out(&found)).expect("one object");
    assert_eq!((told["id"].as_str(), told["wrong"].as_str()), (Some(&*id), Some("mac")));
    for said in [out(&found), err(&found)] {
        assert!(!said.contains(EMAIL) && !said.contains("Lovelace"), "{said}");
    }
    let which = ["accounts", "resign", "--type", "User1", "--id", id.as_str()];
    let shown = run(&which);
    assert_eq!(shown.status.code(), Some(1));
    assert!(out(&shown).contains("role            admin"), "{}", out(&shown));
    assert!(out(&shown).contains("slots changed   no"), "{}", out(&shown));
    assert!(err(&shown).contains("--yes"), "{}", err(&shown));
    server.client.profile("User1", &access).await.expect(401);
    let signed = run(&[&which[..], &["--yes"]].concat());
    assert!(signed.status.success(), "{}", err(&signed));
    server.client.profile("User1", &access).await.expect(200);
    assert!(run(&["doctor", "--records"]).status.success());
    let again = run(&which);
    assert!(err(&again).contains("nothing to vouch for"), "{}", err(&again));
    server.process.kill();
}
