//! The whole walk of a person who registers, in the ways that clients do it.

use serde_json::json;

use crate::support::{Pair, Person, TestApp};

cases! {
    the_whole_walk
}

/// What a browser sends.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn the_whole_walk(app: &TestApp, user_type: &str) {
    let person = Person::new();
    let created = app.create(user_type, &person).await.expect(201);
    assert_eq!(created.json()["email"], "[ENCRYPTED]", "the address is not repeated");
    let id = created.member("id");

    let mail = app.next_mail(&person.email).await;
    assert_eq!(mail.subject, "Confirm your address for Sealgate");
    let link = mail.link().expect("a link");
    let path = link.strip_prefix(&format!("http://{}", app.address));
    let path = path.unwrap_or_else(|| panic!("the link leads elsewhere: {link}"));
    assert!(path.starts_with(&format!("/{user_type}/verify?token=")), "{link}");

    let page = app.get(path).accept(BROWSER).send().await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
    assert!(page.text().contains("<button"), "{}", page.text());
    app.sign_in(user_type, &person.email, &person.password)
        .await
        .expect_problem(403, "email_not_verified");

    let confirmed = app.confirm(user_type, &mail.token()).await.expect(200);
    assert!(
        confirmed.member("message").contains("confirmed"),
        "{}",
        confirmed.text()
    );
    let welcome = app.next_mail(&person.email).await;
    assert_eq!(welcome.subject, "Welcome to Sealgate");
    assert!(welcome.text.contains(&person.first_name), "{}", welcome.text);

    let signed_in = app
        .sign_in(user_type, &person.email, &person.password)
        .await
        .expect(200);
    let body = signed_in.json();
    assert_eq!(
        (&body["token_type"], &body["expires_in"]),
        (&json!("bearer"), &json!(1800))
    );
    let first = Pair::of(app, &signed_in);

    let profile = app.profile(user_type, &first.access).await.expect(200).json();
    for (member, expected) in [
        ("id", json!(id)),
        ("first_name", json!(person.first_name)),
        ("last_name", json!(person.last_name)),
        ("email", json!(person.email)),
        ("phone", json!(person.phone)),
        ("country_code", json!("US")),
        ("username", json!(null)),
        ("is_email_verified", json!(true)),
        ("is_phone_verified", json!(false)),
        ("mfa_enabled", json!(false)),
        ("role", json!("user")),
        ("version", json!(1)),
    ] {
        assert_eq!(profile[member], expected, "{member} of {profile}");
    }
    let without_slash = app.get(&format!("/{user_type}")).bearer(&first.access).send().await;
    assert_eq!(without_slash.expect(200).json(), profile, "the same without the slash");

    let second = Pair::of(app, &app.refresh(user_type, &first.refresh).await.expect(200));
    assert_ne!(second.refresh, first.refresh, "refresh tokens are used up");
    app.profile(user_type, &second.access).await.expect(200);

    let logout = format!("/{user_type}/logout");
    app.post(&logout).bearer(&second.access).send().await.expect(200);
    for token in [&first.access, &second.access] {
        app.profile(user_type, token).await.expect_problem(401, "invalid_token");
    }
    app.refresh(user_type, &second.refresh)
        .await
        .expect_problem(401, "invalid_refresh_token");
}
