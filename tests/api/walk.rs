//! The whole walk of a person who registers, in the ways that clients do it.

use serde_json::json;

use crate::support::{BROWSER, Pair, Person, TestApp};

cases! {
    the_whole_walk
    a_program_confirms_by_opening_the_link_and_nobody_else_does
    a_username_signs_in_beside_the_address
    every_session_has_tokens_of_its_own
}

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

async fn a_program_confirms_by_opening_the_link_and_nobody_else_does(app: &TestApp, user_type: &str) {
    let person = Person::new();
    let token = app.register(user_type, &person).await;
    let path = format!("/{user_type}/verify?token={token}");

    // Mail scanners open links; what they send must confirm nothing.
    for accept in [
        BROWSER,
        "*/*",
        "",
        "text/html",
        "application/json, text/html;q=0.5",
        "application/*",
    ] {
        let page = app.get(&path).accept(accept).send().await.expect(200);
        assert!(
            page.header("content-type").starts_with("text/html"),
            "{accept}: {page:?}"
        );
    }
    for accept in ["application/json", BROWSER, "*/*"] {
        let head = app.call("HEAD", &path).accept(accept).send().await.expect(200);
        assert!(head.body.is_empty(), "HEAD has no body: {head:?}");
    }
    app.sign_in(user_type, &person.email, &person.password)
        .await
        .expect_problem(403, "email_not_verified");

    let opened = app.get(&path).accept("application/json").send().await.expect(200);
    assert!(opened.member("message").contains("confirmed"), "{}", opened.text());
    app.login(user_type, &person).await;
    app.get(&path)
        .accept("application/json")
        .send()
        .await
        .expect_problem(400, "link_invalid");
}

async fn a_username_signs_in_beside_the_address(app: &TestApp, user_type: &str) {
    let person = Person::new().with_username();
    let username = person.username.clone().expect("it has one");
    app.join(user_type, &person).await;

    for name in [username.clone(), username.to_uppercase()] {
        let pair = Pair::of(app, &app.sign_in(user_type, &name, &person.password).await.expect(200));
        let profile = app.profile(user_type, &pair.access).await.expect(200).json();
        assert_eq!(profile["username"], json!(username), "in its owner's spelling");
        assert_eq!(profile["email"], json!(person.email));
    }
    let body = json!({ "username": username, "password": person.password, "remember_me": false });
    let login = format!("/{user_type}/login");
    app.post(&login).json(&body).send().await.expect(200);
}

async fn every_session_has_tokens_of_its_own(app: &TestApp, user_type: &str) {
    let person = Person::new();
    app.join(user_type, &person).await;
    let (phone, laptop) = (app.login(user_type, &person).await, app.login(user_type, &person).await);
    assert_ne!(phone.access, laptop.access);
    assert_ne!(phone.refresh, laptop.refresh);

    let logout = format!("/{user_type}/logout");
    app.get(&logout).bearer(&phone.access).send().await.expect(200);
    app.profile(user_type, &phone.access)
        .await
        .expect_problem(401, "invalid_token");
    app.profile(user_type, &laptop.access).await.expect(200);
    app.refresh(user_type, &laptop.refresh).await.expect(200);
    app.post(&logout)
        .bearer(&phone.access)
        .send()
        .await
        .expect_problem(401, "invalid_token");
}
