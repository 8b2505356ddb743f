//! Bodies that are not as they should be: refused with everything that is wrong at once, and nothing echoed.

use serde_json::json;

use crate::support::{Answer, PASSWORD, Person, TestApp, repeated};

cases! {
    every_mistake_of_a_create_is_told_at_once
    values_of_a_wrong_type_are_told
    unknown_and_repeated_members_are_told
    a_body_that_is_not_json_is_refused
    a_form_that_is_not_utf_8_is_refused
    an_empty_body_is_no_body_whatever_its_type
    a_body_of_another_type_is_refused
    json_that_was_sent_as_a_form_is_not_repeated
    numbers_and_nesting_of_any_size_do_no_harm
    a_body_of_thousands_of_members_is_refused_at_once
    phones_and_countries_are_read_strictly
}

/// Routes that take a body: path, whether a form will do, and a member that it needs.
const ROUTES: [(&str, bool, &str); 5] = [
    ("create", false, "email"),
    ("login", true, "username"),
    ("verify", true, "token"),
    ("refresh-token", true, "refresh_token"),
    ("resend-verification", true, "email"),
];

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// What `errors` of a 422 holds.
#[track_caller]
fn told(answer: Answer, expected: &[(&str, &str)]) {
    let answer = answer.expect_problem(422, "validation_failed");
    let expected: Vec<_> = expected
        .iter()
        .map(|(field, code)| ((*field).to_owned(), (*code).to_owned()))
        .collect();
    assert_eq!(answer.errors(), expected, "{}", answer.text());
}

async fn every_mistake_of_a_create_is_told_at_once(app: &TestApp, user_type: &str) {
    let create = format!("/{user_type}/create");
    let missing = [
        ("email", "missing"),
        ("first_name", "missing"),
        ("last_name", "missing"),
        ("password", "missing"),
    ];
    told(app.post(&create).json(&json!({})).send().await, &missing);
    let body = json!({ "first_name": null, "last_name": null, "email": null, "password": null, "phone": null });
    told(app.post(&create).json(&body).send().await, &missing);

    let body = json!({
        "first_name": " Grace",
        "email": "not-an-address",
        "phone": "+12-FLOWERS",
        "country_code": "Atlantis",
        "password": "short",
        "username": "a b",
        "nonsense": [1, 2],
    });
    let answer = app
        .post(&create)
        .json(&body)
        .send()
        .await
        .expect_problem(422, "validation_failed");
    let errors = answer.errors();
    let fields: Vec<&str> = errors.iter().map(|(field, _)| field.as_str()).collect();
    let expected = [
        "country_code",
        "email",
        "first_name",
        "last_name",
        "nonsense",
        "password",
        "password",
        "password",
        "password",
        "username",
    ];
    assert_eq!(fields, expected, "{}", answer.text());
    for error in answer.json()["errors"].as_array().expect("a list") {
        assert!(
            !error["detail"].as_str().unwrap_or_default().is_empty(),
            "says how to mend it: {error}"
        );
    }
    for value in ["not-an-address", "FLOWERS", "Atlantis", "a b"] {
        assert!(
            !answer.text().contains(value),
            "{value} is repeated in {}",
            answer.text()
        );
    }
}

async fn values_of_a_wrong_type_are_told(app: &TestApp, user_type: &str) {
    for value in [json!(1), json!(true), json!(1.5), json!(["x"]), json!({ "$ne": null })] {
        for (path, _, member) in ROUTES {
            let answer = app
                .post(&format!("/{user_type}/{path}"))
                .json(&json!({ member: value }))
                .send()
                .await;
            let answer = answer.expect_problem(422, "validation_failed");
            let wrong = (member.to_owned(), "wrong_type".to_owned());
            assert!(
                answer.errors().contains(&wrong),
                "{value} for {member}: {}",
                answer.text()
            );
        }
    }
    let body = json!({ "username": "x", "password": "y", "remember_me": "perhaps" });
    let login = format!("/{user_type}/login");
    told(
        app.post(&login).json(&body).send().await,
        &[("remember_me", "wrong_type")],
    );
}

async fn unknown_and_repeated_members_are_told(app: &TestApp, user_type: &str) {
    let login = format!("/{user_type}/login");
    let repeated = r#"{"username":"a@mail.example","password":"x","username":"b@mail.example","Username":"c"}"#;
    told(
        app.post(&login).body(JSON, repeated).send().await,
        &[("Username", "unknown"), ("username", "repeated")],
    );
    let repeated = "username=a%40mail.example&password=x&password=y&user%6Eame=b&zz=1";
    told(
        app.post(&login).body(FORM, repeated).send().await,
        &[("password", "repeated"), ("username", "repeated"), ("zz", "unknown")],
    );
    for (path, takes_form, member) in ROUTES {
        let path = format!("/{user_type}/{path}");
        let answer = app
            .post(&path)
            .json(&json!({ member: "x", "admin": true }))
            .send()
            .await;
        let unknown = ("admin".to_owned(), "unknown".to_owned());
        assert!(answer.errors().contains(&unknown), "{path}: {}", answer.text());
        if takes_form {
            let answer = app.post(&path).form(&[(member, "x"), ("admin", "true")]).send().await;
            assert!(answer.errors().contains(&unknown), "{path}: {}", answer.text());
        }
    }
}

async fn a_body_that_is_not_json_is_refused(app: &TestApp, user_type: &str) {
    let bodies: [&[u8]; 12] = [
        b"{",
        b"{\"email\":}",
        b"{\"email\":\"a@mail.example\",}",
        b"[]",
        b"[{\"email\":\"a@mail.example\"}]",
        b"\"email\"",
        b"null",
        b"7",
        b"{} {}",
        b"{\"email\":\"\xFF\xFE\"}",
        b"{\"email\":\"a\0b\"}",
        b"\xEF\xBB\xBF{}",
    ];
    for (path, _, _) in ROUTES {
        for body in bodies {
            let answer = app.post(&format!("/{user_type}/{path}")).body(JSON, body).send().await;
            answer.expect_problem(400, "malformed_body");
        }
    }
}

async fn a_form_that_is_not_utf_8_is_refused(app: &TestApp, user_type: &str) {
    for (path, takes_form, member) in ROUTES {
        for value in ["%ff", "%c3%28", "a%00b%fe"] {
            if takes_form {
                let body = format!("{member}={value}");
                let answer = app.post(&format!("/{user_type}/{path}")).body(FORM, body).send().await;
                answer.expect_problem(400, "malformed_body");
            }
        }
    }
    let login = format!("/{user_type}/login");
    let raw = app
        .post(&login)
        .body(FORM, b"username=\xFF&password=x".to_vec())
        .send()
        .await;
    raw.expect_problem(400, "malformed_body");
    // Half an escape is text.
    let half = app.post(&login).body(FORM, "username=100%&password=%zz").send().await;
    half.expect_problem(401, "invalid_credentials");
}

async fn an_empty_body_is_no_body_whatever_its_type(app: &TestApp, user_type: &str) {
    for (path, _, member) in ROUTES {
        let path = format!("/{user_type}/{path}");
        for call in [
            app.post(&path),
            app.post(&path).body(JSON, ""),
            app.post(&path).body(FORM, ""),
            app.post(&path).body("text/plain", ""),
        ] {
            let answer = call.send().await.expect_problem(422, "validation_failed");
            let missing = (member.to_owned(), "missing".to_owned());
            assert!(answer.errors().contains(&missing), "{}", answer.text());
        }
    }
}

async fn a_body_of_another_type_is_refused(app: &TestApp, user_type: &str) {
    for (path, takes_form, member) in ROUTES {
        let path = format!("/{user_type}/{path}");
        let body = json!({ member: "x" }).to_string();
        for content_type in [
            "text/plain",
            "application/xml",
            "multipart/form-data; boundary=x",
            "application/jsonp",
            "nonsense",
        ] {
            let answer = app.post(&path).body(content_type, body.clone()).send().await;
            answer.expect_problem(415, "unsupported_media_type");
        }
        let form = app.post(&path).form(&[(member, "x")]).send().await;
        assert_eq!(form.status == 415, !takes_form, "{path} as a form: {}", form.text());
        for content_type in ["application/json; charset=utf-8", "Application/JSON"] {
            let answer = app.post(&path).body(content_type, body.clone()).send().await;
            assert_ne!(answer.status, 415, "{content_type} is JSON: {}", answer.text());
        }
    }
}

async fn json_that_was_sent_as_a_form_is_not_repeated(app: &TestApp, user_type: &str) {
    // What curl does with `-d` and no content type: the whole body becomes the name of a member.
    let person = Person::new();
    app.join(user_type, &person).await;
    let short = json!({ "username": "g", "password": PASSWORD }).to_string();
    let login = json!({ "username": person.email, "password": person.password }).to_string();
    let token = app.login(user_type, &person).await.refresh;
    for (path, body) in [("login", short), ("login", login), ("refresh-token", token)] {
        let answer = app
            .post(&format!("/{user_type}/{path}"))
            .body(FORM, body.clone())
            .send()
            .await;
        let answer = answer.expect_problem(422, "validation_failed");
        assert!(
            answer.errors().iter().any(|(_, code)| code == "unknown"),
            "{}",
            answer.text()
        );
        let mut told = answer.json();
        told["instance"].take();
        for piece in [&body[..16], &person.email, PASSWORD] {
            assert!(!told.to_string().contains(piece), "{piece} is repeated in {told}");
        }
    }
}

async fn numbers_and_nesting_of_any_size_do_no_harm(app: &TestApp, user_type: &str) {
    let create = format!("/{user_type}/create");
    let person = Person::new().json().to_string();
    let with = |value: &str| person.replacen('{', &format!("{{\"extra\":{value},"), 1);
    for number in [
        "99999999999999999999",
        "-0",
        "1e308",
        "0.1e-400",
        "18446744073709551615",
    ] {
        told(
            app.post(&create).body(JSON, with(number)).send().await,
            &[("extra", "unknown")],
        );
    }
    for broken in ["1e999", "01", "+1", "NaN", "Infinity", "0x10"] {
        let answer = app.post(&create).body(JSON, with(broken)).send().await;
        answer.expect_problem(400, "malformed_body");
    }
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(100), close.repeat(100));
        told(
            app.post(&create).body(JSON, with(&deep)).send().await,
            &[("extra", "unknown")],
        );
        let abyss = open.repeat(60_000 / open.len());
        let answer = app.post(&create).body(JSON, abyss).send().await;
        answer.expect_problem(400, "malformed_body");
    }
}

async fn a_body_of_thousands_of_members_is_refused_at_once(app: &TestApp, user_type: &str) {
    let [json, form]: [String; 2] = [
        repeated(5000, |n| format!("\"m{n}\":{n},")),
        repeated(5000, |n| format!("m{n}={n}&")),
    ];
    let login = format!("/{user_type}/login");
    for (content_type, body) in [(JSON, format!("{{{json}\"z\":1}}")), (FORM, form)] {
        let answer = app.post(&login).body(content_type, body).send().await;
        let answer = answer.expect_problem(400, "malformed_body");
        assert!(
            answer.body.len() < 1000,
            "a line for each would be an answer of ten times the size"
        );
    }
}

async fn phones_and_countries_are_read_strictly(app: &TestApp, user_type: &str) {
    let create = format!("/{user_type}/create");
    for (phone, country, expected) in [
        (
            json!("+1 800 FLOWERS"),
            json!("US"),
            ("phone", "phone_invalid_character"),
        ),
        (
            json!("+\u{661}\u{662}\u{663}4567890"),
            json!("US"),
            ("phone", "phone_invalid_character"),
        ),
        (
            json!("+123\u{200B}4567890"),
            json!("US"),
            ("phone", "phone_invalid_character"),
        ),
        (json!("+123456"), json!(null), ("phone", "phone_too_short")),
        (json!("+1234567890123456"), json!(null), ("phone", "phone_too_long")),
        (json!("4155550123"), json!(null), ("phone", "phone_country_needed")),
        (
            json!("4155550123"),
            json!("Atlantis"),
            ("country_code", "country_code_invalid"),
        ),
    ] {
        let mut body = Person::new().json();
        (body["phone"], body["country_code"]) = (phone, country);
        told(app.post(&create).json(&body).send().await, &[expected]);
    }
    let person = Person {
        phone: "(415) 555-0123".into(),
        country_code: "+1".into(),
        ..Person::new()
    };
    app.join(user_type, &person).await;
    let pair = app.login(user_type, &person).await;
    let profile = app.profile(user_type, &pair.access).await.expect(200).json();
    assert_eq!(profile["phone"], "+14155550123", "in E.164");
}
