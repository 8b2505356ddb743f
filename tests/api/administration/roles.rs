//! Roles that the settings define.

use serde_json::json;

use super::{Administrator, access::routes, administrator, member, of, send, with_role};
use crate::support::{Setup, StoreSet, part};

cases_per_store! {
    a_role_may_what_the_settings_say_and_no_more
    a_role_is_of_its_user_type
    a_role_that_the_settings_know_no_more_may_nothing
    nobody_gives_a_role_that_may_more_than_their_own
}

const ROLES: &str = "support=accounts.list,accounts.read,accounts.lock;auditor=audit.read;\
                     lead=accounts.list,accounts.read,accounts.lock,accounts.update,roles.assign,accounts.create";

async fn a_role_may_what_the_settings_say_and_no_more(stores: &StoreSet) {
    let app = Setup::new(stores).set("ROLES", ROLES).spawn().await;
    let admin = administrator(&app, "User1").await;
    let support = with_role(&app, "User1", &admin, "support").await;
    let claims = part(&support.pair.access, 1);
    assert_eq!(
        (&claims["role"], &claims["scope"]),
        (&json!("support"), &json!("accounts.list accounts.read accounts.lock"))
    );
    let verified = app.get("/User1/verify-token").bearer(&support.pair.access).send().await;
    assert_eq!(verified.expect(200).json()["scope"], claims["scope"]);
    let target = member(&app, "User1").await;
    let may = [
        ("GET", "/User1/admin/accounts".to_owned()),
        ("GET", of("User1", &target, "")),
        ("POST", of("User1", &target, "/lock")),
        ("POST", of("User1", &target, "/unlock")),
    ];
    for (method, path) in routes("User1", &target.id) {
        let answer = send(&app, &method, &path, &support, None).await;
        if may.contains(&(method.as_str(), path.clone())) {
            answer.expect(200);
        } else {
            answer.expect_problem(403, "forbidden");
        }
    }
    // Whoever may more is not theirs to lock.
    send(&app, "POST", &of("User1", &admin, "/lock"), &support, None)
        .await
        .expect_problem(403, "forbidden");
    app.shut_down().await;
}

async fn a_role_is_of_its_user_type(stores: &StoreSet) {
    let app = Setup::new(stores)
        .set("ROLES_User2", "auditor=audit.read")
        .spawn()
        .await;
    let (one, two) = (administrator(&app, "User1").await, administrator(&app, "User2").await);
    let auditor = with_role(&app, "User2", &two, "auditor").await;
    send(&app, "GET", "/User2/admin/audit", &auditor, None)
        .await
        .expect(200);
    send(&app, "GET", "/User1/admin/audit", &auditor, None)
        .await
        .expect_problem(401, "invalid_token");
    let target = member(&app, "User1").await;
    let body = json!({ "role": "auditor" });
    let refused = send(&app, "PUT", &of("User1", &target, ""), &one, Some(&body)).await;
    let refused = refused.expect_problem(422, "validation_failed");
    assert_eq!(refused.errors(), [("role".to_owned(), "role_unknown".to_owned())]);
    app.shut_down().await;
}

async fn a_role_that_the_settings_know_no_more_may_nothing(stores: &StoreSet) {
    // Issuer and audience are made of it, and tokens outlive the restarts.
    let setup = Setup::new(stores).set("PUBLIC_URL", "http://id.example.com");
    let app = setup.clone().set("ROLES", ROLES).spawn().await;
    let admin = administrator(&app, "User1").await;
    let auditor = with_role(&app, "User1", &admin, "auditor").await;
    app.shut_down().await;

    let app = setup.spawn().await;
    app.profile("User1", &auditor.pair.access)
        .await
        .expect_problem(401, "invalid_token");
    let pair = app.login("User1", &auditor.person).await;
    let claims = part(&pair.access, 1);
    assert_eq!((&claims["role"], &claims["scope"]), (&json!("user"), &json!(null)));
    let auditor = Administrator { pair, ..auditor };
    send(&app, "GET", "/User1/admin/audit", &auditor, None)
        .await
        .expect_problem(403, "forbidden");
    // What the record says stays.
    let read = send(&app, "GET", &of("User1", &auditor, ""), &admin, None).await;
    assert_eq!(read.expect(200).json()["profile"]["role"], "auditor");
    app.shut_down().await;

    // Who takes a permission away takes it at once, from those who are signed in too.
    let app = setup.clone().set("ROLES", "auditor=accounts.list").spawn().await;
    let pair = app.login("User1", &auditor.person).await;
    let auditor = Administrator { pair, ..auditor };
    send(&app, "GET", "/User1/admin/accounts", &auditor, None)
        .await
        .expect(200);
    app.shut_down().await;
    let app = setup.set("ROLES", "auditor=audit.read").spawn().await;
    send(&app, "GET", "/User1/admin/accounts", &auditor, None)
        .await
        .expect_problem(403, "forbidden");
    app.shut_down().await;
}

async fn nobody_gives_a_role_that_may_more_than_their_own(stores: &StoreSet) {
    let app = Setup::new(stores).set("ROLES", ROLES).spawn().await;
    let admin = administrator(&app, "User1").await;
    let lead = with_role(&app, "User1", &admin, "lead").await;
    let target = member(&app, "User1").await;
    let path = of("User1", &target, "");
    for (role, status) in [
        ("admin", 403),
        ("auditor", 403),
        ("super_admin", 403),
        ("support", 200),
        ("user", 200),
    ] {
        let body = json!({ "role": role });
        send(&app, "PUT", &path, &lead, Some(&body)).await.expect(status);
    }
    let mut invited = crate::support::Person::new().json();
    invited.as_object_mut().expect("an object").remove("password");
    for (role, status) in [("admin", 403), ("support", 201)] {
        invited["role"] = json!(role);
        send(&app, "POST", "/User1/admin/accounts", &lead, Some(&invited))
            .await
            .expect(status);
    }
    // An address is a way in: nobody changes that of whoever may more.
    let body = json!({ "email": "mine@mail.example" });
    send(&app, "PUT", &of("User1", &admin, ""), &lead, Some(&body))
        .await
        .expect_problem(403, "forbidden");
    app.shut_down().await;
}
