//! Signing in tells nobody who has an account, and takes passwords as they are.

use std::time::Duration;

use serde_json::json;

use crate::support::{Pair, Person, TestApp};

cases! {
    unknown_names_and_wrong_passwords_get_one_answer
    a_password_is_taken_whole_and_as_it_is
    the_policy_tells_all_that_is_missing_at_once
    sign_in_without_remembering_lasts_a_day
    members_of_oauth_forms_are_accepted
}

async fn unknown_names_and_wrong_passwords_get_one_answer(app: &TestApp, user_type: &str) {
    let known = Person::new().with_username();
    app.join(user_type, &known).await;
    let waiting = Person::new();
    app.register(user_type, &waiting).await;
    let wrong = "not-Their-passw0rd!";

    let long = format!("{}@mail.example", "a".repeat(300));
    let username = known.username.as_deref().expect("it has one");
    let attempts = [
        (Person::new().email, known.password.as_str()),
        (known.email.clone(), wrong),
        (known.email.clone(), ""),
        (known.email.clone(), "\u{0}"),
        (format!(" {}", known.email), known.password.as_str()),
        (waiting.email.clone(), wrong),
        (username.to_owned(), wrong),
        ("nobody.of.that.name".to_owned(), known.password.as_str()),
        (String::new(), known.password.as_str()),
        ("\u{0}".to_owned(), known.password.as_str()),
        ("' OR 1=1 --".to_owned(), known.password.as_str()),
        ("{\"$gt\": \"\"}".to_owned(), known.password.as_str()),
        (long, known.password.as_str()),
    ];
    let mut shapes = Vec::new();
    for (name, password) in &attempts {
        let refused = app.sign_in(user_type, name, password).await;
        let refused = refused.expect_problem(401, "invalid_credentials");
        assert_eq!(refused.json()["error"], "invalid_grant", "in OAuth 2's words, too");
        shapes.push((name.clone(), refused.shape()));
    }
    for (name, shape) in &shapes {
        assert_eq!(*shape, shapes[0].1, "{name:?} is told apart");
    }
}

async fn a_password_is_taken_whole_and_as_it_is(app: &TestApp, user_type: &str) {
    let long = format!("Aa1!{}", "x".repeat(124));
    let passwords = [
        (" Leading and trailing 1 ", " Leading and trailing 1"),
        ("Zoe\u{308}s passw0rd \u{1F600}", "Zoes passw0rd \u{1F600}"),
        ("Tom & Jerry's = 100% +1", "Tom & Jerry's = 100%  1"),
        ("Nul \u{0} in the m1ddle", "Nul "),
        (long.as_str(), &long[..72]),
    ];
    for (password, almost) in passwords {
        let person = Person {
            password: password.into(),
            ..Person::new()
        };
        app.join(user_type, &person).await;
        app.login(user_type, &person).await;
        let body = json!({ "username": person.email, "password": password });
        let login = format!("/{user_type}/login");
        app.post(&login).json(&body).send().await.expect(200);
        app.sign_in(user_type, &person.email, almost)
            .await
            .expect_problem(401, "invalid_credentials");
    }
    // One text in two spellings of Unicode is one password.
    let person = Person {
        password: "Zoe\u{308}s passw0rd!".into(),
        ..Person::new()
    };
    app.join(user_type, &person).await;
    app.sign_in(user_type, &person.email, "Zo\u{EB}s passw0rd!")
        .await
        .expect(200);
}

async fn the_policy_tells_all_that_is_missing_at_once(app: &TestApp, user_type: &str) {
    let too_long = format!("Aa1!{}", "x".repeat(125));
    let service = format!("Sealgate{user_type}!");
    for (password, codes) in [
        (
            "",
            vec![
                "password_no_digit",
                "password_no_lower_case",
                "password_no_other",
                "password_no_upper_case",
                "password_too_short",
            ],
        ),
        (
            "abc",
            vec![
                "password_no_digit",
                "password_no_other",
                "password_no_upper_case",
                "password_too_short",
            ],
        ),
        ("Aa1!567", vec!["password_too_short"]),
        ("GraceHopper1!", vec!["password_context_word"]),
        (service.as_str(), vec!["password_context_word"]),
        (too_long.as_str(), vec!["password_too_long"]),
    ] {
        let person = Person {
            password: password.into(),
            ..Person::new()
        };
        let refused = app.create(user_type, &person).await;
        let refused = refused.expect_problem(422, "validation_failed");
        let expected: Vec<_> = codes
            .into_iter()
            .map(|code| ("password".to_owned(), code.to_owned()))
            .collect();
        assert_eq!(refused.errors(), expected, "{password:?}");
    }
}

async fn sign_in_without_remembering_lasts_a_day(app: &TestApp, user_type: &str) {
    let person = Person::new();
    app.join(user_type, &person).await;
    let day = Duration::from_hours(24);
    let members = [
        ("username", person.email.as_str()),
        ("password", person.password.as_str()),
        ("remember_me", "false"),
    ];
    let login = format!("/{user_type}/login");
    let answer = app.post(&login).form(&members).send().await.expect(200);
    assert_eq!(answer.json()["refresh_expires_in"], day.as_secs());
    let first = Pair::of(app, &answer);

    let almost = day.saturating_sub(Duration::from_mins(10));
    app.clock.advance(almost);
    let answer = app.refresh(user_type, &first.refresh).await.expect(200);
    assert_eq!(
        answer.json()["refresh_expires_in"],
        600,
        "refreshing makes it no longer"
    );
    assert_eq!(answer.json()["expires_in"], 600, "nor does an access token outlive it");
    let second = Pair::of(app, &answer);
    app.clock.advance(day.saturating_sub(almost));
    app.refresh(user_type, &second.refresh)
        .await
        .expect_problem(401, "invalid_refresh_token");
    app.profile(user_type, &second.access)
        .await
        .expect_problem(401, "invalid_token");
}

async fn members_of_oauth_forms_are_accepted(app: &TestApp, user_type: &str) {
    let person = Person::new();
    app.join(user_type, &person).await;
    let login = format!("/{user_type}/login");
    // What Swagger UI's dialogue sends.
    let members = [
        ("grant_type", "password"),
        ("username", person.email.as_str()),
        ("password", person.password.as_str()),
        ("scope", ""),
        ("client_id", "string"),
        ("client_secret", "string"),
    ];
    app.post(&login).form(&members).send().await.expect(200);
    let wrong = [("grant_type", "client_credentials"), members[1], members[2]];
    let refused = app.post(&login).form(&wrong).send().await;
    let refused = refused.expect_problem(422, "validation_failed");
    assert_eq!(
        refused.errors(),
        [("grant_type".to_owned(), "unsupported_grant_type".to_owned())]
    );
    assert_eq!(
        refused.member("error"),
        "unsupported_grant_type",
        "RFC 6749 section 5.2"
    );
    let empty = app.post(&login).send().await.expect_problem(422, "validation_failed");
    assert_eq!(empty.member("error"), "invalid_request");
}
