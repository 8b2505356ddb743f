//! A user type's own fields, and usernames that change.

use serde_json::json;

use crate::support::{Pair, Person, Setup, StoreSet, TestApp};

cases! {
    without_a_schema_there_are_none
    a_changed_username_signs_in_and_a_taken_one_is_told
}

cases_per_store! {
    attributes_are_checked_sealed_and_shown
}

const SCHEMA: &str = r#"{
    "type": "object",
    "properties": {
        "newsletter": { "type": "boolean" },
        "shoe_size": { "type": "integer", "minimum": 30, "maximum": 50 },
        "address": { "type": "object", "properties": { "city": { "type": "string" } }, "additionalProperties": false }
    },
    "required": ["newsletter"],
    "additionalProperties": false
}"#;

async fn attributes_are_checked_sealed_and_shown(stores: &StoreSet) {
    let setup = Setup::new(stores);
    let schema = setup.folder().join("attributes.json");
    std::fs::write(&schema, SCHEMA).expect("written");
    let app = setup
        .set("ATTRIBUTES_SCHEMA_User1", schema.to_string_lossy())
        .spawn()
        .await;
    let person = Person::new();
    let with = |attributes: &serde_json::Value| {
        let mut body = person.json();
        body["attributes"] = attributes.clone();
        app.post("/User1/create").json(&body)
    };
    for (wrong, code) in [
        (json!({}), "attributes_mismatch"),
        (json!({ "newsletter": "yes" }), "attributes_mismatch"),
        (json!({ "newsletter": true, "shoe_size": 51 }), "attributes_mismatch"),
        (json!({ "newsletter": true, "secret_sauce": 1 }), "attributes_mismatch"),
        (
            json!({ "newsletter": true, "address": { "planet": "Mars" } }),
            "attributes_mismatch",
        ),
        (
            json!({ "newsletter": true, "address": { "city": "x".repeat(17_000) } }),
            "attributes_too_large",
        ),
        (json!([]), "wrong_type"),
        (json!("newsletter"), "wrong_type"),
    ] {
        let refused = with(&wrong).send().await.expect_problem(422, "validation_failed");
        assert_eq!(
            refused.errors(),
            [("attributes".to_owned(), code.to_owned())],
            "{wrong}"
        );
        // Places are named, values are not; a request's id may hold any two digits.
        let text = refused.text().replace(&refused.member("request_id"), "");
        for value in ["yes", "51", "Mars", "secret_sauce"] {
            assert!(!text.contains(value), "{text}");
        }
    }
    let city = "K\u{F6}penick-Unmistakable";
    let attributes = json!({ "newsletter": true, "shoe_size": 43, "address": { "city": city } });
    with(&attributes).send().await.expect(201);
    let link = app.next_link(&person).await;
    app.confirm("User1", &link).await.expect(200);
    app.next_mail(&person.email).await;
    let pair = app.login("User1", &person).await;
    let profile = app.profile("User1", &pair.access).await.expect(200).json();
    assert_eq!(profile["attributes"], attributes);

    let next = json!({ "attributes": { "newsletter": false } });
    let profile = app.update("User1", &pair.access, &next).await.expect(200).json();
    assert_eq!(profile["attributes"], next["attributes"], "replaced whole");
    let wrong = json!({ "attributes": { "shoe_size": 40 } });
    let refused = app.update("User1", &pair.access, &wrong).await;
    assert_eq!(refused.expect(422).errors()[0].1, "attributes_mismatch");
    let none = json!({ "attributes": null });
    let profile = app.update("User1", &pair.access, &none).await.expect(200).json();
    assert!(profile["attributes"].is_null());

    // The other user type has none.
    let call = app.post("/User2/create");
    let mut body = person.json();
    body["attributes"] = attributes;
    let refused = call.json(&body).send().await.expect(422);
    assert_eq!(refused.errors()[0].1, "attributes_not_configured");
    app.shut_down().await;
}

async fn without_a_schema_there_are_none(app: &TestApp, user_type: &str) {
    let (_, pair) = app.member(user_type).await;
    let some = json!({ "attributes": { "shoe_size": 43 } });
    let refused = app.update(user_type, &pair.access, &some).await;
    let errors = refused.expect_problem(422, "validation_failed").errors();
    assert_eq!(
        errors,
        [("attributes".to_owned(), "attributes_not_configured".to_owned())]
    );
    for nothing in [json!({ "attributes": {} }), json!({ "attributes": null })] {
        app.update(user_type, &pair.access, &nothing).await.expect(200);
    }
}

async fn a_changed_username_signs_in_and_a_taken_one_is_told(app: &TestApp, user_type: &str) {
    let holder = Person::new().with_username();
    app.join(user_type, &holder).await;
    let taken = holder.username.as_deref().expect("one");
    let (person, pair) = app.member(user_type).await;
    let rename = |username: &str| json!({ "username": username, "first_name": "Renamed" });
    for spelling in [taken.to_owned(), taken.to_uppercase()] {
        app.update(user_type, &pair.access, &rename(&spelling))
            .await
            .expect_problem(409, "username_taken");
    }
    let profile = app.profile(user_type, &pair.access).await.json();
    assert_eq!(profile["first_name"], "Grace", "all of a change or nothing");
    for [username, spelling] in [["1000042", "1000042"], ["Ada.L", "aDA.l"]] {
        app.update(user_type, &pair.access, &rename(username)).await.expect(200);
        let answer = app.sign_in(user_type, spelling, &person.password).await.expect(200);
        let signed_in = Pair::of(app, &answer);
        let profile = app.profile(user_type, &signed_in.access).await.json();
        assert_eq!(
            (&profile["username"], &profile["email"]),
            (&json!(username), &json!(person.email))
        );
    }
    // The name before is nobody's.
    app.sign_in(user_type, "1000042", &person.password)
        .await
        .expect_problem(401, "invalid_credentials");
    for bad in ["ab", "a@b.example", "caf\u{E9}", "-dash", "two words", &"x".repeat(65)] {
        let refused = app.update(user_type, &pair.access, &json!({ "username": bad })).await;
        let errors = refused.expect_problem(422, "validation_failed").errors();
        assert_eq!(errors[0].0, "username", "{bad}");
    }
}
