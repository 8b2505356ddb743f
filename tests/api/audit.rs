//! What is noted of what clients do: who, what, how it ended, from where, by which request.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sealgate::{
    domain::audit::{AuditEvent, Outcome},
    service::audit::AuditLines,
    storage::audit::AuditRecord,
};
use serde_json::{Value, json};

use crate::support::{AuditTaker, Person, Setup, StoreSet, TestApp, eventually};

cases_per_store! {
    every_step_of_a_walk_is_noted_with_its_request
    refusals_are_noted_and_no_stranger_fills_the_audit
    checkpoints_are_written_by_the_worker
}

cases_once! {
    the_lines_say_what_the_store_says
}

async fn events(app: &TestApp, user_type: &str) -> Vec<(AuditEvent, Outcome)> {
    let audit = app.audit(user_type).await;
    audit.into_iter().map(|entry| (entry.event, entry.outcome)).collect()
}

async fn every_step_of_a_walk_is_noted_with_its_request(stores: &StoreSet) {
    let app = Setup::new(stores).set("TRUSTED_PROXIES", "127.0.0.1").spawn().await;
    let person = Person::new();
    app.join("User1", &person).await;
    app.settle().await;
    let form = [
        ("username", person.email.as_str()),
        ("password", person.password.as_str()),
    ];
    let signed_in = app
        .post("/User1/login")
        .header("x-request-id", "the-sign-in")
        .header("x-forwarded-for", "203.0.113.77")
        .form(&form)
        .send()
        .await
        .expect(200);
    app.refresh("User1", &signed_in.member("refresh_token"))
        .await
        .expect(200);
    let audit = eventually("what jobs note", async || {
        let audit = app.audit("User1").await;
        let sent = audit.iter().filter(|entry| entry.event == AuditEvent::MessageSent);
        (sent.count() == 2).then_some(audit)
    })
    .await;
    let noted: Vec<AuditEvent> = audit.iter().map(|entry| entry.event).collect();
    let expected = [
        AuditEvent::RegistrationCreated,
        AuditEvent::MessageSent,
        AuditEvent::AccountConfirmed,
        AuditEvent::MessageSent,
        AuditEvent::SignedIn,
        AuditEvent::TokensRefreshed,
    ];
    let as_set = |events: &[AuditEvent]| events.iter().map(|event| format!("{event:?}")).collect::<BTreeSet<_>>();
    assert_eq!(as_set(&noted), as_set(&expected));
    assert_eq!(noted.len(), expected.len(), "{noted:?}");
    let of = |event| audit.iter().find(|entry| entry.event == event).expect("noted");
    let sign_in = of(AuditEvent::SignedIn);
    assert_eq!(sign_in.request_id.as_deref(), Some("the-sign-in"));
    assert_eq!(
        sign_in.network.as_ref().map(ToString::to_string).as_deref(),
        Some("203.0.113.0/24")
    );
    assert!(sign_in.account_id.is_some());
    // A job serves no request; it tells which message it was.
    let sent = audit
        .iter()
        .find(|entry| entry.details.get("kind") == Some("confirm_address"))
        .expect("noted");
    assert_eq!(sent.event, AuditEvent::MessageSent);
    assert_eq!((&sent.request_id, &sent.network), (&None, &None));
    assert!(sent.details.get("message_id").is_some_and(|id| id.starts_with("msg_")));
    let kept = serde_json::to_string(&audit).expect("JSON");
    for personal in [
        person.email.as_str(),
        &person.password,
        &person.first_name,
        "203.0.113.77",
    ] {
        assert!(!kept.contains(personal), "{personal} is audited");
    }
    assert_eq!(app.audit("User2").await, []);
    app.shut_down().await;
}

async fn refusals_are_noted_and_no_stranger_fills_the_audit(stores: &StoreSet) {
    let setup = Setup::new(stores).set("RATE_LIMITS", "on");
    let app = setup.set("TRUSTED_PROXIES", "127.0.0.1").spawn().await;
    let person = Person::new();
    let from = |client: &str, path: &str| app.post(&format!("/User1/{path}")).header("x-forwarded-for", client);
    let sign_in = async |client: &str, password: &str| {
        let form = [("username", person.email.as_str()), ("password", password)];
        from(client, "login").form(&form).send().await
    };
    sign_in("203.0.113.1", "Wr0ng-password!").await.expect(401);
    let (event, refused) = (AuditEvent::SignInRefused, Outcome::Refused);
    assert_eq!(events(&app, "User1").await, [(event, refused)], "of nobody there is");
    assert_eq!(app.audit("User1").await[0].account_id, None);

    // Limits, wherever they are met: the first of each network and route.
    for client in ["198.51.100.1", "198.51.100.2", "203.0.113.200"] {
        for _ in 0..8 {
            sign_in(client, "Wr0ng-password!").await;
        }
    }
    let audit = app.audit("User1").await;
    let met: Vec<&AuditRecord> = audit
        .iter()
        .filter(|entry| entry.event == AuditEvent::LimitReached)
        .collect();
    assert_eq!(met.len(), 2, "{met:?}");
    assert!(
        met.iter()
            .all(|entry| entry.details.get("route") == Some("/login") && entry.account_id.is_none())
    );
    // A quarter of an hour later it is news again.
    app.clock.advance(Duration::from_mins(15));
    for _ in 0..8 {
        sign_in("198.51.100.1", "Wr0ng-password!").await;
    }
    let count = async |event| {
        events(&app, "User1")
            .await
            .into_iter()
            .filter(|(noted, _)| *noted == event)
            .count()
    };
    assert_eq!(count(AuditEvent::LimitReached).await, 3);

    // Tokens and links that are none.
    for n in 0..4 {
        let made_up = format!("made-up-{n}");
        from("192.0.2.1", "refresh-token")
            .json(&json!({ "refresh_token": made_up }))
            .send()
            .await
            .expect(401);
        from("192.0.2.1", "verify")
            .json(&json!({ "token": made_up }))
            .send()
            .await
            .expect(400);
        let profile = app
            .get("/User1/")
            .header("x-forwarded-for", "192.0.2.1")
            .bearer(&made_up);
        profile.send().await.expect(401);
    }
    for event in [
        AuditEvent::RefreshRefused,
        AuditEvent::LinkRefused,
        AuditEvent::AccessTokenRefused,
    ] {
        assert_eq!(count(event).await, 1, "{event:?}");
    }
    // And from however many networks, no more than sixty a minute of a kind.
    for n in 0..80 {
        let client = format!("10.{n}.0.1");
        from(&client, "verify")
            .json(&json!({ "token": "made-up" }))
            .send()
            .await
            .expect(400);
    }
    assert_eq!(count(AuditEvent::LinkRefused).await, 60);
    app.shut_down().await;
}

async fn checkpoints_are_written_by_the_worker(stores: &StoreSet) {
    let mut setup = Setup::new(stores);
    setup.worker = |worker| worker.checkpoint_period = Duration::from_millis(100);
    let app = setup.spawn().await;
    let person = Person::new();
    app.join("User1", &person).await;
    app.clock.advance(Duration::from_mins(1));
    let stores = app.open_stores().await;
    let ids: BTreeSet<String> = app
        .audit("User1")
        .await
        .into_iter()
        .map(|entry| entry.id.to_string())
        .collect();
    eventually("every entry to be named", async || {
        // What a job has noted by now settles too.
        app.clock.advance(Duration::from_secs(1));
        let links = stores.audit.checkpoints(1, 100).await.expect("listed");
        let named: BTreeSet<String> = links
            .into_iter()
            .flat_map(|link| link.entries)
            .map(String::from)
            .collect();
        named.is_superset(&ids).then_some(())
    })
    .await;
    app.shut_down().await;
}

#[derive(Default)]
struct Collected(Mutex<Vec<String>>);

impl AuditLines for Collected {
    fn take(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

async fn the_lines_say_what_the_store_says(stores: &StoreSet) {
    let lines = std::sync::Arc::new(Collected::default());
    let mut setup = Setup::new(stores);
    setup.audit_lines = Some(AuditTaker(lines.clone()));
    let app = setup.spawn().await;
    let person = Person::new();
    app.join("User1", &person).await;
    app.sign_in("User1", &person.email, "Wr0ng-\n\"password\"!")
        .await
        .expect(401);
    app.settle().await;
    let told: Vec<Value> = lines
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .map(|line| {
            assert!(!line.contains('\n'), "{line}");
            serde_json::from_str(line).expect("JSON")
        })
        .collect();
    for entry in app.audit("User1").await {
        let line = told
            .iter()
            .find(|line| line["id"] == entry.id.as_str())
            .expect("a line");
        assert_eq!(line["audit"], "entry");
        assert_eq!(line["at"], entry.at.to_string());
        assert_eq!(line["event"], serde_json::to_value(entry.event).expect("JSON"));
        assert_eq!(line["user_type"], "User1");
        assert_eq!(
            line["account_id"],
            serde_json::to_value(&entry.account_id).expect("JSON")
        );
        assert_eq!(line["network"], serde_json::to_value(&entry.network).expect("JSON"));
    }
    app.shut_down().await;
}
