//! Defects of the list that only an account's own routes can have: change, text, reset, deletion.

use serde_json::json;

use crate::support::{BROWSER, Pair, Person, TestApp, logged, mobile};

cases! {
    defect_12_nothing_of_a_change_a_text_a_reset_or_a_deletion_is_logged
    defect_17_a_new_password_that_looks_like_a_hash_is_hashed
    defect_26_a_password_changes_by_its_owners_link_and_after_any_failure_only_theirs
}

async fn defect_12_nothing_of_a_change_a_text_a_reset_or_a_deletion_is_logged(app: &TestApp, user_type: &str) {
    let number = app.address.port();
    let person = Person {
        first_name: "Wilhelmina".into(),
        last_name: "Featherstonehaugh".into(),
        email: format!("wilhelmina.{user_type}.{number}@featherstonehaugh.example"),
        ..Person::new().with_username().with_mobile()
    };
    let new = format!("mina.{user_type}.{number}@featherstonehaugh.example");
    let (other_number, new_password) = (mobile(), format!("Unguess4ble-{number}!"));
    app.join(user_type, &person).await;
    let pair = app.login(user_type, &person).await;
    let challenge = app
        .ask_code(user_type, &pair.access, &json!({}))
        .await
        .expect(202)
        .member("otp");
    let code = app.next_code(&person.phone).await;
    let path = format!("/{user_type}/verify_otp_phone?token={challenge}&otp={code}");
    app.get(&path).bearer(&pair.access).send().await.expect(200);
    let change = json!({ "email": new, "phone": other_number, "first_name": "Mina" });
    app.update(user_type, &pair.access, &change).await.expect(200);
    let changing = app.next_mail(&new).await.token();
    app.confirm(user_type, &changing).await.expect(200);
    app.next_mail(&person.email).await;
    app.get(&format!("/{user_type}/forget_password?email={new}"))
        .send()
        .await
        .expect(202);
    let reset = app.next_mail(&new).await.token();
    let form = format!("/{user_type}/reset_password_form?token={reset}");
    app.get(&form).accept(BROWSER).send().await.expect(200);
    app.post(&format!("/{user_type}/reset_password?token={reset}"))
        .form(&[("password", &new_password)])
        .send()
        .await
        .expect(200);
    let pair = Pair::of(app, &app.sign_in(user_type, &new, &new_password).await.expect(200));
    let receipt = app
        .delete(
            user_type,
            &pair.access,
            &json!({ "password": new_password, "email": new }),
        )
        .await
        .expect(200)
        .member("receipt");
    app.settle().await;

    let log = logged();
    for path in [
        "update",
        "otp_phone",
        "verify_otp_phone",
        "forget_password",
        "reset_password",
        "delete",
    ] {
        assert!(
            log.contains(&format!("path=/{user_type}/{path}")),
            "requests are logged"
        );
    }
    let audit = serde_json::to_string(&app.audit(user_type).await).expect("JSON");
    for personal in [
        &person.email,
        &new,
        &person.phone,
        &other_number,
        &person.last_name,
        person.username.as_ref().expect("one"),
        &person.password,
        &new_password,
        &changing,
        &reset,
        &receipt,
        &pair.access,
    ] {
        let told = log.lines().find(|line| line.contains(personal.as_str()));
        assert_eq!(told, None, "{personal} is logged");
        assert!(!audit.contains(personal.as_str()), "{personal} is audited");
    }
    let told = log
        .lines()
        .find(|line| line.contains(&format!("otp={code}")) || line.contains(&format!("\"{code}\"")));
    assert_eq!(told, None, "the code is logged");
}

async fn defect_17_a_new_password_that_looks_like_a_hash_is_hashed(app: &TestApp, user_type: &str) {
    let hash = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    let (person, _) = app.member(user_type).await;
    app.forget(user_type, &person.email).await.expect(202);
    let token = app.next_link(&person).await;
    app.reset(user_type, &token, hash).await.expect(200);
    app.sign_in(user_type, &person.email, "U*U")
        .await
        .expect_problem(401, "invalid_credentials");
    app.sign_in(user_type, &person.email, hash).await.expect(200);
}

async fn defect_26_a_password_changes_by_its_owners_link_and_after_any_failure_only_theirs(
    app: &TestApp,
    user_type: &str,
) {
    let holder = Person::new().with_username();
    app.join(user_type, &holder).await;
    let (before, _) = app.member(user_type).await;
    // A duplicate that fails, and one that comes to nothing.
    let duplicate = Person {
        username: holder.username.clone(),
        ..Person::new()
    };
    app.create(user_type, &duplicate)
        .await
        .expect_problem(409, "username_taken");
    app.create(user_type, &before.rival()).await.expect(201);
    app.settle().await;
    let (after, pair) = app.member(user_type).await;
    let everybody = [&holder, &before, &after];

    // A session alone changes no password, whatever the member is called.
    for change in [
        json!({ "password": "An0ther-S3cret" }),
        json!({ "new_password": "An0ther-S3cret" }),
        json!({ "password_hash": "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAA" }),
    ] {
        app.update(user_type, &pair.access, &change)
            .await
            .expect_problem(422, "validation_failed");
    }
    for person in everybody {
        app.login(user_type, person).await;
    }
    // Each one's link changes that one's.
    for (number, person) in everybody.into_iter().enumerate() {
        app.forget(user_type, &person.email).await.expect(202);
        let mail = app.next_mail(&person.email).await;
        let mail = if mail.link().is_some() {
            mail
        } else {
            app.next_mail(&person.email).await
        };
        let new = format!("Qu1te-another-{number}!");
        app.reset(user_type, &mail.token(), &new).await.expect(200);
        app.sign_in(user_type, &person.email, &new).await.expect(200);
        for other in everybody.into_iter().skip(number + 1) {
            app.login(user_type, other).await;
        }
    }
}
