//! `sealgate filter`, beside a server without a worker and with one.

use std::{process::Output, time::Duration};

use serde_json::json;

use crate::{
    installation::Installation,
    stores::{SharedStores, free_port},
    waiting::eventually,
};

const PATIENCE: Duration = Duration::from_secs(30);

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn the_filter_is_rebuilt_by_hand_and_by_a_worker_and_its_status_told() {
    let (installation, stores) = (Installation::new(), SharedStores::new());
    let metrics = format!("127.0.0.1:{}", free_port());
    let with_metrics = [
        ("WORKER", "off"),
        ("FILTER_CAPACITY", "2"),
        ("METRICS_ADDR", metrics.as_str()),
    ];
    let settings = stores.settings_with(&with_metrics[..2]);
    out(&installation.run(&["keys", "new"], &settings));
    let server = installation.serve(&stores.settings_with(&with_metrics)).await;
    let client = reqwest::Client::new();
    for name in ["ada", "grace", "mary"] {
        let person = json!({
            "first_name": "Ada", "last_name": "Lovelace", "email": format!("{name}@mail.example"),
            "password": "Correct-Horse-9!",
        });
        let answer = client
            .post(format!("http://{}/User1/create", server.address))
            .json(&person)
            .send()
            .await;
        assert_eq!(answer.expect("an answer").status(), 201);
    }
    let status = || out(&installation.run(&["filter", "status"], &settings));
    assert!(status().contains("It must be rebuilt: there is none"), "{}", status());

    let rebuilt = out(&installation.run(&["filter", "rebuild"], &settings));
    assert_eq!(rebuilt, "Rebuilt with 3 addresses; it has room for 6.\n");
    let told = status();
    assert!(
        told.contains("items") && told.contains("of 6") && told.ends_with("It serves.\n"),
        "{told}"
    );
    assert!(told.contains("index keys    User1:1,User2:1"), "{told}");

    // Emptied: a worker builds it again by itself.
    stores.forget("f:").await;
    assert!(status().contains("there is none"));
    let worker = installation.work(&settings).await;
    eventually("a filter again", PATIENCE, async || {
        status().ends_with("It serves.\n").then_some(())
    })
    .await;

    // What it saves is counted.
    let count = async || {
        let form = [("username", "nobody@mail.example"), ("password", "Correct-Horse-9!")];
        let login = client
            .post(format!("http://{}/User1/login", server.address))
            .form(&form);
        assert_eq!(login.send().await.expect("an answer").status(), 401);
        let told = client
            .get(format!("http://{metrics}/metrics"))
            .send()
            .await
            .expect("metrics");
        let told = told.text().await.expect("text");
        assert!(!told.contains("mail.example"), "{told}");
        let line = told
            .lines()
            .find(|line| line.starts_with("sealgate_email_filter_answers_total{answer=\"no\"}"));
        line.map(str::to_owned)
    };
    eventually("a no that is counted", PATIENCE, count).await;
    drop(worker);
    drop(server);
    stores.remove().await;
}

#[test]
fn the_embedded_store_has_none() {
    let installation = Installation::new();
    let told = out(&installation.run(&["filter", "status"], &[]));
    assert!(told.contains("looks every address up"), "{told}");
    let refused = installation.run(&["filter", "rebuild"], &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("looks every address up"));
}
