//! Who gets through the door. The routes come from the document, so that a new one joins by itself.

use std::time::Duration;

use sealgate::{domain::audit::AuditEvent, service::make_admin::Reach};
use serde_json::{Value, json};

use super::{Administrator, administrator, made, member, of, send};
use crate::support::{Forger, Pair, Setup, StoreSet, TestApp, other, part};

cases! {
    defect_27_every_admin_route_checks_the_role_and_a_deleted_administrators_token_is_nobodys
    what_a_token_says_of_role_and_scope_opens_nothing
    nobody_administers_their_own_account
    a_super_admin_administers_every_user_type
    hostile_input_is_refused_with_a_clear_problem
}

cases_per_store! {
    an_administrator_has_sixty_a_minute_and_ten_lists
}

/// Method and path of every route of the administration, about `id`.
pub(super) fn routes(user_type: &str, id: &str) -> Vec<(String, String)> {
    let user_types = sealgate::domain::user_type::parse_user_types("User1,User2").expect("valid");
    let document: Value = serde_json::from_str(&sealgate::http::docs::document(&user_types)).expect("JSON");
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        if path.starts_with(&format!("/{user_type}/admin/")) {
            let methods = methods.as_object().expect("methods").keys();
            routes.extend(methods.map(|method| (method.to_uppercase(), path.replace("{id}", id))));
        }
    }
    assert!(routes.len() >= 12, "{routes:?}");
    routes
}

/// What changes when anybody is administered.
async fn state(app: &TestApp, user_type: &str, target: &Administrator) -> Value {
    let mut profile = app.profile(user_type, &target.pair.access).await.expect(200).json();
    profile["mails"] = json!(app.all_mails(&target.person.email).await.len());
    profile
}

async fn defect_27_every_admin_route_checks_the_role_and_a_deleted_administrators_token_is_nobodys(
    app: &TestApp,
    user_type: &str,
) {
    let (target, plain) = (member(app, user_type).await, member(app, user_type).await);
    let foreign = administrator(app, other(user_type)).await;
    let gone = administrator(app, user_type).await;
    let proof = json!({ "password": gone.person.password });
    app.delete(user_type, &gone.pair.access, &proof).await.expect(200);
    let before = state(app, user_type, &target).await;

    for (method, path) in routes(user_type, &target.id) {
        app.call(&method, &path)
            .send()
            .await
            .expect_problem(401, "missing_token");
        let refused = send(app, &method, &path, &plain, None).await;
        let refused = refused.expect_problem(403, "forbidden");
        assert!(
            refused.header("www-authenticate").contains("insufficient_scope"),
            "{path}"
        );
        for nobody in [&foreign, &gone] {
            send(app, &method, &path, nobody, None)
                .await
                .expect_problem(401, "invalid_token");
        }
    }
    assert_eq!(state(app, user_type, &target).await, before, "nothing was done");
    let noted = app.audit(user_type).await;
    let refused: Vec<_> = noted
        .iter()
        .filter(|entry| entry.event == AuditEvent::AdministrationRefused)
        .collect();
    assert!(
        refused
            .iter()
            .all(|entry| entry.details.get("by") == Some(plain.id.as_str())),
        "{refused:?}"
    );
    assert!(!refused.is_empty());
}

/// Signed with the service's own key: what is wrong is that the record says otherwise.
async fn what_a_token_says_of_role_and_scope_opens_nothing(app: &TestApp, user_type: &str) {
    let plain = member(app, user_type).await;
    let foreign = member(app, other(user_type)).await;
    let forger = Forger::of(app).await;
    for (whose, role, status, code) in [
        (&plain, "admin", 403, "forbidden"),
        (&plain, "super_admin", 403, "forbidden"),
        (&foreign, "super_admin", 401, "invalid_token"),
    ] {
        let (head, mut claims) = (part(&whose.pair.access, 0), part(&whose.pair.access, 1));
        claims["role"] = json!(role);
        claims["scope"] = json!("accounts.list accounts.read audit.read keys.read");
        let forged = Administrator {
            id: whose.id.clone(),
            person: whose.person.clone(),
            pair: Pair {
                access: forger.sign_texts(head.to_string().as_bytes(), claims.to_string().as_bytes()),
                refresh: String::new(),
            },
        };
        for (method, path) in routes(user_type, &plain.id) {
            send(app, &method, &path, &forged, None)
                .await
                .expect_problem(status, code);
        }
    }
}

async fn nobody_administers_their_own_account(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    for (method, action, body) in [
        ("PUT", "", Some(json!({ "first_name": "Grace" }))),
        ("PUT", "", Some(json!({ "role": "user" }))),
        ("DELETE", "", None),
        ("POST", "/lock", None),
        ("POST", "/unlock", None),
        ("POST", "/sessions/revoke", None),
        ("POST", "/mfa/reset", None),
        ("POST", "/resend", None),
    ] {
        send(app, method, &of(user_type, &admin, action), &admin, body.as_ref())
            .await
            .expect_problem(403, "own_account");
    }
    send(app, "GET", &of(user_type, &admin, ""), &admin, None)
        .await
        .expect(200);
}

async fn a_super_admin_administers_every_user_type(app: &TestApp, user_type: &str) {
    let above = made(app, user_type, Reach::Everything).await;
    let elsewhere = other(user_type);
    let (own, foreign) = (administrator(app, user_type).await, administrator(app, elsewhere).await);
    for (there, target) in [(user_type, &own), (elsewhere, &foreign)] {
        let locked = send(app, "POST", &of(there, target, "/lock"), &above, None).await;
        assert_eq!(locked.expect(200).member("status"), "locked");
        app.profile(there, &target.pair.access).await.expect(401);
        send(app, "POST", &of(there, target, "/unlock"), &above, None)
            .await
            .expect(200);
        let noted = app.audit(there).await;
        let locked = noted.iter().find(|entry| entry.event == AuditEvent::AccountLocked);
        let by = if there == user_type {
            above.id.clone()
        } else {
            format!("{user_type}/{}", above.id)
        };
        assert_eq!(locked.expect("noted").details.get("by"), Some(by.as_str()));
    }
    // An administrator does not touch one who may more, and makes none.
    for action in ["/lock", "/sessions/revoke"] {
        let admin = administrator(app, user_type).await;
        send(app, "POST", &of(user_type, &above, action), &admin, None)
            .await
            .expect_problem(403, "forbidden");
        let target = member(app, user_type).await;
        for by in [&admin, &above] {
            let body = json!({ "role": "super_admin" });
            send(app, "PUT", &of(user_type, &target, ""), by, Some(&body))
                .await
                .expect_problem(403, "forbidden");
        }
    }
    // Only for the administration: it has no account there.
    app.profile(elsewhere, &above.pair.access)
        .await
        .expect_problem(401, "invalid_token");
}

async fn hostile_input_is_refused_with_a_clear_problem(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let target = member(app, user_type).await;
    for id in ["usr_nobody", "..%2F..", "%00", "a%20b", &"x".repeat(200), "%24where"] {
        for (method, action) in [("GET", ""), ("DELETE", ""), ("POST", "/lock"), ("POST", "/resend")] {
            let path = format!("/{user_type}/admin/accounts/{id}{action}");
            send(app, method, &path, &admin, None).await.expect(404);
        }
    }
    let list = format!("/{user_type}/admin/accounts");
    for (query, status, code) in [
        ("limit=0", 400, "malformed_parameter"),
        ("limit=101", 400, "malformed_parameter"),
        ("limit=-1", 400, "malformed_parameter"),
        ("limit=many", 400, "malformed_parameter"),
        ("status=erased", 400, "malformed_parameter"),
        ("status[$ne]=x&status=%7B%7D", 400, "malformed_parameter"),
        ("email=nobody", 422, "validation_failed"),
        ("email=", 422, "validation_failed"),
        ("phone=12", 422, "validation_failed"),
        ("cursor=", 422, "cursor_invalid"),
        ("cursor=cu1.AAAA", 422, "cursor_invalid"),
    ] {
        let path = format!("{list}?{query}");
        send(app, "GET", &path, &admin, None).await.expect_problem(status, code);
    }
    let audit = format!("/{user_type}/admin/audit");
    for (query, code) in [
        ("event=everything", "validation_failed"),
        ("account_id=a%20b", "validation_failed"),
        ("since=yesterday", "validation_failed"),
        ("cursor=x", "cursor_invalid"),
    ] {
        send(app, "GET", &format!("{audit}?{query}"), &admin, None)
            .await
            .expect_problem(422, code);
    }
    for body in [
        json!({ "role": "root" }),
        json!({ "role": "Admin" }),
        json!({ "role": null }),
        json!({ "role": ["admin"] }),
        json!({ "password": "SecureP@ssw0rd123!" }),
        json!({ "password_hash": "$2b$12$abcdefghijklmnopqrstuv" }),
        json!({ "status": "locked" }),
        json!({ "id": target.id }),
        json!({ "first_name": "" }),
    ] {
        send(app, "PUT", &of(user_type, &target, ""), &admin, Some(&body))
            .await
            .expect_problem(422, "validation_failed");
    }
    let mut body = crate::support::Person::new().json();
    // A password is never an administrator's to set (defect 17: one that looked like a hash was stored as it was).
    body["password"] = json!("$2b$12$abcdefghijklmnopqrstuv");
    let refused = send(app, "POST", &list, &admin, Some(&body)).await;
    let refused = refused.expect_problem(422, "validation_failed");
    assert_eq!(refused.errors(), [("password".to_owned(), "unknown".to_owned())]);
}

async fn an_administrator_has_sixty_a_minute_and_ten_lists(stores: &StoreSet) {
    let app = Setup::new(stores).set("RATE_LIMITS", "on").spawn().await;
    let (admin, other) = (administrator(&app, "User1").await, administrator(&app, "User1").await);
    let (list, one) = ("/User1/admin/accounts", of("User1", &other, ""));
    for (path, burst) in [(list, 10), (one.as_str(), 60)] {
        for _ in 0..burst {
            send(&app, "GET", path, &admin, None).await.expect(200);
        }
        let refused = send(&app, "GET", path, &admin, None).await;
        let refused = refused.expect_problem(429, "too_many_requests");
        assert!(!refused.header("retry-after").is_empty());
        // Of this account alone.
        send(&app, "GET", path, &other, None).await.expect(200);
    }
    app.clock.advance(Duration::from_secs(7));
    send(&app, "GET", list, &admin, None).await.expect(200);
    app.shut_down().await;
}
