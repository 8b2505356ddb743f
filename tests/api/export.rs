//! Everything that is kept of an account, for its owner.

use std::time::Duration;

use sealgate::domain::audit::AuditEvent;
use serde_json::{Value, json};

use crate::support::{Answer, Pair, Person, Setup, StoreSet, TestApp};

cases! {
    an_export_has_everything_and_nothing_that_lets_anybody_in
    an_export_needs_a_fresh_sign_in_and_is_ones_own
    the_trail_comes_in_parts
}

mod limited {
    cases_per_store! {
        an_account_has_five_an_hour
    }
    use super::an_account_has_five_an_hour;
}

async fn export(app: &TestApp, user_type: &str, access: &str) -> Answer {
    app.get(&format!("/{user_type}/export")).bearer(access).send().await
}

/// Every name of a member in it, at any depth.
fn names(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                into.push(name.clone());
                names(value, into);
            }
        }
        Value::Array(values) => {
            for value in values {
                names(value, into);
            }
        }
        _ => {}
    }
}

async fn an_export_has_everything_and_nothing_that_lets_anybody_in(app: &TestApp, user_type: &str) {
    let person = Person::new().with_username().with_mobile();
    app.join(user_type, &person).await;
    let pair = app.login(user_type, &person).await;
    app.clock.advance(Duration::from_secs(1));
    let other_session = app.login(user_type, &person).await;
    app.post(&format!("/{user_type}/logout"))
        .bearer(&other_session.access)
        .send()
        .await
        .expect(200);
    app.ask_code(user_type, &pair.access, &json!({})).await.expect(202);
    let code = app.next_code(&person.phone).await;
    app.update(user_type, &pair.access, &json!({ "email": "new.address@mail.example" }))
        .await
        .expect(200);
    let link = app.next_mail("new.address@mail.example").await.token();
    app.settle().await;
    let profile = app.profile(user_type, &pair.access).await.expect(200).json();

    let answer = export(app, user_type, &pair.access).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let id = profile["id"].as_str().expect("text");
    let file = format!("attachment; filename=\"account-{id}.json\"");
    assert_eq!(answer.header("content-disposition"), file);
    let given = answer.json();
    assert_eq!(given["profile"], profile);
    assert_eq!((&given["format"], &given["user_type"]), (&json!(1), &json!(user_type)));
    assert_eq!(given["email_pending"], "new.address@mail.example");
    assert_eq!(given["status"], "active");
    let sessions = given["sessions"].as_array().expect("a list");
    let live: Vec<_> = sessions.iter().map(|session| session["is_live"].clone()).collect();
    assert_eq!(live, [false, true], "newest first, over or not: {sessions:?}");
    assert!(sessions[0]["ended_at"].is_string() && sessions[1]["ended_at"].is_null());
    assert_eq!(sessions[1]["methods"], json!(["pwd"]));
    assert_eq!(sessions[1]["network"], "127.0.0.0/24");
    assert!(!given["devices"].as_array().expect("a list").is_empty());
    let challenges = given["challenges"].as_array().expect("a list");
    let purposes: Vec<_> = challenges.iter().map(|one| one["purpose"].as_str()).collect();
    assert!(purposes.contains(&Some("change_address")) && purposes.contains(&Some("verify_phone")));
    assert_eq!(given["messages"], json!([]), "all were sent");
    assert_eq!(given["keys"]["data_keys"], json!(["1"]));
    let wrapped_by = given["keys"]["wrapped_by"][0].as_str().expect("an id");
    assert!(wrapped_by.starts_with("kek_"), "{wrapped_by}");
    let events = given["audit"].as_array().expect("a list");
    let told: Vec<_> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    for event in [
        "registration_created",
        "account_confirmed",
        "signed_in",
        "signed_out",
        "phone_code_requested",
    ] {
        assert!(told.contains(&event), "{event}: {told:?}");
    }
    assert_eq!(given["audit_next"], Value::Null);

    // Nothing that lets anybody in, by value or by name.
    let text = answer.text();
    for secret in [&person.password, &pair.access, &pair.refresh, &link, &code] {
        assert!(!text.contains(secret.as_str()), "{secret} is exported");
    }
    let mut all = Vec::new();
    names(&given, &mut all);
    for word in [
        "password", "hash", "digest", "slot", "token", "secret", "mac", "_ix_", "epoch",
    ] {
        assert!(!all.iter().any(|name| name.contains(word)), "{word}: {all:?}");
    }
    assert!(!text.contains("$argon2"));

    // It is noted, and stands in the next one.
    let noted = app.audit(user_type).await;
    assert!(noted.iter().any(|entry| entry.event == AuditEvent::AccountExported));
    let again = export(app, user_type, &pair.access).await.expect(200);
    assert!(again.text().contains("account_exported"));
}

async fn an_export_needs_a_fresh_sign_in_and_is_ones_own(app: &TestApp, user_type: &str) {
    let (other, theirs) = app.member(user_type).await;
    let (person, pair) = app.member(user_type).await;
    let path = format!("/{user_type}/export");
    app.get(&path).send().await.expect_problem(401, "missing_token");
    let own = export(app, user_type, &pair.access).await.expect(200);
    let own = own.text();
    assert!(own.contains(&person.email) && !own.contains(&other.email));
    let id = app.profile(user_type, &theirs.access).await.member("id");
    let foreign = app.get(&format!("{path}?id={id}")).bearer(&pair.access).send().await;
    foreign.expect_problem(403, "not_own_account");
    assert!(!own.contains(&id));

    app.clock.advance(Duration::from_mins(5));
    let stale = export(app, user_type, &pair.access).await;
    let stale = stale.expect_problem(401, "insufficient_user_authentication");
    assert!(stale.header("www-authenticate").contains("max_age=300"));
    let refreshed = Pair::of(app, &app.refresh(user_type, &pair.refresh).await.expect(200));
    export(app, user_type, &refreshed.access).await.expect(401);
    let proof = json!({ "password": person.password });
    let proven = app
        .post(&format!("/{user_type}/reauthenticate"))
        .bearer(&refreshed.access);
    let proven = proven.json(&proof).send().await.expect(200).member("access_token");
    export(app, user_type, &proven).await.expect(200);
}

async fn the_trail_comes_in_parts(app: &TestApp, user_type: &str) {
    let (_, pair) = app.member(user_type).await;
    // Of one moment, events come in any order.
    app.clock.advance(Duration::from_secs(1));
    let whole = export(app, user_type, &pair.access).await.expect(200).json();
    let ids = |export: &Value| -> Vec<String> {
        let events = export["audit"].as_array().expect("a list");
        events
            .iter()
            .map(|event| event["id"].as_str().expect("text").to_owned())
            .collect()
    };
    let first = ids(&whole);
    assert!(first.len() >= 3, "{first:?}");
    let path = format!("/{user_type}/export?audit_after={}", first[1]);
    let rest = app.get(&path).bearer(&pair.access).send().await.expect(200).json();
    let rest = ids(&rest);
    // And the note of the export before.
    assert_eq!((&rest[..first.len() - 2], rest.len()), (&first[2..], first.len() - 1));
    let path = format!("/{user_type}/export?audit_after=everything");
    let refused = app.get(&path).bearer(&pair.access).send().await;
    refused.expect_problem(422, "validation_failed");
}

async fn an_account_has_five_an_hour(stores: &StoreSet) {
    let app = Setup::new(stores).set("RATE_LIMITS", "on").spawn().await;
    let (person, pair) = app.member("User1").await;
    // What is refused does not count.
    app.clock.advance(Duration::from_mins(6));
    for _ in 0..3 {
        export(&app, "User1", &pair.access).await.expect(401);
    }
    let pair = app.login("User1", &person).await;
    for _ in 0..5 {
        export(&app, "User1", &pair.access).await.expect(200);
    }
    let refused = export(&app, "User1", &pair.access).await;
    let refused = refused.expect_problem(429, "too_many_requests");
    assert!(!refused.header("retry-after").is_empty());
    // Of this account alone.
    let (_, other) = app.member("User1").await;
    export(&app, "User1", &other.access).await.expect(200);
    app.shut_down().await;
}
