//! `sealgate import accounts`: accounts from a file of JSON lines, whoever hashed their passwords.

use std::fs;

use serde_json::{Value, json};

use crate::{
    import::{err, out, vectors},
    installation::Installation,
    stores::SharedStores,
};

const LINES: usize = 1_000;

#[tokio::test]
async fn a_thousand_lines_into_the_embedded_store() {
    thousand(&Installation::new(), &[]).await;
}

#[tokio::test]
async fn a_thousand_lines_into_mongodb() {
    let (installation, stores) = (Installation::new(), SharedStores::new());
    let settings = stores.settings_with(&[]);
    assert!(installation.run(&["keys", "new"], &settings).status.success());
    thousand(&installation, &settings).await;
    stores.remove().await;
}

fn line(number: usize, hash: &Value) -> Value {
    json!({
        "id": format!("import-{number}"),
        "email": format!("Person.{number}@Import.example"),
        "username": format!("person-{number}"),
        "first_name": "O'Brien",
        "last_name": "Tom & Jerry",
        "phone": "+14155550123",
        "password_hash": hash,
        "is_email_verified": true,
        "created_at": "2020-02-29T12:00:00Z",
    })
}

#[expect(
    clippy::too_many_lines,
    reason = "one story, of which each part needs the ones before"
)]
async fn thousand(installation: &Installation, settings: &[(&str, &str)]) {
    let vectors = vectors();
    let hashes = vectors["password_hashes"].as_array().expect("a list");
    let mut lines: Vec<Value> = (0..LINES)
        .map(|number| line(number, &hashes[number % hashes.len()]["hash"]))
        .collect();
    // Beside them: one without a password, one address twice, one username twice, one id twice, and what is no account.
    lines.push(json!({ "id": "bare", "email": "bare@import.example", "first_name": "A", "last_name": "B" }));
    let mut twice = line(1, &Value::Null);
    twice["id"] = json!("other-id");
    lines.push(twice.clone());
    twice["email"] = json!("fresh@import.example");
    lines.push(twice.clone());
    twice["id"] = json!("import-1");
    lines.push(twice);
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    let file = installation.path().join("accounts.jsonl");
    let bad = r#"{"id":"bad","email":"secret-address","first_name":"Secret"}"#;
    fs::write(&file, format!("{}\n\nno JSON\n{bad}\n", text.join("\n"))).expect("written");
    let report = installation.path().join("report.jsonl");
    let (file, report_name) = (file.to_str().expect("plain"), report.to_str().expect("plain"));
    let arguments = ["import", "accounts", file, "--type", "User1", "--report", report_name];
    let import = |more: &[&str]| installation.run(&[&arguments[..], more].concat(), settings);

    let dry = import(&["--dry-run"]);
    let all = "1001 made, 0 there already, 0 deleted since, 3 taken by another account, 2 invalid, 0 to look at";
    assert!(
        out(&dry).contains(&all.replace("made", "would be made")),
        "{}{}",
        out(&dry),
        err(&dry)
    );
    let done = import(&[]);
    assert_eq!(done.status.code(), Some(1), "{}", err(&done));
    assert!(out(&done).contains(all), "{}{}", out(&done), err(&done));
    assert!(err(&done).contains("1000 ("), "progress: {}", err(&done));
    let refused = fs::read_to_string(&report).expect("a report");
    let refused: Vec<Value> = refused
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let mut told: Vec<_> = refused
        .iter()
        .map(|line| (line["number"].as_u64(), line["outcome"].as_str()))
        .collect();
    told.sort_unstable();
    let expected = [
        (1002, "email_taken"),
        (1003, "username_taken"),
        (1004, "id_taken"),
        (1006, "invalid"),
        (1007, "invalid"),
    ];
    assert_eq!(told, expected.map(|(number, outcome)| (Some(number), Some(outcome))));
    for said in [out(&done), err(&done), fs::read_to_string(&report).expect("a report")] {
        assert!(
            !said.contains("secret") && !said.contains("Secret") && !said.contains('@'),
            "{said}"
        );
    }

    let again = import(&[]);
    assert!(
        out(&again).contains("0 made, 1001 there already, 0 deleted since, 3 taken"),
        "{}",
        out(&again)
    );
    let none = installation.run(&["import", "accounts", file], settings);
    assert!(
        out(&none).contains("1006 invalid"),
        "no line names a user type: {}",
        out(&none)
    );

    let server = installation.serve(settings).await;
    for (number, hash) in hashes.iter().enumerate() {
        let (kind, password) = (&hash["kind"], hash["password"].as_str().expect("text"));
        let email = format!("person.{number}@import.example");
        // The first one replaces the hash, the second one meets what replaced it.
        for name in [email.clone(), format!("Person-{number}")] {
            let answer = server.client.try_login_with("User1", &name, password).await;
            assert_eq!(answer.status, 200, "{kind}: {}", answer.text);
        }
        let wrong = server.client.try_login_with("User1", &email, "Another passw0rd!").await;
        assert_eq!(wrong.status, 401, "{kind}");
    }
    let session = server
        .client
        .try_login_with("User1", "person-0", hashes[0]["password"].as_str().expect("text"));
    let session = session.await.expect(200).member("access_token");
    let profile = server.client.profile("User1", &session).await.expect(200).json();
    assert_eq!(profile["id"], "import-0");
    assert_eq!(
        [&profile["first_name"], &profile["last_name"]],
        ["O'Brien", "Tom & Jerry"]
    );
    assert_eq!(profile["email"], "Person.0@Import.example");
    assert_eq!(profile["created_at"], "2020-02-29T12:00:00.000Z");

    // Without a hash, and unconfirmed: a link to the address sets the one and confirms the other.
    let bare = json!({ "email": "bare@import.example" });
    server
        .client
        .try_login("User1", "bare@import.example")
        .await
        .expect(401);
    server.client.post("/User1/forget_password", &bare).await.expect(202);
    let link = installation.outbox().link_to("bare@import.example").await;
    let chosen = json!({ "token": link.token(), "password": crate::client::PASSWORD });
    server.client.post("/User1/reset_password", &chosen).await.expect(200);
    server.client.login("User1", "bare@import.example").await;
}
