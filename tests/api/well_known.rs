//! Public documents: what verifiers, password managers and security researchers find.

use std::time::Duration;

use sealgate::{crypto::public_key::PairAlgorithm, service::token_keys};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    support::{Answer, BROWSER, Person, Setup, StoreSet, TestApp, eventually, part},
    token_keys::{Operator, published},
};

cases_once! {
    the_keys_are_public_and_may_be_kept_for_a_minute
    every_user_type_is_an_issuer
    an_issuer_with_a_path_is_found_where_the_standard_looks
    a_password_manager_finds_the_way_to_a_new_password
    the_way_to_a_new_password_may_be_elsewhere
    security_txt_says_what_is_set
    what_is_public_is_read_only
}

cases_per_store! {
    a_key_that_another_process_made_is_published_at_once
}

async fn get(app: &TestApp, path: &str) -> Answer {
    app.get(path).header("origin", "https://somebody.example").send().await
}

/// Any page may read it, and any cache may keep it.
fn assert_open(answer: &Answer) {
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("cache-control", "public, max-age=60"),
    ] {
        assert_eq!(answer.header(name), value, "{name} of {}", answer.call);
    }
    assert!(answer.headers.get("access-control-allow-credentials").is_none());
}

async fn the_keys_are_public_and_may_be_kept_for_a_minute(stores: &StoreSet) {
    for (algorithm, members) in [
        ("EdDSA", &["alg", "crv", "kid", "kty", "use", "x"][..]),
        ("ES256", &["alg", "crv", "kid", "kty", "use", "x", "y"]),
        ("RS256", &["alg", "e", "kid", "kty", "n", "use"]),
    ] {
        let app = Setup::new(&stores.another())
            .set("JWT_ALGORITHM", algorithm)
            .spawn()
            .await;
        let answer = get(&app, "/.well-known/jwks.json").await.expect(200);
        assert_open(&answer);
        let set = answer.json();
        let [key] = set["keys"].as_array().expect("a list").as_slice() else {
            panic!("one key: {set}");
        };
        let mut names: Vec<_> = key.as_object().expect("an object").keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, members, "nothing else of a key is told");
        assert_eq!((&key["alg"], &key["use"]), (&json!(algorithm), &json!("sig")));
        let (_, pair) = app.member("User2").await;
        assert_eq!(part(&pair.access, 0)["kid"], key["kid"]);
        app.shut_down().await;
    }
}

/// Keys are read by period every half minute, and anew for whoever asks for the public ones.
async fn a_key_that_another_process_made_is_published_at_once(stores: &StoreSet) {
    let setup = Setup::new(stores);
    assert_eq!(setup.reread, Duration::from_secs(30));
    let app = setup.spawn().await;
    let operator = Operator::of(&setup).await;
    assert_eq!(published(&app).await.len(), 1);
    let rotated = Instant::now();
    token_keys::rotate(operator.core(), PairAlgorithm::Es256)
        .await
        .expect("made");
    eventually("both keys", async || (published(&app).await.len() == 2).then_some(())).await;
    let taken = rotated.elapsed();
    assert!(taken < Duration::from_secs(5), "{taken:?}");
    // As soon as it is removed, nobody is told of it any more.
    token_keys::remove(operator.core(), 2, PairAlgorithm::Es256)
        .await
        .expect("removed");
    let removed = Instant::now();
    eventually("one key", async || (published(&app).await.len() == 1).then_some(())).await;
    let taken = removed.elapsed();
    assert!(taken < Duration::from_secs(5), "{taken:?}");
    app.shut_down().await;
}

async fn every_user_type_is_an_issuer(stores: &StoreSet) {
    let app = Setup::new(stores).set("DOCS", "on").spawn().await;
    let base = format!("http://{}", app.address);
    let answer = get(&app, "/.well-known/oauth-authorization-server").await.expect(200);
    assert_open(&answer);
    let issuers = answer.json();
    assert_eq!(
        issuers["authorization_servers"],
        json!([format!("{base}/User1"), format!("{base}/User2")])
    );
    for user_type in ["User1", "User2"] {
        let path = format!("/.well-known/oauth-authorization-server/{user_type}");
        let answer = get(&app, &path).await.expect(200);
        assert_open(&answer);
        let metadata = answer.json();
        let (person, pair) = app.member(user_type).await;
        assert_eq!(metadata["issuer"], part(&pair.access, 1)["iss"]);
        assert_eq!(metadata["jwks_uri"], issuers["jwks_uri"]);
        // What it names is there.
        let under = |name: &str| metadata[name].as_str().expect("a text").replace(&base, "");
        get(&app, &under("jwks_uri")).await.expect(200);
        app.get(&format!("{}/", under("service_documentation")))
            .send_unchecked()
            .await
            .expect(200);
        let form = [
            ("username", person.email.as_str()),
            ("password", &person.password),
            ("grant_type", "password"),
        ];
        app.post(&under("token_endpoint")).form(&form).send().await.expect(200);
        assert_eq!(metadata["grant_types_supported"], json!(["password"]));
        assert_eq!(metadata["response_types_supported"], json!([]));
        assert_eq!(metadata["token_endpoint_auth_methods_supported"], json!(["none"]));
        assert_eq!(metadata.as_object().expect("an object").len(), 7, "{metadata}");
    }
    for nobody in ["User9", "user1", "User1%2f..", "%00"] {
        let path = format!("/.well-known/oauth-authorization-server/{nobody}");
        let answer = get(&app, &path).await.expect_problem(404, "not_found");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    app.shut_down().await;
}

async fn an_issuer_with_a_path_is_found_where_the_standard_looks(stores: &StoreSet) {
    let setup = Setup::new(stores).set("PUBLIC_URL", "https://example.com/auth/id");
    let app = setup.spawn().await;
    for user_type in ["User1", "User2"] {
        let paths = [format!("auth/id/{user_type}"), user_type.to_owned()];
        let mut found = Vec::new();
        for path in paths {
            let answer = get(&app, &format!("/.well-known/oauth-authorization-server/{path}")).await;
            assert_open(&answer);
            found.push(answer.expect(200).json());
        }
        assert_eq!(found[0], found[1]);
        assert_eq!(found[0]["issuer"], format!("https://example.com/auth/id/{user_type}"));
        assert_eq!(
            found[0]["jwks_uri"],
            "https://example.com/auth/id/.well-known/jwks.json"
        );
        assert_eq!(found[0]["service_documentation"], Value::Null, "docs are off");
    }
    app.shut_down().await;
}

async fn a_password_manager_finds_the_way_to_a_new_password(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    let person = Person::new();
    app.join("User1", &person).await;
    let answer = get(&app, "/.well-known/change-password").await.expect(303);
    let path = answer
        .header("location")
        .replace(&format!("http://{}", app.address), "");
    let page = app.get(&path).accept(BROWSER).send().await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
    assert!(page.text().contains("action=\"forget_password\""), "{}", page.text());
    assert!(
        page.text().contains("href=\"../User2/forget_password_form\""),
        "{}",
        page.text()
    );
    app.get("/User2/forget_password_form")
        .accept(BROWSER)
        .send()
        .await
        .expect(200);
    // What the form sends, known or not, is answered with a page, and so is what can't be sent.
    let send = async |email: &str| {
        let call = app.post("/User1/forget_password").accept(BROWSER);
        call.form(&[("email", email)]).send().await
    };
    let (known, unknown) = (send(&person.email).await, send("nobody@example.com").await);
    assert_eq!((known.status, unknown.status), (202, 202));
    assert_eq!(known.text(), unknown.text());
    assert!(known.header("content-type").starts_with("text/html"));
    let refused = send("nobody").await.expect(422);
    assert!(refused.header("content-type").starts_with("text/html"));
    let link = app.next_link(&person).await;
    app.reset("User1", &link, "An0ther-SecureP@ssw0rd").await.expect(200);
    // A password manager asks whether everything is "there", to know what an answer is worth.
    let nothing = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200";
    get(&app, nothing).await.expect_problem(404, "not_found");
    app.shut_down().await;
}

async fn the_way_to_a_new_password_may_be_elsewhere(stores: &StoreSet) {
    let place = "https://app.example.com/account?tab=password";
    let app = Setup::new(stores).set("CHANGE_PASSWORD_URL", place).spawn().await;
    let answer = get(&app, "/.well-known/change-password").await.expect(303);
    assert_eq!(answer.header("location"), place);
    app.shut_down().await;

    let app = Setup::new(&stores.another())
        .set("USER_TYPES", "Customer")
        .spawn()
        .await;
    let page = app.get("/Customer/forget_password_form").send().await.expect(200);
    assert!(
        !page.text().contains("href=\"../"),
        "there is no other: {}",
        page.text()
    );
    app.shut_down().await;
}

async fn security_txt_says_what_is_set(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    get(&app, "/.well-known/security.txt")
        .await
        .expect_problem(404, "not_found");
    app.shut_down().await;

    let setup = Setup::new(&stores.another())
        .set("PUBLIC_URL", "https://id.example.com")
        .set(
            "SECURITY_CONTACT",
            "mailto:security@example.com, https://example.com/report",
        )
        .set("SECURITY_EXPIRES", "2027-06-30T00:00:00Z")
        .set("SECURITY_POLICY", "https://example.com/policy")
        .set("SECURITY_LANGUAGES", "en, de");
    let app = setup.spawn().await;
    let answer = get(&app, "/.well-known/security.txt").await.expect(200);
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_open(&answer);
    assert_eq!(
        answer.text(),
        "Contact: mailto:security@example.com\n\
         Contact: https://example.com/report\n\
         Expires: 2027-06-30T00:00:00Z\n\
         Preferred-Languages: en, de\n\
         Policy: https://example.com/policy\n\
         Canonical: https://id.example.com/.well-known/security.txt\n"
    );
    app.shut_down().await;
}

async fn what_is_public_is_read_only(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    for path in [
        "jwks.json",
        "oauth-authorization-server",
        "oauth-authorization-server/User1",
        "change-password",
        "security.txt",
    ] {
        let path = format!("/.well-known/{path}");
        for method in ["POST", "PUT", "DELETE"] {
            let answer = app.call(method, &path).send().await;
            let answer = answer.expect_problem(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), "GET", "{method} {path}");
        }
    }
    // Routes of the API stay where they are.
    get(&app, "/.well-known/login").await.expect_problem(404, "not_found");
    get(&app, "/.well-known/User1/login")
        .await
        .expect_problem(404, "not_found");
    app.shut_down().await;
}
