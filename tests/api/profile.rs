//! One's own profile: shown and changed.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;

use crate::support::{Pair, Person, TestApp, mobile, other};

cases! {
    a_profile_is_whole_and_holds_nothing_else
    any_field_changes_and_the_version_counts
    optional_fields_go_by_null_and_required_ones_stay
    a_profile_that_somebody_changed_meanwhile_is_not_overwritten
    read_only_members_may_come_back_but_not_change
    a_form_changes_what_json_changes
    another_address_waits_for_its_link_and_the_one_before_is_told
    an_address_that_somebody_has_gets_the_same_answer_and_its_owner_a_mail
    of_two_who_ask_for_one_address_the_first_to_confirm_has_it
    a_changed_address_voids_what_was_mailed_to_the_one_before
    another_address_or_number_needs_a_fresh_sign_in
    old_parameters_are_taken_where_they_are_ones_own
}

async fn a_profile_is_whole_and_holds_nothing_else(app: &TestApp, user_type: &str) {
    let person = Person::new().with_username();
    app.join(user_type, &person).await;
    let pair = app.login(user_type, &person).await;
    let profile = app.profile(user_type, &pair.access).await.expect(200).json();
    let names: BTreeSet<&str> = profile
        .as_object()
        .expect("members")
        .keys()
        .map(String::as_str)
        .collect();
    let expected = [
        "attributes",
        "country",
        "country_code",
        "created_at",
        "email",
        "first_name",
        "id",
        "is_email_verified",
        "is_phone_verified",
        "last_name",
        "mfa_enabled",
        "phone",
        "role",
        "updated_at",
        "username",
        "version",
    ];
    assert_eq!(names, BTreeSet::from(expected));
    for (name, value) in [
        ("username", json!(person.username)),
        ("email", json!(person.email)),
        ("phone", json!(person.phone)),
        ("country_code", json!("US")),
        ("country", json!("United States of America")),
        ("attributes", json!(null)),
        ("is_email_verified", json!(true)),
        ("is_phone_verified", json!(false)),
        ("mfa_enabled", json!(false)),
        ("role", json!("user")),
        ("version", json!(1)),
    ] {
        assert_eq!(profile[name], value, "{name}");
    }
    // With and without the slash, and neither redirects.
    let bare = app.get(&format!("/{user_type}")).bearer(&pair.access).send().await;
    assert_eq!(bare.expect(200).json(), profile);
    app.get(&format!("/{user_type}"))
        .send()
        .await
        .expect_problem(401, "missing_token");
}

async fn any_field_changes_and_the_version_counts(app: &TestApp, user_type: &str) {
    let (_, pair) = app.member(user_type).await;
    app.clock.advance(Duration::from_secs(1));
    let before = app.profile(user_type, &pair.access).await.json();
    let change = json!({
        "first_name": "Ada", "last_name": "King", "phone": "030 901820", "country_code": "DE", "username": "Ada.King",
    });
    let answer = app.update(user_type, &pair.access, &change).await.expect(200).json();
    for (name, value) in [
        ("first_name", json!("Ada")),
        ("last_name", json!("King")),
        ("phone", json!("+4930901820")),
        ("country_code", json!("DE")),
        ("username", json!("Ada.King")),
        ("version", json!(2)),
        ("email", before["email"].clone()),
        ("created_at", before["created_at"].clone()),
    ] {
        assert_eq!(answer[name], value, "{name}");
    }
    assert_ne!(answer["updated_at"], before["updated_at"]);
    assert_eq!(app.profile(user_type, &pair.access).await.json(), answer);
    // What is refused changes nothing, and every mistake is named at once.
    let wrong =
        json!({ "first_name": "", "phone": "call me", "country_code": "ZZ", "username": "x", "nickname": "Ada" });
    let refused = app.update(user_type, &pair.access, &wrong).await;
    let named: Vec<String> = refused
        .expect_problem(422, "validation_failed")
        .errors()
        .into_iter()
        .map(|(field, _)| field)
        .collect();
    assert_eq!(named, ["country_code", "first_name", "nickname", "phone", "username"]);
    assert_eq!(app.profile(user_type, &pair.access).await.json(), answer);
    app.call("PUT", &format!("/{user_type}/update"))
        .json(&change)
        .send()
        .await
        .expect_problem(401, "missing_token");
}

async fn optional_fields_go_by_null_and_required_ones_stay(app: &TestApp, user_type: &str) {
    let person = Person::new().with_username();
    app.join(user_type, &person).await;
    let pair = app.login(user_type, &person).await;
    let gone = json!({ "phone": null, "country_code": null, "username": null });
    let profile = app.update(user_type, &pair.access, &gone).await.expect(200).json();
    for name in ["phone", "country_code", "country", "username"] {
        assert!(profile[name].is_null(), "{name}");
    }
    for name in ["first_name", "last_name", "email"] {
        let refused = app.update(user_type, &pair.access, &json!({ name: null })).await;
        let errors = refused.expect_problem(422, "validation_failed").errors();
        assert_eq!(errors, [(name.to_owned(), "missing".to_owned())]);
    }
    // The name is free again.
    let next = Person {
        username: person.username.clone(),
        ..Person::new()
    };
    app.join(user_type, &next).await;
    let username = next.username.as_deref().expect("one");
    app.sign_in(user_type, username, &next.password).await.expect(200);
}

async fn a_profile_that_somebody_changed_meanwhile_is_not_overwritten(app: &TestApp, user_type: &str) {
    let (_, pair) = app.member(user_type).await;
    let seen = app.profile(user_type, &pair.access).await.json()["version"].clone();
    let change = |name: &str| json!({ "first_name": name, "version": seen });
    app.update(user_type, &pair.access, &change("Ada")).await.expect(200);
    app.update(user_type, &pair.access, &change("Eve"))
        .await
        .expect_problem(409, "version_conflict");
    let profile = app.profile(user_type, &pair.access).await.json();
    assert_eq!(profile["first_name"], "Ada");
    // Without a version the last one wins.
    let blind = json!({ "first_name": "Joan" });
    app.update(user_type, &pair.access, &blind).await.expect(200);
}

async fn read_only_members_may_come_back_but_not_change(app: &TestApp, user_type: &str) {
    let (_, pair) = app.member(user_type).await;
    let profile = app.profile(user_type, &pair.access).await.expect(200).json();
    // A client that sends back what it read.
    app.update(user_type, &pair.access, &profile).await.expect(200);
    for (name, value) in [
        ("id", json!("usr_somebodyelse")),
        ("country", json!("Atlantis")),
        ("is_email_verified", json!(false)),
        ("is_phone_verified", json!(true)),
        ("mfa_enabled", json!(true)),
        ("role", json!("admin")),
        ("created_at", json!("1970-01-01T00:00:00Z")),
        ("updated_at", json!("1970-01-01T00:00:00Z")),
    ] {
        let change = json!({ name: value, "first_name": "Mallory" });
        let refused = app.update(user_type, &pair.access, &change).await;
        let errors = refused.expect_problem(422, "read_only").errors();
        assert_eq!(errors, [(name.to_owned(), "read_only".to_owned())]);
    }
    let after = app.profile(user_type, &pair.access).await.json();
    assert_eq!(
        (&after["first_name"], &after["role"]),
        (&json!("Grace"), &json!("user"))
    );
    // Nor is a password changed here.
    let change = json!({ "password": "An0ther-S3cret" });
    let refused = app.update(user_type, &pair.access, &change).await;
    let errors = refused.expect_problem(422, "validation_failed").errors();
    assert_eq!(errors, [("password".to_owned(), "unknown".to_owned())]);
}

async fn a_form_changes_what_json_changes(app: &TestApp, user_type: &str) {
    let (_, pair) = app.member(user_type).await;
    let form = |version: &'static str| {
        app.call("PUT", &format!("/{user_type}/update"))
            .bearer(&pair.access)
            .form(&[("first_name", "Tom & Jerry"), ("version", version)])
    };
    let profile = form("1").send().await.expect(200).json();
    assert_eq!(
        (&profile["first_name"], &profile["version"]),
        (&json!("Tom & Jerry"), &json!(2))
    );
    form("1").send().await.expect_problem(409, "version_conflict");
    // A form has no booleans and no numbers: what it sends back is text.
    app.call("PUT", &format!("/{user_type}/update"))
        .bearer(&pair.access)
        .form(&[
            ("is_email_verified", "true"),
            ("mfa_enabled", "false"),
            ("role", "user"),
        ])
        .send()
        .await
        .expect(200);
    app.call("PUT", &format!("/{user_type}/update"))
        .bearer(&pair.access)
        .form(&[("is_phone_verified", "true")])
        .send()
        .await
        .expect_problem(422, "read_only");
}

async fn another_address_waits_for_its_link_and_the_one_before_is_told(app: &TestApp, user_type: &str) {
    let (person, pair) = app.member(user_type).await;
    let new = Person {
        email: Person::new().email,
        ..person.clone()
    };
    let change = json!({ "email": new.email });
    let answer = app.update(user_type, &pair.access, &change).await.expect(200).json();
    assert_eq!(answer["email"], person.email.as_str(), "not before the link");
    app.sign_in(user_type, &new.email, &new.password)
        .await
        .expect_problem(401, "invalid_credentials");
    let link = app.next_link(&new).await;
    app.confirm(other(user_type), &link)
        .await
        .expect_problem(400, "link_invalid");
    // A scanner that opens it changes nothing.
    let page = format!("/{user_type}/verify?token={link}");
    app.get(&page).accept("*/*").send().await.expect(200);
    let still = app.profile(user_type, &pair.access).await.json();
    assert_eq!(still["email"], person.email.as_str());

    app.confirm(user_type, &link).await.expect(200);
    let after = app.profile(user_type, &pair.access).await.expect(200).json();
    assert_eq!(after["email"], new.email.as_str());
    assert_eq!(after["is_email_verified"], true);
    let notice = app.next_mail(&person.email).await;
    assert!(notice.subject.contains("another address"), "{notice:?}");
    assert_eq!(notice.link(), None, "nothing in it helps whoever reads the old mailbox");
    assert!(
        !notice.raw.contains(&new.email),
        "the new address is not told: {}",
        notice.raw
    );
    app.confirm(user_type, &link).await.expect_problem(400, "link_invalid");
    app.login(user_type, &new).await;
    app.sign_in(user_type, &person.email, &person.password)
        .await
        .expect_problem(401, "invalid_credentials");
    // The address before is free.
    app.join(user_type, &person.rival()).await;
}

async fn an_address_that_somebody_has_gets_the_same_answer_and_its_owner_a_mail(app: &TestApp, user_type: &str) {
    let (_, pair) = app.member(user_type).await;
    let (owner, _) = app.member(user_type).await;
    let nobody = Person::new();
    let ask = async |email: &str| {
        let (status, names, mut body) = app
            .update(user_type, &pair.access, &json!({ "email": email }))
            .await
            .shape();
        body["version"].take();
        (status, names, body)
    };
    let taken = ask(&owner.email).await;
    let told = app.next_mail(&owner.email).await;
    assert_eq!(ask(&nobody.email).await, taken);
    assert!(told.subject.contains("already have an account"), "{told:?}");
    assert_eq!(told.link(), None);
    app.next_link(&nobody).await;
    app.login(user_type, &owner).await;
}

async fn of_two_who_ask_for_one_address_the_first_to_confirm_has_it(app: &TestApp, user_type: &str) {
    let (one, its) = app.member(user_type).await;
    let (two, theirs) = app.member(user_type).await;
    let wanted = Person::new();
    let change = json!({ "email": wanted.email });
    app.update(user_type, &its.access, &change).await.expect(200);
    let first = app.next_link(&wanted).await;
    app.update(user_type, &theirs.access, &change).await.expect(200);
    let second = app.next_link(&wanted).await;
    app.confirm(user_type, &second).await.expect(200);
    app.confirm(user_type, &first).await.expect_problem(400, "link_invalid");
    let emails = [
        app.profile(user_type, &its.access).await.member("email"),
        app.profile(user_type, &theirs.access).await.member("email"),
    ];
    assert_eq!(emails, [one.email, wanted.email]);
    app.sign_in(user_type, &two.email, &two.password).await.expect(401);
}

async fn a_changed_address_voids_what_was_mailed_to_the_one_before(app: &TestApp, user_type: &str) {
    let (person, pair) = app.member(user_type).await;
    let new = Person {
        email: Person::new().email,
        ..person.clone()
    };
    app.forget(user_type, &person.email).await.expect(202);
    let reset = app.next_link(&person).await;
    app.update(user_type, &pair.access, &json!({ "email": new.email }))
        .await
        .expect(200);
    let link = app.next_link(&new).await;
    app.confirm(user_type, &link).await.expect(200);
    app.reset(user_type, &reset, "An0ther-S3cret-of-theirs")
        .await
        .expect_problem(400, "link_invalid");
    app.login(user_type, &new).await;
}

async fn another_address_or_number_needs_a_fresh_sign_in(app: &TestApp, user_type: &str) {
    let (person, pair) = app.member(user_type).await;
    let refreshed = app.refresh(user_type, &pair.refresh).await.expect(200);
    app.clock.advance(Duration::from_mins(5));
    // A refresh is no sign-in.
    let pair = Pair::of(app, &refreshed);
    for change in [
        json!({ "email": Person::new().email }),
        json!({ "email": person.email.to_uppercase() }),
        json!({ "phone": mobile() }),
        json!({ "phone": null }),
    ] {
        let stale = app.update(user_type, &pair.access, &change).await;
        let stale = stale.expect_problem(401, "insufficient_user_authentication");
        let challenge = stale.header("www-authenticate");
        assert!(challenge.contains("insufficient_user_authentication") && challenge.contains("max_age=300"));
    }
    // What is as it was needs none.
    let same = json!({ "email": person.email, "phone": person.phone, "last_name": "King" });
    app.update(user_type, &pair.access, &same).await.expect(200);
    let fresh = app.login(user_type, &person).await;
    // Another spelling is the same mailbox: nothing is mailed.
    let spelt = json!({ "email": person.email.to_uppercase() });
    let mails = app.all_mails(&person.email).await.len();
    let profile = app.update(user_type, &fresh.access, &spelt).await.expect(200);
    assert_eq!(profile.member("email"), person.email.to_uppercase());
    assert_eq!(app.all_mails(&person.email).await.len(), mails);
    assert_eq!(app.mails(&person.email.to_uppercase()).len(), 0);
    app.login(user_type, &person).await;
    app.update(user_type, &fresh.access, &json!({ "phone": mobile() }))
        .await
        .expect(200);
}

async fn old_parameters_are_taken_where_they_are_ones_own(app: &TestApp, user_type: &str) {
    let (person, pair) = app.member(user_type).await;
    let (stranger, _) = app.member(user_type).await;
    let id = app.profile(user_type, &pair.access).await.member("id");
    let phone = person.phone.replace('+', "%2B");
    for own in [
        format!("id={id}"),
        format!("email={}", person.email.to_uppercase()),
        format!("phone={phone}"),
        format!("id={id}&email={}&phone={phone}", person.email),
    ] {
        let answer = app
            .get(&format!("/{user_type}/?{own}"))
            .bearer(&pair.access)
            .send()
            .await;
        assert_eq!(answer.expect(200).member("id"), id);
    }
    for foreign in [
        format!("id={id}x"),
        "id=".to_owned(),
        format!("email={}", stranger.email),
        "email=nonsense".to_owned(),
        format!("phone={}", mobile().replace('+', "%2B")),
        format!("id={id}&email={}", stranger.email),
        format!("id={id}&id=usr_other"),
    ] {
        for (method, path) in [("GET", ""), ("PUT", "update"), ("GET", "logout"), ("DELETE", "delete")] {
            let call = app.call(method, &format!("/{user_type}/{path}?{foreign}"));
            let answer = call.bearer(&pair.access).send().await;
            answer.expect_problem(403, "not_own_account");
        }
    }
    app.profile(user_type, &pair.access).await.expect(200);
}
