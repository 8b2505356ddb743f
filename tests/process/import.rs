//! `sealgate import legacy`: the database of the Python service is taken over, beside a running server.

use std::{path::Path, process::Output, time::Duration};

use sealgate::{
    domain::user_type::UserType,
    storage::{Ref, Stores, accounts::AccountFilter},
};
use serde_json::{Value, json};

use crate::{
    installation::{Installation, Server},
    processes::SERVER,
    stores::{OldDatabase, SharedStores},
    waiting::eventually,
};

/// Made by Python: `tests/vectors/make_legacy.py`.
pub(crate) fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/legacy.json")).expect("JSON")
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The settings of the old service, and how the import is told where it is.
struct Old {
    database: OldDatabase,
    settings: [(String, String); 3],
}

impl Old {
    async fn of(collections: &[&str]) -> Self {
        let vectors = vectors();
        let text = |name: &str| vectors[name].as_str().expect("text").to_owned();
        let database = OldDatabase::of(&vectors, collections).await;
        let settings = [
            ("LEGACY_MONGO_URL".to_owned(), database.url.clone()),
            ("ENCRYPTION_KEY".to_owned(), text("encryption_key")),
            ("EMAIL_SALT".to_owned(), text("email_salt")),
        ];
        Self { database, settings }
    }

    /// `settings` with those of the old service, and last `more`, which win.
    fn settings<'s>(&'s self, settings: &[(&'s str, &'s str)], more: &[(&'s str, &'s str)]) -> Vec<(&'s str, &'s str)> {
        let own = self
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        settings
            .iter()
            .copied()
            .chain(own)
            .chain(more.iter().copied())
            .collect()
    }

    fn arguments<'s>(&'s self, more: &[&'s str]) -> Vec<&'s str> {
        [&["import", "legacy", "--database", self.database.name.as_str()], more].concat()
    }
}

#[tokio::test]
async fn the_old_database_into_the_embedded_store() {
    let installation = Installation::new();
    take_over(&installation, &[], async |id| {
        let stores = sealgate::storage::sqlite::open(&installation.data()).await;
        password_hash(&stores.expect("SQLite opens").stores(), id).await
    })
    .await;
}

#[tokio::test]
async fn the_old_database_into_mongodb() {
    let (installation, stores) = (Installation::new(), SharedStores::new());
    let settings = stores.settings_with(&[]);
    assert!(installation.run(&["keys", "new"], &settings).status.success());
    take_over(&installation, &settings, async |id| {
        password_hash(&stores.open().await, id).await
    })
    .await;
    stores.remove().await;
}

/// Of an account of `User1`; empty of a tombstone, none where there is nothing.
async fn password_hash(stores: &Stores, id: &str) -> Option<String> {
    let user_type: UserType = "User1".parse().expect("valid");
    let key = Ref::new(&user_type, id.parse().expect("an id"));
    let account = stores.accounts.find(&key).await.expect("a store")?;
    let document = bson::serialize_to_document(&account).expect("a document");
    Some(document.get_str("password_hash").unwrap_or_default().to_owned())
}

#[expect(
    clippy::too_many_lines,
    reason = "one story, of which each part needs the ones before"
)]
async fn take_over(
    installation: &Installation,
    settings: &[(&str, &str)],
    password_hash: impl AsyncFn(&str) -> Option<String>,
) {
    let vectors = vectors();
    let old = Old::of(&["User1", "User2"]).await;
    let before = old.database.documents().await;
    let server = installation.serve(settings).await;
    let id = |number: usize| vectors["databases"]["User1"][number - 1]["id"].as_str().expect("text");
    let login = async |user_type: &str, email: &str, password: &str| {
        server.client.try_login_with(user_type, email, password).await
    };
    let import = |more: &[&str], changed: &[(&str, &str)]| {
        installation.run(&old.arguments(more), &old.settings(settings, changed))
    };
    let ada = ("ada@example.com", "Ada's 1st password!");

    // Wrong keys stop it before anything is made.
    let wrong = vectors["other_key"].as_str().expect("text");
    for (name, value) in [
        ("ENCRYPTION_KEY", wrong),
        ("ENCRYPTION_KEY", "short"),
        ("ENCRYPTION_KEY", ""),
        ("EMAIL_SALT", "fleur de sel"),
    ] {
        let refused = import(&[], &[(name, value)]);
        let said = err(&refused);
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(
            said.contains(name) && (value.is_empty() || !said.contains(value)),
            "{said}"
        );
        assert_eq!(password_hash(id(1)).await, None, "nothing was written");
    }

    let all = "11 made, 0 there already, 0 deleted since, 2 taken by another account, 6 invalid, 4 to look at";
    let dry = import(&["--dry-run"], &[]);
    assert_eq!(dry.status.code(), Some(1), "{}", err(&dry));
    assert!(
        out(&dry).contains(&all.replace("made", "would be made")),
        "{}",
        out(&dry)
    );
    assert_eq!(password_hash(id(1)).await, None, "a dry run writes nothing");
    login("User1", ada.0, ada.1).await.expect(401);

    let report = installation.path().join("report.jsonl");
    let done = import(&["--report", report.to_str().expect("plain")], &[]);
    assert_eq!(done.status.code(), Some(1), "{}", err(&done));
    assert!(out(&done).contains(all), "{}", out(&done));
    assert!(
        out(&done).contains(id(2)) && out(&done).contains(id(3)),
        "spoilt names: {}",
        out(&done)
    );
    assert_report(&report, &vectors);
    assert_eq!(old.database.documents().await, before, "the old database is only read");

    // At once, with the old passwords, each in its own population; and the hash is replaced.
    let imported = password_hash(id(1)).await.expect("an account");
    assert_eq!(imported, vectors["databases"]["User1"][0]["password"]);
    login("User1", ada.0, "Ada's other password!").await.expect(401);
    let session = login("User1", "ADA@example.com", ada.1).await.expect(200);
    let replaced = password_hash(id(1)).await.expect("an account");
    assert!(
        replaced.starts_with("$argon2id$v=19$m=19456,t=2,p=1,keyid="),
        "{replaced}"
    );
    login("User1", ada.0, ada.1).await.expect(200);
    login("User2", ada.0, "Ada's other password!").await.expect(200);
    let (email, password) = ("Zoe@example.com", "Zo\u{eb}'s p\u{e4}ssword 18!");
    login("User1", email, password).await.expect(200);

    // What nobody may do: take another's address, or come in by the password of the one who lost it.
    login("User1", "twice@example.com", "Twice's password 7!")
        .await
        .expect(200);
    for password in ["Twice's password 6!", "Twice's password 8!"] {
        login("User1", "twice@example.com", password).await.expect(401);
    }
    login("User1", ada.0, "Victim's password 9!").await.expect(401);

    let session = session.member("access_token");
    let profile = server.client.profile("User1", &session).await.expect(200).json();
    assert_eq!(
        [&profile["id"], &profile["first_name"], &profile["email"]],
        [id(1), "Ada", ada.0]
    );
    let conan = login("User1", "conan@example.com", "Conan's password 2!")
        .await
        .expect(200);
    let profile = server
        .client
        .profile("User1", &conan.member("access_token"))
        .await
        .expect(200);
    assert_eq!(profile.json()["last_name"], "O#x27Brien", "told, not touched");

    confirm_the_waiting_one(installation, &server).await;

    // Twice is once, and who deleted the account since is not brought back.
    let again = "0 made, 11 there already, 0 deleted since, 2 taken by another account, 6 invalid";
    let done = import(&[], &[]);
    assert!(out(&done).contains(again), "{}", out(&done));
    assert_eq!(password_hash(id(1)).await, Some(replaced), "nothing was put back");
    server.client.delete("User1", &session, ada.1).await.expect(200);
    for _ in 0..2 {
        let done = import(&[], &[]);
        let erased = "0 made, 10 there already, 1 deleted since, 2 taken by another account, 6 invalid";
        assert!(out(&done).contains(erased), "{}", out(&done));
        login("User1", ada.0, ada.1).await.expect(401);
        let gone = async || password_hash(id(1)).await.is_none().then_some(());
        eventually("the tombstone goes", Duration::from_secs(20), gone).await;
    }
    old.database.remove().await;
}

/// Its password is right and opens nothing before the link is used that is mailed when it is asked for.
async fn confirm_the_waiting_one(installation: &Installation, server: &Server) {
    const EMAIL: &str = "waiting@example.com";
    const WAITING: &str = "Waiting's password 5!";
    let client = &server.client;
    let refused = client.try_login_with("User1", EMAIL, WAITING).await.expect(403);
    assert_eq!(refused.member("code"), "email_not_verified");
    client.try_login_with("User1", EMAIL, "not this one").await.expect(401);
    assert!(installation.outbox().to(EMAIL).is_empty(), "nobody was written to");

    let body = json!({ "email": EMAIL });
    client.post("/User1/resend-verification", &body).await.expect(202);
    let mail = installation.outbox().link_to(EMAIL).await;
    client.verify("User2", mail.token()).await.expect(400);
    client.verify("User1", mail.token()).await.expect(200);
    client.verify("User1", mail.token()).await.expect(400);
    let session = client.try_login_with("User1", EMAIL, WAITING).await.expect(200);
    let profile = client.profile("User1", &session.member("access_token")).await;
    assert_eq!(profile.json()["is_email_verified"], true);
}

/// Which records and why, and nothing of what is in them.
fn assert_report(report: &Path, vectors: &Value) {
    let text = std::fs::read_to_string(report).expect("a report");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let find = |id: &str| {
        let line = lines.iter().find(|line| line["id"] == id);
        line.unwrap_or_else(|| panic!("{id} is not in {text}"))
    };
    for (number, outcome, errors) in [
        (6, "email_taken", json!([])),
        (8, "email_taken", json!([])),
        (
            9,
            "invalid",
            json!([{ "field": "email", "code": "search_hash_mismatch" }]),
        ),
        (
            10,
            "invalid",
            json!([{ "field": "last_name", "code": "does_not_open" }]),
        ),
        (
            11,
            "invalid",
            json!([{ "field": "first_name", "code": "does_not_open" }]),
        ),
        (
            13,
            "invalid",
            json!([{ "field": "password_hash", "code": "password_hash_unknown" }]),
        ),
    ] {
        let line = find(vectors["databases"]["User1"][number - 1]["id"].as_str().expect("text"));
        assert_eq!(
            [&line["outcome"], &line["errors"]],
            [&json!(outcome), &errors],
            "{line}"
        );
    }
    let unnamed = find("_id 00000000000000000000000c");
    assert_eq!(unnamed["errors"], json!([{ "field": "id", "code": "id_invalid" }]));
    assert_eq!(lines.len(), 12, "8 that were refused, 4 to look at: {text}");
    for value in ["example", "Brien", "Family", "not.an.id", "argon2", "password 1"] {
        assert!(!text.contains(value), "{value} in {text}");
    }
}

/// Killed while it makes accounts, it is begun again and makes the others.
#[tokio::test]
async fn a_killed_import_into_the_embedded_store_is_resumed() {
    let installation = Installation::new();
    let stores = sealgate::storage::sqlite::open(&installation.data()).await;
    resume(&installation, &[], &stores.expect("SQLite opens").stores()).await;
}

#[tokio::test]
async fn a_killed_import_into_mongodb_is_resumed() {
    let (installation, stores) = (Installation::new(), SharedStores::new());
    let settings = stores.settings_with(&[]);
    assert!(installation.run(&["keys", "new"], &settings).status.success());
    resume(&installation, &settings, &stores.open().await).await;
    stores.remove().await;
}

/// `stores` are those that the settings name.
async fn resume(installation: &Installation, settings: &[(&str, &str)], stores: &Stores) {
    let old = Old::of(&["Crowd"]).await;
    let settings = old.settings(settings, &[]);
    let arguments = old.arguments(&["--map", "Crowd=User1"]);
    let owned: Vec<_> = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let (user_type, everybody) = ("User1".parse().expect("valid"), AccountFilter::default());
    let made = async || {
        let accounts = stores.accounts.list(&user_type, &everybody, None, 100).await;
        accounts.expect("a store").len()
    };

    let mut process = installation.start(Path::new(SERVER), &arguments, &owned);
    let some = async || (made().await >= 5).then_some(());
    eventually("some accounts are made", Duration::from_mins(1), some).await;
    process.kill();
    let by_then = made().await;
    assert!((5..80).contains(&by_then), "killed in the middle: {by_then} of 80");

    let done = installation.run(&arguments, &settings);
    assert!(done.status.success(), "{}{}", out(&done), err(&done));
    let said = out(&done);
    let (_, counts) = said.split_once("80 record(s): ").unwrap_or_else(|| panic!("{said}"));
    let (rest, found) = counts.split_once(" made, ").expect("two counts");
    let (found, _) = found.split_once(" there already").expect("two counts");
    let (rest, found): (usize, usize) = (rest.parse().expect("a number"), found.parse().expect("a number"));
    // A write that was on its way when the process died may have arrived since.
    assert!(
        rest > 0 && found >= by_then && rest + found == 80,
        "{by_then} were there: {said}"
    );
    assert_eq!(made().await, 80);

    let server = installation.serve(&settings).await;
    for number in [1, 40, 80] {
        let email = format!("person.{number}@crowd.example");
        let login = server.client.try_login_with("User1", &email, "One of the crowd!");
        login.await.expect(200);
    }
    old.database.remove().await;
}
