//! What an operator may set, as a client sees it.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use sealgate::{
    app::{World, run_worker},
    crypto::{password_hasher::HashCost, system_entropy::SystemEntropy},
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::support::{BROWSER, Forger, Pair, Person, Setup, StoreSet, part};

cases_per_store! {
    other_user_types_live_beside_in_one_process
}

cases_once! {
    tokens_may_be_signed_with_a_shared_secret
    links_begin_with_the_configured_url
    links_lead_to_the_free_port_where_no_url_is_configured
    policies_and_lifetimes_may_differ_by_user_type
    more_passwords_than_can_be_hashed_are_503
    a_worker_of_its_own_delivers
    one_folder_has_one_server
}

async fn other_user_types_live_beside_in_one_process(stores: &StoreSet) {
    let app = Setup::new(stores).set("DOCS", "on").spawn().await;
    let other = Setup::new(&stores.another())
        .set("USER_TYPES", "Customer,Driver")
        .set("DOCS", "on")
        .spawn()
        .await;
    let person = Person::new();
    for user_type in ["Customer", "Driver"] {
        other.join(user_type, &person).await;
        let pair = other.login(user_type, &person).await;
        other.profile(user_type, &pair.access).await.expect(200);
        other.refresh(user_type, &pair.refresh).await.expect(200);
        app.get(&format!("/{user_type}/"))
            .bearer(&pair.access)
            .send()
            .await
            .expect_problem(404, "not_found");
    }
    let (_, pair) = app.member("User1").await;
    other
        .get("/User1/")
        .bearer(&pair.access)
        .send()
        .await
        .expect_problem(404, "not_found");
    other
        .profile("Customer", &pair.access)
        .await
        .expect_problem(401, "invalid_token");

    let [document, other_document] =
        [&app, &other].map(async |app| app.get("/openapi.json").send().await.expect(200).json());
    let (document, other_document) = (document.await, other_document.await);
    let has = |document: &Value, path: &str| document["paths"].get(path).is_some();
    assert!(has(&document, "/User1/create") && !has(&document, "/Customer/create"));
    assert!(has(&other_document, "/Customer/create") && !has(&other_document, "/User1/create"));
    app.shut_down().await;
    other.shut_down().await;
}

async fn tokens_may_be_signed_with_a_shared_secret(stores: &StoreSet) {
    let secret = "0123456789abcdef0123456789abcdef-shared";
    let app = Setup::new(stores)
        .set("JWT_ALGORITHM", "HS256")
        .set("JWT_SECRET_KEY", secret)
        .spawn()
        .await;
    let (person, pair) = app.member("User1").await;
    app.profile("User1", &pair.access).await.expect(200);
    app.profile("User2", &pair.access)
        .await
        .expect_problem(401, "invalid_token");
    let next = Pair::of(&app, &app.refresh("User1", &pair.refresh).await.expect(200));
    app.post("/User1/logout").bearer(&next.access).send().await.expect(200);
    app.profile("User1", &next.access)
        .await
        .expect_problem(401, "invalid_token");

    // A service that shares the secret reads the token by itself.
    let pair = app.login("User1", &person).await;
    let mut rules = Validation::new(Algorithm::HS256);
    rules.validate_exp = false;
    rules.set_audience(&[format!("http://{}/User1", app.address)]);
    let key = DecodingKey::from_secret(secret.as_bytes());
    let read = jsonwebtoken::decode::<Value>(&pair.access, &key, &rules).expect("signed with it");
    assert_eq!(read.header.typ.as_deref(), Some("at+jwt"));
    assert!(!pair.access.contains(secret) && read.header.kid.is_some_and(|kid| !kid.contains(secret)));

    // One with the right header and another secret is not.
    let header = serde_json::from_value(part(&pair.access, 0)).expect("a header");
    for guess in ["", "secret", &secret[1..]] {
        let forged = Forger::sign_hs256(&header, &read.claims, guess.as_bytes());
        app.profile("User1", &forged).await.expect_problem(401, "invalid_token");
    }
    app.shut_down().await;
}

async fn links_begin_with_the_configured_url(stores: &StoreSet) {
    for (url, base) in [
        ("https://id.example.com", "https://id.example.com"),
        ("https://id.example.com/", "https://id.example.com"),
        ("https://example.com/auth", "https://example.com/auth"),
        ("https://example.com:8443/auth/", "https://example.com:8443/auth"),
    ] {
        let app = Setup::new(stores).set("PUBLIC_URL", url).spawn().await;
        let person = Person::new();
        // Whatever the request says of itself.
        app.post("/User2/create")
            .header("x-forwarded-host", "evil.example")
            .header("x-forwarded-proto", "http")
            .header("forwarded", "host=evil.example")
            .header("host", "evil.example")
            .json(&person.json())
            .send()
            .await
            .expect(201);
        let mail = app.next_mail(&person.email).await;
        let begin = format!("{base}/User2/verify?token=");
        assert!(
            mail.link().is_some_and(|link| link.starts_with(&begin)),
            "{url}: {:?}",
            mail.link()
        );
        let html = mail.html.replace("&#x2f;", "/");
        assert!(html.contains(&format!("href=\"{begin}")), "{url}: {html}");
        assert!(!mail.raw.contains("evil.example"), "{}", mail.raw);

        // Its button leads back to where the page came from, wherever the proxy has put it.
        let page = app.get(&format!("/User2/verify?token={}", mail.token()));
        let page = page.accept(BROWSER).send().await.expect(200);
        assert!(page.text().contains("action=\"verify\""), "{}", page.text());

        app.confirm("User2", &mail.token()).await.expect(200);
        let pair = app.login("User2", &person).await;
        assert_eq!(part(&pair.access, 1)["iss"], format!("{base}/User2"), "{url}");
        app.shut_down().await;
    }
}

async fn links_lead_to_the_free_port_where_no_url_is_configured(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    let (_, pair) = app.member("User1").await;
    assert_eq!(part(&pair.access, 1)["iss"], format!("http://{}/User1", app.address));
    app.shut_down().await;
}

async fn policies_and_lifetimes_may_differ_by_user_type(stores: &StoreSet) {
    let app = Setup::new(stores)
        .set("PASSWORD_POLICY_User2", "nist")
        .set("ACCESS_TOKEN_MINUTES_User2", "5")
        .spawn()
        .await;
    let phrase = Person {
        password: "fourteen or more of any kind".into(),
        ..Person::new()
    };
    app.create("User1", &phrase)
        .await
        .expect_problem(422, "validation_failed");
    app.join("User2", &phrase).await;
    let answer = app.sign_in("User2", &phrase.email, &phrase.password).await.expect(200);
    assert_eq!(answer.json()["expires_in"], 300);
    let pair = Pair::of(&app, &answer);
    let (_, elsewhere) = app.member("User1").await;
    app.clock.advance(Duration::from_secs(330));
    app.profile("User2", &pair.access)
        .await
        .expect_problem(401, "invalid_token");
    app.profile("User1", &elsewhere.access).await.expect(200);
    app.shut_down().await;
}

async fn more_passwords_than_can_be_hashed_are_503(stores: &StoreSet) {
    let mut setup = Setup::new(stores).set("PASSWORD_POOL", "1").set("PASSWORD_QUEUE", "1");
    setup.cost = HashCost::MINIMUM;
    let app = setup.spawn().await;
    let attempts = join_all((0..30).map(|_| app.sign_in("User1", "nobody", "any password"))).await;
    let (mut served, mut turned_away) = (0, 0);
    for attempt in attempts {
        if attempt.status == 503 {
            attempt.expect_problem(503, "unavailable");
            turned_away += 1;
        } else {
            attempt.expect_problem(401, "invalid_credentials");
            served += 1;
        }
    }
    assert!(
        served > 0 && turned_away > 0,
        "{served} served, {turned_away} turned away"
    );
    let later = app.sign_in("User1", "nobody", "any password").await;
    later.expect_problem(401, "invalid_credentials");
    app.shut_down().await;
}

async fn a_worker_of_its_own_delivers(stores: &StoreSet) {
    let setup = Setup::new(stores).set("WORKER", "off");
    let app = setup.spawn().await;
    let person = Person::new();
    app.create("User1", &person).await.expect(201);

    let stop = CancellationToken::new();
    let (config, stopped) = (setup.config(), stop.clone());
    let world = World {
        clock: Arc::clone(&app.clock) as Arc<_>,
        entropy: Arc::new(SystemEntropy),
        ..World::default()
    };
    let worker = tokio::spawn(async move { run_worker(&config, world, stopped, None).await });
    let mail = app.next_mail(&person.email).await;
    app.confirm("User1", &mail.token()).await.expect(200);
    let welcome = app.next_mail(&person.email).await;
    assert!(welcome.subject.starts_with("Welcome"), "{welcome:?}");
    stop.cancel();
    worker.await.expect("no panic").expect("it ends as it was told");
    app.shut_down().await;
}

async fn one_folder_has_one_server(stores: &StoreSet) {
    let setup = Setup::new(stores);
    let app = setup.spawn().await;
    let second = setup.start().await.expect_err("a second server is refused");
    assert!(
        format!("{second:#}").contains("another server runs on this DATA_DIR"),
        "{second:#}"
    );
    app.get("/livez").send().await.expect(200);
    app.shut_down().await;
    setup.spawn().await.shut_down().await;
}
