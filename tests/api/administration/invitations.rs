//! Accounts that administrators make for somebody.

use std::time::Duration;

use futures_util::future::join_all;
use sealgate::domain::audit::AuditEvent;
use serde_json::{Value, json};

use super::{Administrator, administrator, member, of, send};
use crate::support::{Answer, Person, TestApp};

cases! {
    an_invited_account_is_nobodys_until_its_link_set_a_password
    an_invitation_is_mailed_again_and_the_link_before_is_dead
    an_invitation_ends_and_a_lock_ends_it
    whoever_registered_the_address_before_waits_in_vain
    what_is_taken_is_told
    a_registration_that_waits_gets_its_link_again
    an_invitation_under_one_key_is_one_account
}

/// As an invitation takes it.
fn body(person: &Person) -> Value {
    let mut body = person.json();
    body.as_object_mut().expect("an object").remove("password");
    body
}

async fn invite(app: &TestApp, user_type: &str, by: &Administrator, person: &Person) -> Answer {
    app.keep_secret(&person.email);
    let path = format!("/{user_type}/admin/accounts");
    send(app, "POST", &path, by, Some(&body(person))).await
}

fn invited(answer: &Answer, person: &Person, by: &Administrator) -> Administrator {
    Administrator {
        id: answer.member("id"),
        person: person.clone(),
        pair: by.pair.clone(),
    }
}

async fn an_invited_account_is_nobodys_until_its_link_set_a_password(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let person = Person::new().with_username();
    let answer = invite(app, user_type, &admin, &person).await.expect(201);
    let shown = answer.json();
    assert_eq!(
        (&shown["is_invited"], &shown["is_email_verified"], &shown["role"]),
        (&json!(true), &json!(false), &json!("user"))
    );
    let mail = app.next_mail(&person.email).await;
    assert!(mail.text.contains("made an account for this address"), "{mail:?}");
    app.sign_in(user_type, &person.email, &person.password)
        .await
        .expect_problem(401, "invalid_credentials");
    // It sets a password and does nothing else.
    let token = mail.token();
    app.confirm(user_type, &token).await.expect_problem(400, "link_invalid");
    app.reset(user_type, &token, "short")
        .await
        .expect_problem(422, "validation_failed");
    app.reset(crate::support::other(user_type), &token, &person.password)
        .await
        .expect(400);
    app.reset(user_type, &token, &person.password).await.expect(200);
    app.reset(user_type, &token, &person.rival().password)
        .await
        .expect_problem(400, "link_invalid");
    let pair = app.login(user_type, &person).await;
    let profile = app.profile(user_type, &pair.access).await.expect(200).json();
    assert_eq!(
        (&profile["id"], &profile["is_email_verified"], &profile["role"]),
        (&shown["id"], &json!(true), &json!("user"))
    );
    assert_eq!(profile["username"], json!(person.username));
    let again = of(user_type, &invited(&answer, &person, &admin), "/resend");
    send(app, "POST", &again, &admin, None)
        .await
        .expect_problem(409, "nothing_to_resend");
    let noted = app.audit(user_type).await;
    let noted = noted.iter().find(|entry| entry.event == AuditEvent::AccountInvited);
    assert_eq!(noted.expect("noted").details.get("by"), Some(admin.id.as_str()));
}

async fn an_invitation_is_mailed_again_and_the_link_before_is_dead(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let person = Person::new();
    let answer = invite(app, user_type, &admin, &person).await.expect(201);
    let first = app.next_link(&person).await;
    let path = of(user_type, &invited(&answer, &person, &admin), "/resend");
    send(app, "POST", &path, &admin, None).await.expect(202);
    let second = app.next_link(&person).await;
    app.reset(user_type, &first, &person.password).await.expect(400);
    app.reset(user_type, &second, &person.password).await.expect(200);
    app.login(user_type, &person).await;
}

async fn an_invitation_ends_and_a_lock_ends_it(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let person = Person::new();
    let answer = invite(app, user_type, &admin, &person).await.expect(201);
    let account = invited(&answer, &person, &admin);
    let link = app.next_link(&person).await;
    send(app, "POST", &of(user_type, &account, "/lock"), &admin, None)
        .await
        .expect(200);
    app.reset(user_type, &link, &person.password).await.expect(400);
    send(app, "POST", &of(user_type, &account, "/resend"), &admin, None)
        .await
        .expect_problem(409, "nothing_to_resend");
    send(app, "POST", &of(user_type, &account, "/unlock"), &admin, None)
        .await
        .expect(200);
    app.reset(user_type, &link, &person.password).await.expect(400);
    let second = Person::new();
    invite(app, user_type, &admin, &second).await.expect(201);
    let link = app.next_link(&second).await;
    app.clock.advance(Duration::from_hours(72));
    app.reset(user_type, &link, &second.password).await.expect(400);
    // Later, a forgotten password does it.
    app.forget(user_type, &second.email).await.expect(202);
    let link = app.next_link(&second).await;
    app.reset(user_type, &link, &second.password).await.expect(200);
}

async fn whoever_registered_the_address_before_waits_in_vain(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let person = Person::new();
    let planted = app.register(user_type, &person.rival()).await;
    invite(app, user_type, &admin, &person).await.expect(201);
    let link = app.next_link(&person).await;
    app.confirm(user_type, &planted).await.expect(400);
    let rival = person.rival();
    app.sign_in(user_type, &rival.email, &rival.password).await.expect(401);
    app.reset(user_type, &link, &person.password).await.expect(200);
    app.sign_in(user_type, &rival.email, &rival.password).await.expect(401);
    app.login(user_type, &person).await;
}

async fn what_is_taken_is_told(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let taken = Person::new().with_username();
    app.join(user_type, &taken).await;
    let same_address = Person {
        username: None,
        ..taken.clone()
    };
    invite(app, user_type, &admin, &same_address)
        .await
        .expect_problem(409, "address_taken");
    let same_name = Person {
        username: taken.username.clone(),
        ..Person::new()
    };
    invite(app, user_type, &admin, &same_name)
        .await
        .expect_problem(409, "username_taken");
    assert_eq!(app.all_mails(&same_name.email).await.len(), 0);
}

async fn a_registration_that_waits_gets_its_link_again(app: &TestApp, user_type: &str) {
    let admin = administrator(app, user_type).await;
    let person = Person::new();
    let id = app.create(user_type, &person).await.expect(201).member("id");
    let first = app.next_link(&person).await;
    let path = format!("/{user_type}/admin/accounts/{id}/resend");
    send(app, "POST", &path, &admin, None).await.expect(202);
    let second = app.next_link(&person).await;
    app.confirm(user_type, &first).await.expect(400);
    app.confirm(user_type, &second).await.expect(200);
    send(app, "POST", &path, &admin, None)
        .await
        .expect_problem(409, "nothing_to_resend");
    // It was no account until then.
    let target = member(app, user_type).await;
    send(app, "POST", &of(user_type, &target, "/resend"), &admin, None)
        .await
        .expect_problem(409, "nothing_to_resend");
}

async fn an_invitation_under_one_key_is_one_account(app: &TestApp, user_type: &str) {
    let (admin, colleague) = (administrator(app, user_type).await, administrator(app, user_type).await);
    let (person, another) = (Person::new(), Person::new());
    app.keep_secret(&person.email);
    let path = format!("/{user_type}/admin/accounts");
    let ask = async |by: &Administrator, key: &str, person: &Person| {
        let call = app.post(&path).bearer(&by.pair.access).header("idempotency-key", key);
        call.json(&body(person)).send().await
    };
    let answers = join_all((0..5).map(|_| ask(&admin, "one", &person))).await;
    let mut ids = Vec::new();
    for answer in answers {
        match answer.status {
            201 => ids.push(answer.member("id")),
            _ => drop(answer.expect_problem(409, "request_in_progress")),
        }
    }
    assert!(!ids.is_empty() && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let again = ask(&admin, "one", &person).await.expect(201);
    assert_eq!(
        (again.member("id"), &again.json()["is_invited"]),
        (ids[0].clone(), &json!(true))
    );
    ask(&admin, "one", &another)
        .await
        .expect_problem(422, "idempotency_key_reused");
    // A key is its administrator's own.
    ask(&colleague, "one", &person)
        .await
        .expect_problem(409, "address_taken");
    // What was refused may come again, mended.
    ask(&admin, "two", &person).await.expect_problem(409, "address_taken");
    ask(&admin, "two", &another).await.expect(201);
    assert_eq!(app.all_mails(&person.email).await.len(), 1);
    // As it is now: nothing is left of one that was deleted since.
    let account = invited(&again, &person, &admin);
    send(app, "DELETE", &of(user_type, &account, ""), &admin, None)
        .await
        .expect(200);
    let gone = ask(&admin, "one", &person).await.expect(201);
    assert_eq!(gone.member("id"), ids[0]);
}
