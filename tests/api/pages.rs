//! What the service shows of itself: health, the document, and the development pages.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use sealgate::storage::{Probe, StoreError};

use crate::support::{Answer, BROWSER, Person, RawConnection, Setup, StoreSet, eventually};

cases_per_store! {
    health_says_what_is_so
    health_is_down_while_the_database_is
}

cases_once! {
    without_a_worker_mail_is_not_called_healthy
    the_document_and_its_pages_work_offline
    the_document_can_be_hidden
    the_type_of_a_problem_leads_to_what_explains_it
    swagger_ui_can_sign_in
    the_document_in_yaml_names_every_route
    the_outbox_shows_mails_to_people_at_this_machine
    the_outbox_is_closed_to_names_that_are_not_this_machine
    the_outbox_leads_to_no_other_file
    staging_has_no_development_pages
}

async fn health_says_what_is_so(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    let health = eventually("health to be healthy", async || {
        let answer = app.get("/health").send().await.expect(200);
        (answer.json()["status"] == "healthy").then(|| answer.json())
    })
    .await;
    for (service, expected) in [
        ("database", "healthy"),
        (
            "redis",
            match stores {
                StoreSet::Sqlite => "disabled",
                StoreSet::Mongo { .. } => "healthy",
            },
        ),
        ("email", "healthy"),
        ("sms", "healthy"),
    ] {
        assert_eq!(health["services"][service], expected, "{service} of {health}");
    }
    assert!(
        health["timestamp"]
            .as_str()
            .is_some_and(|text| text.starts_with("2025-11-24T")),
        "{health}"
    );
    for figure in ["response_time_ms", "memory_usage_mb", "cpu_usage_percent"] {
        assert!(health["performance"][figure].is_number(), "{figure} of {health}");
    }
    assert_eq!(app.get("/livez").send().await.expect(200).json()["status"], "alive");
    assert_eq!(app.get("/readyz").send().await.expect(200).json()["status"], "ready");
    assert_eq!(
        app.get("/db_check").send().await.expect(200).json()["database"],
        "healthy"
    );
    for path in ["/health", "/livez", "/readyz", "/db_check"] {
        app.call("HEAD", path).send().await.expect(200);
        app.post(path).send().await.expect_problem(405, "method_not_allowed");
    }
    app.shut_down().await;
}

/// A database that is switched off and on.
struct Switch(AtomicBool);

#[async_trait]
impl Probe for Switch {
    async fn probe(&self) -> Result<(), StoreError> {
        if self.0.load(Ordering::SeqCst) {
            Ok(())
        } else {
            Err(StoreError::Unavailable(
                "mongodb://user:hunter2@db.internal refused".into(),
            ))
        }
    }
}

async fn health_is_down_while_the_database_is(stores: &StoreSet) {
    let mut setup = Setup::new(stores);
    let switch = Arc::new(Switch(AtomicBool::new(true)));
    let user_types = setup.config().user_types.order;
    let mut given = stores.open(setup.folder(), &user_types).await;
    given.probe = Arc::clone(&switch) as Arc<dyn Probe>;
    setup.given_stores = Some(given);
    let app = setup.spawn().await;
    app.get("/readyz").send().await.expect(200);

    switch.0.store(false, Ordering::SeqCst);
    let status = async |path: &str, status: u16| -> Answer {
        eventually(&format!("{path} to answer {status}"), async || {
            let answer = app.get(path).send_unchecked().await;
            (answer.status == status).then_some(answer)
        })
        .await
    };
    let health = status("/health", 503).await;
    assert_eq!(
        (&health.json()["status"], &health.json()["services"]["database"]),
        (&"down".into(), &"down".into())
    );
    for path in ["/health", "/readyz", "/db_check"] {
        let down = status(path, 503).await;
        assert!(!down.header("retry-after").is_empty(), "{path} says when to come back");
        assert!(
            !down.text().contains("hunter2") && !down.text().contains("db.internal"),
            "{}",
            down.text()
        );
    }
    app.get("/livez").send().await.expect(200);

    switch.0.store(true, Ordering::SeqCst);
    for path in ["/health", "/readyz", "/db_check"] {
        status(path, 200).await;
    }
    app.shut_down().await;
}

async fn without_a_worker_mail_is_not_called_healthy(stores: &StoreSet) {
    let app = Setup::new(stores).set("WORKER", "off").spawn().await;
    let health = app.get("/health").send().await.expect(200).json();
    assert_eq!(health["status"], "degraded", "nobody delivers: {health}");
    assert_ne!(health["services"]["email"], "healthy", "{health}");
    // Requests are served all the same; their mails wait for a worker.
    app.create("User1", &Person::new()).await.expect(201);
    app.shut_down().await;
}

async fn the_document_and_its_pages_work_offline(stores: &StoreSet) {
    let app = Setup::new(stores).set("DOCS", "on").spawn().await;
    let document = app.get("/openapi.json").send().await.expect(200).json();
    for user_type in ["User1", "User2"] {
        for (path, method, id) in [
            ("/create", "post", "create"),
            ("/verify", "get", "verify_link"),
            ("/login", "post", "login"),
            ("/", "get", "profile"),
        ] {
            let operation = &document["paths"][format!("/{user_type}{path}")][method];
            let expected = format!("{}_{id}", user_type.to_lowercase());
            assert_eq!(operation["operationId"], expected, "{method} /{user_type}{path}");
        }
    }
    let yaml = app.get("/openapi.yaml").send().await.expect(200);
    assert!(yaml.text().contains("user2_login"), "the same in YAML");
    for path in ["/docs", "/redoc", "/scalar"] {
        let page = app.get(path).accept(BROWSER).send().await.expect(200);
        assert!(page.header("content-type").starts_with("text/html"), "{path}");
        let policy = page.header("content-security-policy");
        assert!(
            policy.contains("default-src 'self'") && !policy.contains("http"),
            "{path}: {policy}"
        );
        for element in [
            "<script src=\"http",
            "<script src=\"//",
            "import(\"http",
            "<link href=\"http",
        ] {
            assert!(!page.text().contains(element), "{path} loads from elsewhere: {element}");
        }
    }
    let icon = app.get("/favicon.ico").send().await.expect(200);
    assert_eq!(icon.header("content-type"), "image/svg+xml");
    assert!(icon.text().starts_with("<svg"), "browsers ask for it beside every page");
    app.shut_down().await;
}

async fn the_type_of_a_problem_leads_to_what_explains_it(stores: &StoreSet) {
    // Also where the document is hidden: a problem always says its type.
    let app = Setup::new(stores).set("DOCS", "off").spawn().await;
    let problem = app.get("/User1/").send().await.expect_problem(401, "missing_token");
    let kind = problem.member("type");
    let (path, anchor) = kind.split_once('#').expect("a path and an anchor");
    let page = app.get(path).accept(BROWSER).send().await.expect(200);
    assert!(
        page.header("content-type").starts_with("text/html"),
        "{:?}",
        page.headers
    );
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("style-src 'sha256-") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(page.text().contains(&format!("id=\"{anchor}\"")), "{anchor}");
    for code in sealgate::http::error_code::ErrorCode::ALL {
        assert!(page.text().contains(&format!("id=\"{}\"", code.as_str())), "{code:?}");
    }
    app.shut_down().await;
}

/// Swagger UI sends its client's empty name and secret beside the form.
async fn swagger_ui_can_sign_in(stores: &StoreSet) {
    let app = Setup::new(stores).set("DOCS", "on").spawn().await;
    let document = app.get("/openapi.json").send().await.expect(200).json();
    for user_type in ["User1", "User2"] {
        let scheme = &document["components"]["securitySchemes"][format!("{user_type}Token")];
        let url = scheme["flows"]["password"]["tokenUrl"].as_str().expect("a tokenUrl");
        let person = Person::new();
        app.join(user_type, &person).await;
        let form = [
            ("grant_type", "password"),
            ("username", person.email.as_str()),
            ("password", person.password.as_str()),
            ("scope", ""),
        ];
        let answer = app
            .post(url)
            .header("authorization", "Basic Og==")
            .form(&form)
            .send()
            .await
            .expect(200);
        let token = answer.member("access_token");
        app.profile(user_type, &token).await.expect(200);
    }
    app.shut_down().await;
}

async fn the_document_in_yaml_names_every_route(stores: &StoreSet) {
    let app = Setup::new(stores).set("DOCS", "on").spawn().await;
    let document = app.get("/openapi.json").send().await.expect(200).json();
    let yaml = app.get("/openapi.yaml").send().await.expect(200);
    for path in document["paths"].as_object().expect("paths").keys() {
        assert!(yaml.text().contains(&format!("\n  \"{path}\":\n")), "{path}");
    }
    app.shut_down().await;
}

async fn the_document_can_be_hidden(stores: &StoreSet) {
    let app = Setup::new(stores).set("DOCS", "off").spawn().await;
    for path in ["/docs", "/redoc", "/scalar", "/openapi.json", "/openapi.yaml"] {
        app.get(path).send().await.expect_problem(404, "not_found");
    }
    app.join("User1", &Person::new()).await;
    app.shut_down().await;
}

async fn the_outbox_shows_mails_to_people_at_this_machine(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    let home = app.get("/").accept(BROWSER).send().await.expect(200);
    for link in ["/docs", "/health", "/dev/outbox"] {
        assert!(home.text().contains(&format!("href=\"{link}\"")), "{link}");
    }
    let person = Person {
        first_name: "<img src=x onerror=alert(1)>".into(),
        ..Person::new()
    };
    app.create("User1", &person).await.expect(201);
    let mail = app.next_mail(&person.email).await;
    let same = app.get("/dev/outbox").accept(BROWSER).send().await.expect(200);
    let list = app.get("/dev/outbox/").accept(BROWSER).send().await.expect(200);
    assert!(
        list.text().contains(&person.email) && list.text().contains(&mail.file),
        "{}",
        list.text()
    );
    let shown = app
        .get(&format!("/dev/outbox/{}", mail.file))
        .accept(BROWSER)
        .send()
        .await
        .expect(200);
    assert!(shown.text().contains(&mail.token()), "its link can be opened");
    for page in [same, list, shown] {
        assert!(!page.text().contains("<img"), "{}", page.text());
    }
    app.shut_down().await;
}

async fn the_outbox_is_closed_to_names_that_are_not_this_machine(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    let person = Person::new();
    app.create("User1", &person).await.expect(201);
    let mail = app.next_mail(&person.email).await;
    let answer = async |path: &str, host: &str| {
        let mut raw = RawConnection::open(app.address).await;
        raw.send(format!("GET {path} HTTP/1.1\r\n{host}\r\n\r\n")).await;
        raw.answer().await.expect("an answer")
    };
    for path in ["/dev/outbox/", &format!("/dev/outbox/{}", mail.file)] {
        for host in ["host: localhost:8000", "host: 127.0.0.1", "host: [::1]:8000"] {
            assert_eq!(answer(path, host).await.status, 200, "{host} is this machine");
        }
        // A page on the web whose name leads to this machine (DNS rebinding).
        for host in [
            "host: evil.example",
            "host: evil.example:8000",
            "host: localhost.evil.example",
            "host: 127.0.0.1.evil.example",
            "host: localhost@evil.example",
            "host: ",
            "x-forwarded-host: localhost",
        ] {
            let answer = answer(path, host).await;
            assert!([400, 404].contains(&answer.status), "{host}: {answer:?}");
            assert!(!answer.body.contains(&person.email), "{host}: {answer:?}");
        }
    }
    app.shut_down().await;
}

async fn the_outbox_leads_to_no_other_file(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    let person = Person::new();
    app.create("User1", &person).await.expect(201);
    let mail = app.next_mail(&person.email).await;
    let stolen = app.outbox.parent().expect("a folder").join(&mail.file);
    std::fs::copy(app.outbox.join(&mail.file), &stolen).expect("copies");
    std::fs::write(app.outbox.join("notes.eml"), "Subject: x\r\n\r\nx").expect("writes");
    let file = &mail.file;
    for path in [
        "../kek.keys".to_owned(),
        "..%2fkek.keys".to_owned(),
        "%2e%2e%2fkek.keys".to_owned(),
        "..%5ckek.keys".to_owned(),
        format!("..%2f{file}"),
        format!("%2e%2e/{file}"),
        format!("{file}%00.eml"),
        format!("{file}/"),
        file.trim_end_matches(".eml").to_owned(),
        file.to_uppercase(),
        "notes.eml".to_owned(),
        "%2fetc%2fpasswd".to_owned(),
    ] {
        let mut raw = RawConnection::open(app.address).await;
        raw.send(format!("GET /dev/outbox/{path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
            .await;
        let answer = raw.answer().await.expect("an answer");
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    app.shut_down().await;
}

async fn staging_has_no_development_pages(stores: &StoreSet) {
    let app = Setup::new(stores)
        .set("ENVIRONMENT", "staging")
        .set("DOCS", "on")
        .spawn()
        .await;
    let person = Person::new();
    app.create("User1", &person).await.expect(201);
    let mail = app.next_mail(&person.email).await;
    for path in [
        "/",
        "/dev/outbox",
        "/dev/outbox/",
        &format!("/dev/outbox/{}", mail.file),
    ] {
        app.get(path).send().await.expect_problem(404, "not_found");
    }
    app.get("/health").send().await.expect(200);
    app.get("/docs").send().await.expect(200);
    app.confirm("User1", &mail.token()).await.expect(200);
    app.shut_down().await;
}
