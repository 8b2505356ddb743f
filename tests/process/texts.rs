//! `sealgate texts` beside a server, and `sealgate filter breached build`.

use std::{fs, process::Output};

use serde_json::json;

use crate::{installation::Installation, stores::SharedStores};

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn is_lifted(installation: &Installation, settings: &[(&str, &str)]) {
    let settings = [settings, &[("SMS_DAILY_CAP_ALL", "1")]].concat();
    let server = installation.serve(&settings).await;
    let base = format!("http://{}/User1", server.address);
    let client = reqwest::Client::new();
    let mut statuses = Vec::new();
    let mut tokens = Vec::new();
    for (name, number) in [("ada", "+4915120000001"), ("grace", "+4915120000002")] {
        let email = format!("{name}@mail.example");
        let person = json!({
            "first_name": "Ada", "last_name": "Lovelace", "email": email, "phone": number,
            "password": "Correct-Horse-9!",
        });
        let created = client.post(format!("{base}/create")).json(&person).send().await;
        assert_eq!(created.expect("an answer").status(), 201);
        let mail = installation.outbox().link_to(&email).await;
        let verified = client
            .post(format!("{base}/verify"))
            .json(&json!({ "token": mail.token() }))
            .send()
            .await;
        assert_eq!(verified.expect("an answer").status(), 200);
        let form = [("username", email.as_str()), ("password", "Correct-Horse-9!")];
        let login = client
            .post(format!("{base}/login"))
            .form(&form)
            .send()
            .await
            .expect("an answer");
        let login: serde_json::Value = login.json().await.expect("JSON");
        tokens.push(login["access_token"].as_str().expect("a token").to_owned());
        let asked = client
            .post(format!("{base}/otp_phone"))
            .bearer_auth(&tokens[tokens.len() - 1])
            .send()
            .await;
        statuses.push(asked.expect("an answer").status().as_u16());
    }
    assert_eq!(statuses, [202, 503]);

    let run = |arguments: &[&str]| installation.run(arguments, &settings);
    let line = |scope: &str, says: &str| format!("{scope:<20} {says}");
    let told = out(&run(&["texts", "status"]));
    assert!(told.contains(&line("all", "1 of 1 today; paused until ")), "{told}");
    assert!(told.contains(&line("type:User1", "1 of 1000 today\n")), "{told}");
    assert!(
        told.contains(&line("prefix:4915120", "0 of 0 codes came back")),
        "{told}"
    );
    assert_eq!(
        out(&run(&["texts", "lift", "type:User1"])),
        "type:User1 nothing held them back\n"
    );
    assert_eq!(out(&run(&["texts", "lift", "all"])), "all lifted: texts go again\n");
    assert_eq!(out(&run(&["texts", "lift", "all"])), "all nothing held them back\n");
    let told = out(&run(&["texts", "status"]));
    assert!(
        told.contains(&line("all", "1 today, 0 of 1 since it was lifted\n")),
        "{told}"
    );
    assert!(told.contains("No more than 2 leave today (UTC), unless"), "{told}");
    let prefix = "prefix:4915120";
    assert_eq!(
        out(&run(&["texts", "lift", prefix])),
        format!("{prefix} nothing held them back\n")
    );
    let asked = client
        .post(format!("{base}/otp_phone"))
        .bearer_auth(&tokens[1])
        .send()
        .await;
    assert_eq!(asked.expect("an answer").status(), 202);
    let misspelt = run(&["texts", "lift", "User1"]);
    assert!(
        String::from_utf8_lossy(&misspelt.stderr).contains("type:User1"),
        "{misspelt:?}"
    );
}

#[tokio::test]
async fn texts_that_are_paused_are_lifted_on_the_embedded_store() {
    is_lifted(&Installation::new(), &[]).await;
}

#[tokio::test]
async fn texts_that_are_paused_are_lifted_on_shared_stores() {
    let (installation, stores) = (Installation::new(), SharedStores::new());
    let settings = stores.settings_with(&[]);
    out(&installation.run(&["keys", "new"], &settings));
    is_lifted(&installation, &settings).await;
    stores.remove().await;
}

#[test]
fn a_filter_of_breached_passwords_is_built_and_the_doctor_reads_it() {
    let installation = Installation::new();
    let (list, file) = (
        installation.path().join("list.txt"),
        installation.path().join("breached"),
    );
    let (list_name, file_name) = (list.to_str().expect("plain"), file.to_str().expect("plain"));
    fs::write(
        &list,
        "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:9545824\r\nnonsense\r\n",
    )
    .expect("written");
    let build = ["filter", "breached", "build", list_name, "--output", file_name];
    let refused = installation.run(&build, &[]);
    assert!(!refused.status.success() && !file.exists());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("line 2") && !said.contains("nonsense"), "{said}");

    fs::write(&list, "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:9545824\r\n").expect("written");
    let built = out(&installation.run(&build, &[]));
    assert!(
        built.starts_with("1 SHA-1 hashes in 4 bytes; set BREACHED_PASSWORDS_FILE to "),
        "{built}"
    );
    let doctor = || installation.run(&["doctor"], &[("BREACHED_PASSWORDS_FILE", file_name)]);
    assert!(out(&doctor()).contains("ok  breached passwords\n"));
    let mut bytes = fs::read(&file).expect("read");
    bytes[66] ^= 0x10;
    fs::write(&file, bytes).expect("written");
    let said = doctor();
    assert!(!said.status.success());
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(
        said.contains("!!  breached passwords: ") && said.contains("damaged"),
        "{said}"
    );
}
