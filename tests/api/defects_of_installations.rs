//! Defects of the list that take more than one process, a restart, or a look behind HTTP.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::json;

use crate::support::{Mail, Pair, Person, Setup, StoreSet, TestApp, eventually, mobile};

cases_per_store! {
    defect_01_signed_out_tokens_stay_dead_after_a_restart
    defect_09_two_accounts_of_one_address_through_two_servers
    defect_11_a_missing_key_is_not_replaced
    defect_22_a_sign_out_is_seen_by_every_process
}

cases_once! {
    defect_12_nothing_personal_lies_in_the_stores_files
    defect_15_links_are_https
    defect_16_health_is_down_when_the_database_is_gone
    defect_28_no_origin_of_a_stranger_is_echoed
}

/// What two processes, or one before and after a restart, have in common.
const PUBLIC_URL: &str = "https://id.example.com";

/// Two servers on one store and one outbox, as two processes are.
async fn two_servers(stores: &StoreSet) -> [TestApp; 2] {
    let one = Setup::new(stores).set("PUBLIC_URL", PUBLIC_URL).spawn().await;
    let mut other = Setup::new(stores)
        .set("PUBLIC_URL", PUBLIC_URL)
        .set("KEK_FILE", one.kek_file.to_string_lossy())
        .set("MAIL_DIRECTORY", one.outbox.to_string_lossy());
    other.clock = Arc::clone(&one.clock);
    if matches!(stores, StoreSet::Sqlite) {
        // One server alone may lock the folder; this is the process beside it.
        other.given_stores = Some(one.open_stores().await);
    }
    let two = other.spawn().await;
    [one, two]
}

async fn defect_01_signed_out_tokens_stay_dead_after_a_restart(stores: &StoreSet) {
    let setup = Setup::new(stores).set("PUBLIC_URL", PUBLIC_URL);
    let app = setup.spawn().await;
    let (person, gone) = app.member("User1").await;
    let kept = app.login("User1", &person).await;
    app.post("/User1/logout").bearer(&gone.access).send().await.expect(200);
    app.shut_down().await;

    let app = setup.spawn().await;
    app.profile("User1", &gone.access)
        .await
        .expect_problem(401, "invalid_token");
    app.refresh("User1", &gone.refresh)
        .await
        .expect_problem(401, "invalid_refresh_token");
    app.profile("User1", &kept.access).await.expect(200);
    app.refresh("User1", &kept.refresh).await.expect(200);
    app.login("User1", &person).await;
    app.shut_down().await;
}

async fn defect_09_two_accounts_of_one_address_through_two_servers(stores: &StoreSet) {
    let [one, two] = two_servers(stores).await;
    let person = Person::new();
    let rival = person.rival();
    let answers = tokio::join!(one.create("User1", &person), two.create("User1", &rival));
    answers.0.expect(201);
    answers.1.expect(201);
    // Each server has a worker, and either of them sends either mail; once.
    let mails = one.all_mails(&person.email).await;
    let links: Vec<String> = mails.iter().map(Mail::token).collect();
    assert_eq!(links.len(), 2, "two mails");
    let clicks = tokio::join!(one.confirm("User1", &links[0]), two.confirm("User1", &links[1]));
    let clicks = [clicks.0, clicks.1];
    let confirmed = clicks
        .iter()
        .filter(|answer| answer.status == 200 && answer.text().contains("sign in now"));
    assert_eq!(confirmed.count(), 1, "one account: {clicks:?}");
    let passwords = [&person.password, &rival.password];
    let mut signed_in = 0;
    for password in passwords {
        let answers = [
            one.sign_in("User1", &person.email, password).await.status,
            two.sign_in("User1", &person.email, password).await.status,
        ];
        assert_eq!(answers[0], answers[1], "both servers agree");
        signed_in += usize::from(answers[0] == 200);
    }
    assert_eq!(signed_in, 1, "one password");
    two.shut_down().await;
    one.shut_down().await;
}

async fn defect_11_a_missing_key_is_not_replaced(stores: &StoreSet) {
    let setup = Setup::new(stores).set("PUBLIC_URL", PUBLIC_URL);
    let app = setup.spawn().await;
    let (person, pair) = app.member("User1").await;
    let kek_file = app.kek_file.clone();
    app.shut_down().await;

    let kept = setup.folder().join("kept.keys");
    std::fs::rename(&kek_file, &kept).expect("moves");
    let refused = setup.start().await.expect_err("without its keys it does not start");
    assert!(format!("{refused:#}").contains("KEK_FILE is missing"), "{refused:#}");
    assert!(!kek_file.exists(), "and makes no new ones");

    // Nor does it start with the keys of another installation.
    sealgate::app::make_key_file(&setup.config()).expect("other keys");
    let refused = setup.start().await.expect_err("with other keys it does not start");
    assert!(format!("{refused:#}").contains("do not unwrap"), "{refused:#}");

    std::fs::rename(&kept, &kek_file).expect("moves back");
    let app = setup.spawn().await;
    app.profile("User1", &pair.access).await.expect(200);
    app.login("User1", &person).await;
    app.shut_down().await;
}

async fn defect_22_a_sign_out_is_seen_by_every_process(stores: &StoreSet) {
    let [one, two] = two_servers(stores).await;
    let (person, pair) = one.member("User1").await;
    for app in [&one, &two] {
        app.profile("User1", &pair.access).await.expect(200);
    }
    two.post("/User1/logout").bearer(&pair.access).send().await.expect(200);
    for _ in 0..12 {
        for app in [&one, &two] {
            app.profile("User1", &pair.access)
                .await
                .expect_problem(401, "invalid_token");
        }
    }
    // A rotation, and the family's end, too.
    let first = one.login("User1", &person).await;
    let second = Pair::of(&two, &two.refresh("User1", &first.refresh).await.expect(200));
    let again = one.refresh("User1", &first.refresh).await.expect(200);
    assert_eq!(
        again.member("refresh_token"),
        second.refresh,
        "both derive the same successor"
    );
    one.clock.advance(Duration::from_mins(1));
    one.refresh("User1", &first.refresh)
        .await
        .expect_problem(401, "refresh_token_reused");
    two.profile("User1", &second.access)
        .await
        .expect_problem(401, "invalid_token");
    two.shut_down().await;
    one.shut_down().await;
}

async fn defect_12_nothing_personal_lies_in_the_stores_files(stores: &StoreSet) {
    let setup = Setup::new(stores);
    let app = setup.spawn().await;
    let [person, waiting] = [(); 2].map(|()| Person {
        first_name: "Zebulon".into(),
        last_name: "Quackenbush".into(),
        phone: "+493012345678".into(),
        ..Person::new().with_username()
    });
    app.join("User1", &person).await;
    let pair = app.login("User1", &person).await;
    let link = app.register("User2", &waiting).await;
    let change = json!({ "email": "zebulon.pending@quackenbush.example", "phone": mobile() });
    app.update("User1", &pair.access, &change).await.expect(200);
    app.ask_code("User1", &pair.access, &json!({})).await.expect(202);
    app.forget("User1", &person.email).await.expect(202);
    let reset = app.next_link(&person).await;
    let resend = json!({ "email": waiting.email });
    app.post("/User2/resend-verification")
        .json(&resend)
        .send()
        .await
        .expect(202);
    app.settle().await;

    // While it runs, so that what lies in write-ahead logs is looked at, too.
    let mut read = BTreeSet::new();
    for entry in std::fs::read_dir(setup.folder()).expect("a folder").flatten() {
        if !entry.path().is_file() {
            continue;
        }
        let bytes = std::fs::read(entry.path()).expect("readable");
        let name = entry.file_name().to_string_lossy().into_owned();
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let username = person.username.as_ref().expect("it has one");
        for personal in [
            &person.email,
            &waiting.email,
            username,
            &person.first_name,
            &person.last_name,
            &person.phone,
            &person.password,
            &pair.refresh,
            &pair.access,
            &link,
            &reset,
            &change["email"].as_str().expect("an address").to_owned(),
            &change["phone"].as_str().expect("a number").to_owned(),
        ] {
            assert!(!text.contains(&personal.to_lowercase()), "{personal} lies in {name}");
        }
        read.insert(name);
    }
    for file in ["sealgate.db", "keys.db", "jobs.db"] {
        assert!(read.contains(file), "{file} was looked at: {read:?}");
    }
    app.shut_down().await;
}

async fn defect_15_links_are_https(stores: &StoreSet) {
    let app = Setup::new(stores).set("APP_DOMAIN", "id.example.com").spawn().await;
    let person = Person::new();
    app.create("User1", &person).await.expect(201);
    let link = app.next_mail(&person.email).await.link();
    let expected = "https://id.example.com/User1/verify?token=";
    assert!(link.as_ref().is_some_and(|link| link.starts_with(expected)), "{link:?}");
    // Those to an account, too.
    let (person, pair) = app.member("User1").await;
    app.forget("User1", &person.email).await.expect(202);
    let reset = app.next_mail(&person.email).await.link().expect("a link");
    assert!(
        reset.starts_with("https://id.example.com/User1/reset_password_form?token="),
        "{reset}"
    );
    let new = Person::new().email;
    app.update("User1", &pair.access, &json!({ "email": new }))
        .await
        .expect(200);
    let change = app.next_mail(&new).await.link().expect("a link");
    assert!(change.starts_with(expected), "{change}");
    app.shut_down().await;
}

async fn defect_16_health_is_down_when_the_database_is_gone(stores: &StoreSet) {
    let setup = Setup::new(stores);
    let app = setup.spawn().await;
    app.get("/readyz").send().await.expect(200);
    std::fs::remove_file(setup.folder().join("sealgate.db")).expect("removes");
    for path in ["/health", "/readyz", "/db_check"] {
        eventually(&format!("{path} to notice"), async || {
            (app.get(path).send_unchecked().await.status == 503).then_some(())
        })
        .await;
    }
    app.get("/livez").send().await.expect(200);
    app.shut_down().await;
}

async fn defect_28_no_origin_of_a_stranger_is_echoed(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    for origin in ["https://evil.example", "null", "http://localhost.evil.example"] {
        for path in ["/User1/login", "/User1/", "/health", "/nowhere"] {
            let answer = app.get(path).header("origin", origin).send().await;
            for name in ["access-control-allow-origin", "access-control-allow-credentials"] {
                assert_eq!(answer.header(name), "", "{path} opens to {origin}");
            }
        }
    }
    app.shut_down().await;
}
