//! Messages that a provider refuses for good: listed, sent after all, removed, while the server runs.

use std::{process::Output, time::Duration};

use serde_json::Value;

use crate::{
    installation::Installation,
    smtp::MailServer,
    stores::SharedStores,
    waiting::{eventually, until},
};

const PATIENCE: Duration = Duration::from_secs(30);

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn dead_letters_of_the_embedded_store() {
    let installation = Installation::new();
    dead_letters(&installation, &[]).await;
}

#[tokio::test]
async fn dead_letters_of_mongodb() {
    let (installation, stores) = (Installation::new(), SharedStores::new());
    let settings = stores.settings_with(&[]);
    said(&installation.run(&["keys", "new"], &settings));
    dead_letters(&installation, &settings).await;
    stores.remove().await;
}

async fn dead_letters(installation: &Installation, stores: &[(&str, &str)]) {
    let smtp = MailServer::refusing().await;
    let mails = [
        ("MAIL_SERVER", "127.0.0.1"),
        ("MAIL_PORT", smtp.port.as_str()),
        ("MAIL_STARTTLS", "off"),
        ("MAIL_FROM", "no-reply@example.com"),
    ];
    let settings = [stores, &mails].concat();
    let server = installation.serve(&settings).await;
    let outbox = |arguments: &[&str]| installation.run(&[&["outbox"], arguments].concat(), &settings);
    let listed = || -> Vec<Value> {
        let lines = said(&outbox(&["list", "--json"]));
        let letters = lines.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        letters.collect()
    };
    let dead = async |count: usize| {
        eventually(&format!("{count} dead letters"), PATIENCE, async || {
            let letters = listed();
            (letters.len() == count).then_some(letters)
        })
        .await
    };
    assert_eq!(listed(), Vec::<Value>::new());

    let made = server.client.create("User2", "ada@example.com").await.expect(201);
    let letters = dead(1).await;
    let (letter, id) = (&letters[0], letters[0]["id"].as_str().expect("an id"));
    assert_eq!(letter["account_id"], made.json()["id"]);
    for (member, value) in [("kind", "confirm_address"), ("user_type", "User2")] {
        assert_eq!(letter[member], value);
    }
    assert_eq!(letter["attempts"], 1);
    let text = said(&outbox(&["list"]));
    assert!(text.starts_with(id) && text.lines().count() == 1, "{text}");
    assert!(text.contains(letter["reason"].as_str().expect("a reason")), "{text}");
    assert!(!text.contains("ada") && !letter.to_string().contains("ada"), "{text}");

    for arguments in [&["retry"][..], &["drop"], &["retry", id, "--all"], &["drop", "usr_1"]] {
        assert_eq!(outbox(arguments).status.code(), Some(2), "{arguments:?}");
    }
    let other = "msg_00000000000000000000000000";
    for wish in ["retry", "drop"] {
        let output = outbox(&[wish, other]);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains(other));
    }
    assert_eq!(dead(1).await, letters, "nothing of that changed it");

    smtp.accept();
    assert_eq!(said(&outbox(&["retry", id])), "1 due again.\n");
    until("the mail arrives", PATIENCE, async || smtp.taken().len() == 1).await;
    assert!(smtp.taken()[0].contains(id), "under its own Message-ID");
    until("nothing is dead", PATIENCE, async || listed().is_empty()).await;

    let smtp = MailServer::refusing().await;
    let refused = [stores, &mails, &[("MAIL_PORT", smtp.port.as_str())]].concat();
    drop(server);
    let server = installation.serve(&refused).await;
    for n in 0..3 {
        server
            .client
            .create("User1", &format!("bob{n}@example.com"))
            .await
            .expect(201);
    }
    let letters = dead(3).await;
    let id = letters[1]["id"].as_str().expect("an id");
    assert_eq!(said(&outbox(&["drop", id])), "1 removed.\n");
    assert_eq!(dead(2).await, [letters[0].clone(), letters[2].clone()]);
    smtp.accept();
    assert_eq!(said(&outbox(&["retry", "--all"])), "2 due again.\n");
    until("both mails arrive", PATIENCE, async || smtp.taken().len() == 2).await;
    assert_eq!(said(&outbox(&["drop", "--all"])), "0 removed.\n");
}
