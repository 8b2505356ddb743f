//! The password changed, and shown anew for what needs a fresh sign-in.

use std::time::Duration;

use futures_util::future::join_all;
use sealgate::domain::audit::{AuditEvent, Outcome};
use serde_json::{Value, json};

use crate::support::{Answer, Pair, Person, TestApp, part};

cases! {
    a_changed_password_ends_all_other_sessions_and_tells_the_owner
    defect_26_a_password_is_not_changed_without_the_current_one
    a_new_password_obeys_the_policy
    of_many_changes_at_once_one_is_made
    with_the_password_goes_what_was_asked_for_by_other_sessions
    a_proof_makes_the_session_fresh_and_its_token_says_when
    what_can_not_be_undone_needs_a_fresh_proof
    a_wrong_proof_makes_nothing_fresh
}

const NEW: &str = "Qu1te-another-0ne!";

async fn change(app: &TestApp, user_type: &str, pair: &Pair, current: &str, new: &str) -> Answer {
    app.keep_secret(current);
    app.keep_secret(new);
    let call = app.post(&format!("/{user_type}/change-password")).bearer(&pair.access);
    let body = json!({ "current_password": current, "new_password": new });
    call.json(&body).send().await
}

async fn prove(app: &TestApp, user_type: &str, access: &str, password: &str) -> Answer {
    app.keep_secret(password);
    let call = app.post(&format!("/{user_type}/reauthenticate")).bearer(access);
    call.json(&json!({ "password": password })).send().await
}

async fn a_changed_password_ends_all_other_sessions_and_tells_the_owner(app: &TestApp, user_type: &str) {
    let (person, own) = app.member(user_type).await;
    let others = [app.login(user_type, &person).await, app.login(user_type, &person).await];
    change(app, user_type, &own, &person.password, NEW)
        .await
        .expect(200)
        .member("message");
    for pair in &others {
        app.profile(user_type, &pair.access)
            .await
            .expect_problem(401, "invalid_token");
        app.refresh(user_type, &pair.refresh)
            .await
            .expect_problem(401, "invalid_refresh_token");
    }
    app.profile(user_type, &own.access).await.expect(200);
    let own = Pair::of(app, &app.refresh(user_type, &own.refresh).await.expect(200));
    app.sign_in(user_type, &person.email, &person.password)
        .await
        .expect_problem(401, "invalid_credentials");
    app.sign_in(user_type, &person.email, NEW).await.expect(200);
    let notice = app.next_mail(&person.email).await;
    assert!(notice.subject.contains("was changed"), "{notice:?}");
    // And once more, from the session that was kept.
    change(app, user_type, &own, NEW, &person.password).await.expect(200);
    app.profile(user_type, &own.access).await.expect(200);
}

async fn defect_26_a_password_is_not_changed_without_the_current_one(app: &TestApp, user_type: &str) {
    let (person, own) = app.member(user_type).await;
    let (_, theirs) = app.member(user_type).await;
    for wrong in [
        "",
        "wrong",
        &format!("{}4", person.password),
        &person.password.to_uppercase(),
        NEW,
    ] {
        change(app, user_type, &own, wrong, NEW)
            .await
            .expect_problem(403, "wrong_password");
    }
    let path = format!("/{user_type}/change-password");
    let missing = app
        .post(&path)
        .bearer(&own.access)
        .json(&json!({ "new_password": NEW }));
    missing.send().await.expect_problem(422, "validation_failed");
    let named = app.post(&format!("{path}?id=usr_somebody")).bearer(&own.access);
    let body = json!({ "current_password": person.password, "new_password": NEW });
    named.json(&body).send().await.expect_problem(403, "not_own_account");
    let unsigned = app.post(&path).json(&body);
    unsigned.send().await.expect_problem(401, "missing_token");
    app.sign_in(user_type, &person.email, &person.password)
        .await
        .expect(200);
    app.profile(user_type, &theirs.access).await.expect(200);
    let events = app.audit(user_type).await;
    let refused = |entry: &&_| {
        matches!(
            entry,
            sealgate::storage::audit::AuditRecord {
                event: AuditEvent::PasswordChanged,
                outcome: Outcome::Refused,
                ..
            }
        )
    };
    assert_eq!(events.iter().filter(refused).count(), 5);
}

async fn a_new_password_obeys_the_policy(app: &TestApp, user_type: &str) {
    let (person, own) = app.member(user_type).await;
    let name = format!("{}1!", person.first_name);
    for weak in [
        "short1!",
        "nodigitsOrMarks",
        "alllowercase1!",
        "Sealgate2024!",
        name.as_str(),
        "",
    ] {
        let refused = change(app, user_type, &own, &person.password, weak).await;
        let errors = refused.expect_problem(422, "validation_failed").errors();
        assert!(errors.iter().all(|(field, _)| field == "new_password"), "{errors:?}");
    }
    app.sign_in(user_type, &person.email, &person.password)
        .await
        .expect(200);
}

async fn of_many_changes_at_once_one_is_made(app: &TestApp, user_type: &str) {
    let (person, own) = app.member(user_type).await;
    let new = |n: usize| format!("{NEW}{n}");
    let changes = (0..10).map(|n| {
        let own = &own;
        let current = person.password.as_str();
        async move { change(app, user_type, own, current, &new(n)).await.status }
    });
    let statuses = join_all(changes).await;
    let made: Vec<usize> = (0..10).filter(|n| statuses[*n] == 200).collect();
    assert_eq!(made.len(), 1, "{statuses:?}");
    assert!(
        statuses.iter().all(|status| [200, 403].contains(status)),
        "{statuses:?}"
    );
    for n in 0..10 {
        let expected = if made == [n] { 200 } else { 401 };
        assert_eq!(app.sign_in(user_type, &person.email, &new(n)).await.status, expected);
    }
}

async fn with_the_password_goes_what_was_asked_for_by_other_sessions(app: &TestApp, user_type: &str) {
    let (person, own) = app.member(user_type).await;
    let thief = app.login(user_type, &person).await;
    let taken = Person::new();
    app.update(user_type, &thief.access, &json!({ "email": taken.email }))
        .await
        .expect(200);
    let link = app.next_link(&taken).await;
    app.forget(user_type, &person.email).await.expect(202);
    let reset = app.next_link(&person).await;
    change(app, user_type, &own, &person.password, NEW).await.expect(200);
    app.confirm(user_type, &link).await.expect_problem(400, "link_invalid");
    app.reset(user_type, &reset, "Y3t-another-0ne!")
        .await
        .expect_problem(400, "link_invalid");
    app.sign_in(user_type, &person.email, NEW).await.expect(200);
}

async fn a_proof_makes_the_session_fresh_and_its_token_says_when(app: &TestApp, user_type: &str) {
    let (person, own) = app.member(user_type).await;
    app.clock.advance(Duration::from_mins(20));
    let proven = prove(app, user_type, &own.access, &person.password).await.expect(200);
    let (token, before): (String, Value) = (proven.member("access_token"), part(&own.access, 1));
    app.keep_secret(&token);
    let now = part(&token, 1);
    assert_eq!(
        now["auth_time"],
        before["auth_time"].as_i64().expect("a time") + 20 * 60
    );
    assert_eq!(proven.json()["auth_time"], now["auth_time"]);
    for same in ["sid", "sub", "iss", "aud", "amr", "role"] {
        assert_eq!(now[same], before[same], "{same}");
    }
    app.profile(user_type, &token).await.expect(200);
    app.profile(user_type, &own.access).await.expect(200);
    // The session is one and the same: its refresh token goes on, and says so too.
    let renewed = Pair::of(app, &app.refresh(user_type, &own.refresh).await.expect(200));
    assert_eq!(part(&renewed.access, 1)["auth_time"], now["auth_time"]);
}

async fn what_can_not_be_undone_needs_a_fresh_proof(app: &TestApp, user_type: &str) {
    let (person, own) = app.member(user_type).await;
    app.clock.advance(Duration::from_mins(5));
    let asked = Person::new();
    let refusals = [
        app.update(user_type, &own.access, &json!({ "email": asked.email }))
            .await,
        app.update(user_type, &own.access, &json!({ "phone": "+14155550199" }))
            .await,
        app.ask_code(user_type, &own.access, &json!({ "phone": "+14155550199" }))
            .await,
        app.delete(user_type, &own.access, &json!({})).await,
    ];
    for refused in refusals {
        let refused = refused.expect_problem(401, "insufficient_user_authentication");
        let asks = refused.header("www-authenticate");
        assert!(
            asks.contains("insufficient_user_authentication") && asks.contains("max_age=300"),
            "{asks}"
        );
    }
    prove(app, user_type, &own.access, &person.password).await.expect(200);
    // With the old token, too: the session is fresh.
    app.update(user_type, &own.access, &json!({ "email": asked.email }))
        .await
        .expect(200);
    app.clock.advance(Duration::from_mins(5));
    app.delete(user_type, &own.access, &json!({}))
        .await
        .expect_problem(401, "insufficient_user_authentication");
    prove(app, user_type, &own.access, &person.password).await.expect(200);
    app.delete(user_type, &own.access, &json!({})).await.expect(200);
}

async fn a_wrong_proof_makes_nothing_fresh(app: &TestApp, user_type: &str) {
    let (person, own) = app.member(user_type).await;
    app.clock.advance(Duration::from_mins(6));
    for wrong in ["wrong", "", &format!("{} ", person.password)] {
        prove(app, user_type, &own.access, wrong)
            .await
            .expect_problem(403, "wrong_password");
    }
    app.delete(user_type, &own.access, &json!({}))
        .await
        .expect_problem(401, "insufficient_user_authentication");
    let gone = app.login(user_type, &person).await;
    let call = app.post(&format!("/{user_type}/logout")).bearer(&gone.access);
    call.send().await.expect(200);
    prove(app, user_type, &gone.access, &person.password)
        .await
        .expect_problem(401, "invalid_token");
}
