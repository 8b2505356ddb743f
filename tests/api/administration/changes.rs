//! Accounts: changed and erased.

use std::time::Duration;

use sealgate::domain::audit::AuditEvent;
use serde_json::json;

use super::{Administrator, administrator, member, of, send};
use crate::support::{TestApp, part};

cases! {
    a_profile_is_changed_as_its_owner_would
    another_address_waits_for_its_link_and_the_old_one_is_told
    another_role_ends_what_was_begun_with_the_one_before
    an_account_is_erased_with_a_receipt
    what_cant_be_undone_needs_a_fresh_sign_in
}

async fn a_profile_is_changed_as_its_owner_would(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let target = member(app, user_type).await;
    let (path, taken) = (of(user_type, &target, ""), member(app, user_type).await);
    let own = json!({ "username": "somebody_else" });
    app.update(user_type, &taken.pair.access, &own).await.expect(200);
    let change = json!({ "first_name": "Augusta", "phone": null, "username": "the_countess", "version": 1 });
    let answer = send(app, "PUT", &path, &admin, Some(&change)).await.expect(200);
    assert!(!answer.text().contains("Augusta"), "who changes need not read");
    assert_eq!(answer.json()["version"], 2);
    let profile = app.profile(user_type, &target.pair.access).await.expect(200).json();
    assert_eq!(
        (&profile["first_name"], &profile["phone"], &profile["username"]),
        (&json!("Augusta"), &json!(null), &json!("the_countess"))
    );
    let old = json!({ "last_name": "King", "version": 1 });
    send(app, "PUT", &path, &admin, Some(&old))
        .await
        .expect_problem(409, "version_conflict");
    send(app, "PUT", &path, &admin, Some(&own))
        .await
        .expect_problem(409, "username_taken");
    let noted = app.audit(user_type).await;
    let mut changed = noted
        .iter()
        .filter(|entry| entry.event == AuditEvent::ProfileUpdated && entry.details.get("by").is_some());
    assert_eq!(
        changed.next().expect("noted").details.get("by"),
        Some(admin.id.as_str())
    );
}

async fn another_address_waits_for_its_link_and_the_old_one_is_told(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let target = member(app, user_type).await;
    let new = format!("new.{}", target.person.email);
    let change = json!({ "email": new });
    send(app, "PUT", &of(user_type, &target, ""), &admin, Some(&change))
        .await
        .expect(200);
    let profile = app.profile(user_type, &target.pair.access).await.expect(200);
    assert_eq!(profile.member("email"), target.person.email, "not yet");
    let link = app.next_mail(&new).await.token();
    app.confirm(user_type, &link).await.expect(200);
    let told = app.next_mail(&target.person.email).await;
    assert!(told.text.contains("address"), "{told:?}");
    app.sign_in(user_type, &new, &target.person.password).await.expect(200);
    app.sign_in(user_type, &target.person.email, &target.person.password)
        .await
        .expect(401);
}

async fn another_role_ends_what_was_begun_with_the_one_before(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let other = administrator(app, user_type).await;
    let list = format!("/{user_type}/admin/accounts");
    send(app, "GET", &list, &other, None).await.expect(200);
    let (path, body) = (of(user_type, &other, ""), json!({ "role": "user" }));
    let answer = send(app, "PUT", &path, &admin, Some(&body)).await.expect(200);
    assert_eq!(answer.member("role"), "user");
    send(app, "GET", &list, &other, None)
        .await
        .expect_problem(401, "invalid_token");
    app.refresh(user_type, &other.pair.refresh).await.expect(401);
    let pair = app.login(user_type, &other.person).await;
    let claims = part(&pair.access, 1);
    assert_eq!((&claims["role"], &claims["scope"]), (&json!("user"), &json!(null)));
    let again = Administrator { pair, ..other };
    send(app, "GET", &list, &again, None)
        .await
        .expect_problem(403, "forbidden");
    let noted = app.audit(user_type).await;
    let changed = noted.iter().find(|entry| entry.event == AuditEvent::RoleChanged);
    let details = &changed.expect("noted").details;
    assert_eq!(
        (details.get("by"), details.get("from"), details.get("to")),
        (Some(admin.id.as_str()), Some("admin"), Some("user"))
    );
}

async fn an_account_is_erased_with_a_receipt(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let target = member(app, user_type).await;
    let path = of(user_type, &target, "");
    let erased = send(app, "DELETE", &path, &admin, None).await.expect(200);
    let receipt = part(&erased.member("receipt"), 1);
    assert_eq!(receipt["sub"], target.id);
    app.profile(user_type, &target.pair.access).await.expect(401);
    app.sign_in(user_type, &target.person.email, &target.person.password)
        .await
        .expect(401);
    for method in ["GET", "DELETE"] {
        send(app, method, &path, &admin, None)
            .await
            .expect_problem(404, "account_not_found");
    }
    app.settle().await;
    let list = format!("/{user_type}/admin/accounts");
    let listed = send(app, "GET", &list, &admin, None).await.expect(200);
    assert!(!listed.text().contains(&target.id));
    let noted = app.audit(user_type).await;
    let erased = noted.iter().find(|entry| entry.event == AuditEvent::AccountErased);
    assert_eq!(erased.expect("noted").details.get("by"), Some(admin.id.as_str()));
    // The address is free.
    app.join(user_type, &target.person).await;
}

async fn what_cant_be_undone_needs_a_fresh_sign_in(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let target = member(app, user_type).await;
    app.clock.advance(Duration::from_mins(5));
    let mut invited = crate::support::Person::new().json();
    invited.as_object_mut().expect("an object").remove("password");
    invited["role"] = json!("admin");
    for (method, path, body) in [
        ("DELETE", of(user_type, &target, ""), None),
        ("PUT", of(user_type, &target, ""), Some(json!({ "role": "admin" }))),
        (
            "PUT",
            of(user_type, &target, ""),
            Some(json!({ "email": "x@mail.example" })),
        ),
        ("PUT", of(user_type, &target, ""), Some(json!({ "phone": null }))),
        ("POST", of(user_type, &target, "/mfa/reset"), None),
        ("POST", format!("/{user_type}/admin/accounts"), Some(invited)),
    ] {
        let stale = send(app, method, &path, &admin, body.as_ref()).await;
        let stale = stale.expect_problem(401, "insufficient_user_authentication");
        assert!(stale.header("www-authenticate").contains("max_age=300"), "{path}");
    }
    // What can be undone, or hurts nobody, does not.
    send(app, "POST", &of(user_type, &target, "/lock"), &admin, None)
        .await
        .expect(200);
    let proof = json!({ "password": admin.person.password });
    let proven = app
        .post(&format!("/{user_type}/reauthenticate"))
        .bearer(&admin.pair.access);
    proven.json(&proof).send().await.expect(200);
    send(app, "DELETE", &of(user_type, &target, ""), &admin, None)
        .await
        .expect(200);
}
