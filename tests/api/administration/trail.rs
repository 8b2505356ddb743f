//! The audit for administrators, and the keys for a super-admin.

use std::time::Duration;

use sealgate::{
    domain::{audit::AuditEvent, clock::Clock as _},
    service::make_admin::Reach,
};
use serde_json::{Value, json};

use super::{Administrator, administrator, made, member, of, send};
use crate::support::{TestApp, other};

cases! {
    the_audit_is_read_page_by_page_by_account_and_by_event
    the_keys_are_a_super_admins
}

async fn events(app: &TestApp, user_type: &str, by: &Administrator, query: &str) -> Value {
    let path = format!("/{user_type}/admin/audit?{query}");
    send(app, "GET", &path, by, None).await.expect(200).json()
}

fn named(page: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let events = page["events"].as_array().expect("a list");
    events
        .iter()
        .map(|event| (text(&event["account_id"]), text(&event["entry"]["event"])))
        .collect()
}

async fn the_audit_is_read_page_by_page_by_account_and_by_event(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let (one, two) = (member(app, user_type).await, member(app, user_type).await);
    let foreign = member(app, other(user_type)).await;
    // Of one moment, events come in any order.
    app.clock.advance(Duration::from_secs(1));
    let since = app.clock.now().to_string();
    for target in [&one, &two] {
        send(app, "POST", &of(user_type, target, "/lock"), &admin, None)
            .await
            .expect(200);
    }
    app.settle().await;
    app.clock.advance(Duration::from_secs(1));

    let of_one = events(app, user_type, &admin, &format!("account_id={}&limit=100", one.id)).await;
    let of_one = named(&of_one);
    assert!(of_one.iter().all(|(account, _)| *account == one.id), "{of_one:?}");
    for event in [
        "registration_created",
        "account_confirmed",
        "signed_in",
        "account_locked",
    ] {
        assert!(of_one.iter().any(|(_, name)| name == event), "{event}: {of_one:?}");
    }
    let locked = events(app, user_type, &admin, "event=account_locked").await;
    let mut accounts: Vec<_> = named(&locked).into_iter().map(|(account, _)| account).collect();
    accounts.sort();
    let mut expected = [one.id.clone(), two.id.clone()];
    expected.sort();
    assert_eq!(accounts, expected);
    let entry = &locked["events"][0]["entry"];
    assert_eq!(entry["details"]["by"], json!(admin.id));
    assert_eq!(entry["network"], "127.0.0.0/24");
    let late = named(&events(app, user_type, &admin, &format!("since={since}&limit=100")).await);
    assert!(late.iter().any(|(_, name)| name == "account_locked"));
    assert!(!late.iter().any(|(_, name)| name == "registration_created"), "{late:?}");

    // All of it in parts is all of it, and nothing of the other user type.
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let part = events(
            app,
            user_type,
            &admin,
            &format!("limit=7&since=2020-01-01T00:00:00Z{cursor}"),
        )
        .await;
        seen.extend(named(&part));
        // Each reading makes an entry; those come last.
        match part["next"].as_str() {
            Some(next) if seen.len() < 400 => cursor = format!("&cursor={next}"),
            _ => break,
        }
    }
    let stored = app.audit(user_type).await;
    let until_read = stored
        .iter()
        .take_while(|entry| entry.event != AuditEvent::AuditRead)
        .count();
    assert!(until_read >= 10);
    for (entry, (account, name)) in stored.iter().zip(&seen).take(until_read) {
        let id = entry.account_id.as_ref().map_or("", |id| id.as_str());
        assert_eq!((id, json!(entry.event)), (account.as_str(), json!(name)));
    }
    assert!(!seen.iter().any(|(account, _)| *account == foreign.id));
    assert!(
        stored
            .iter()
            .any(|entry| entry.event == AuditEvent::AuditRead && entry.details.get("by") == Some(admin.id.as_str()))
    );
}

async fn the_keys_are_a_super_admins(app: &TestApp, user_type: &str) {
    let (admin, above) = (
        administrator(app, user_type).await,
        made(app, user_type, Reach::Everything).await,
    );
    let path = format!("/{user_type}/admin/keys");
    send(app, "GET", &path, &admin, None)
        .await
        .expect_problem(403, "forbidden");
    let keys = send(app, "GET", &path, &above, None).await.expect(200).json();
    let uses: Vec<_> = keys["keys"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|key| {
            (
                key["use"].as_str().expect("a use"),
                key["state"].as_str().expect("a state"),
            )
        })
        .collect();
    for key_use in ["mac", "token", "request", "index.User1", "index.User2"] {
        assert!(uses.contains(&(key_use, "active")), "{key_use}: {uses:?}");
    }
    assert_eq!(keys["jobs"], json!([]));

    // A new version is on its way, and so is its work.
    let foundation = crate::audit_tampering::open(&app.setup).await;
    let key_use = sealgate::crypto::keyring::KeyUse::Dek;
    let version = sealgate::service::rotation::rotate(&foundation.core, &key_use).await;
    assert_eq!(version.expect("made"), 2);
    foundation.close().await;
    let jobs = crate::support::eventually("the jobs", async || {
        app.clock.advance(Duration::from_secs(30));
        let above = Administrator {
            pair: app.login(user_type, &above.person).await,
            id: above.id.clone(),
            person: above.person.clone(),
        };
        let keys = send(app, "GET", &path, &above, None).await.expect(200).json();
        let jobs = keys["jobs"].as_array().expect("a list").clone();
        (jobs.len() == 2 && jobs.iter().all(|job| job["standing"] != "waits")).then_some(jobs)
    })
    .await;
    for job in jobs {
        assert_eq!((&job["use"], &job["version"]), (&json!("dek"), &json!(2)));
        for number in ["total", "seen", "failed", "changed", "left"] {
            assert!(job[number].is_u64(), "{number}: {job}");
        }
    }
}
