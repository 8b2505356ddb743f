//! Deleting one's account.

use std::time::Duration;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use data_encoding::BASE64URL_NOPAD;
use sealgate::{
    domain::audit::{AuditEvent, Outcome},
    storage::Ref,
};
use serde_json::json;

use crate::support::{Forger, Pair, Person, TestApp, logged, other, part};

cases! {
    a_deletion_leaves_nothing_and_its_receipt_is_signed
    a_deletion_takes_the_password_or_a_fresh_sign_in
    defect_05_nobody_deletes_an_account_by_its_id
    defect_19_a_deleted_person_is_gone_and_may_register_again
    what_was_mailed_before_is_worth_nothing_after
}

async fn a_deletion_leaves_nothing_and_its_receipt_is_signed(app: &TestApp, user_type: &str) {
    let person = Person::new().with_username().with_mobile();
    app.join(user_type, &person).await;
    let pair = app.login(user_type, &person).await;
    let other_session = app.login(user_type, &person).await;
    let id = app.profile(user_type, &pair.access).await.member("id");
    app.ask_code(user_type, &pair.access, &json!({})).await.expect(202);
    app.next_code(&person.phone).await;

    let answer = app
        .delete(user_type, &pair.access, &json!({ "password": person.password }))
        .await
        .expect(200);
    answer.member("message");
    let receipt = answer.member("receipt");
    let (header, claims) = (part(&receipt, 0), part(&receipt, 1));
    assert_eq!(header["typ"], "erasure-receipt+jwt");
    assert_eq!(header["alg"], "EdDSA");
    assert!(header["kid"].is_string());
    assert_eq!(claims["sub"], id.as_str());
    assert_eq!(claims["ut"], user_type);
    assert_eq!(claims["erased"], "account");
    assert_eq!(claims["keys"], json!(["1"]));
    assert!(claims["iat"].is_i64());
    assert_eq!(claims["iss"], part(&pair.access, 1)["iss"]);
    // Anybody with the public half of the token key can verify it, and it opens nothing.
    let (signed, signature) = receipt.rsplit_once('.').expect("three parts");
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base64url");
    UnparsedPublicKey::new(&ED25519, Forger::of(app).await.public)
        .verify(signed.as_bytes(), &signature)
        .expect("signed with the token key");
    app.profile(user_type, &receipt)
        .await
        .expect_problem(401, "invalid_token");

    for pair in [&pair, &other_session] {
        app.profile(user_type, &pair.access)
            .await
            .expect_problem(401, "invalid_token");
        let refused = app.refresh(user_type, &pair.refresh).await;
        refused.expect_problem(401, "invalid_refresh_token");
        let again = app.delete(user_type, &pair.access, &json!({})).await;
        again.expect_problem(401, "invalid_token");
    }
    app.settle().await;
    let stores = app.open_stores().await;
    let key = Ref::new(&user_type.parse().expect("a user type"), id.parse().expect("an id"));
    assert!(stores.accounts.find(&key).await.expect("a store").is_none());
    assert!(
        stores.deks.find(&key).await.expect("a store").is_none(),
        "the keys are gone"
    );
    assert!(stores.registrations.find(&key).await.expect("a store").is_none());
    let sessions = stores.sessions.ids_of_account(&key, 10).await.expect("a store");
    assert_eq!(sessions, []);

    // The audit keeps what happened to that id, and the log nothing of the person.
    let audit = app.audit(user_type).await;
    let erased = audit.iter().find(|entry| entry.event == AuditEvent::AccountErased);
    let erased = erased.expect("it is noted");
    assert_eq!(
        (erased.account_id.as_ref(), erased.outcome),
        (Some(&key.id), Outcome::Success)
    );
    let kept = serde_json::to_string(&audit).expect("JSON") + &logged();
    for personal in [
        &person.email,
        &person.phone,
        person.username.as_ref().expect("one"),
        &receipt,
    ] {
        assert!(!kept.contains(personal.as_str()), "{personal} is kept");
    }
}

async fn a_deletion_takes_the_password_or_a_fresh_sign_in(app: &TestApp, user_type: &str) {
    let (person, pair) = app.member(user_type).await;
    app.clock.advance(Duration::from_mins(5));
    let path = format!("/{user_type}/delete");
    let bare = app.call("DELETE", &path).bearer(&pair.access).send().await;
    let bare = bare.expect_problem(401, "insufficient_user_authentication");
    assert!(bare.header("www-authenticate").contains("max_age=300"));
    app.delete(user_type, &pair.access, &json!({ "password": "not-Their-0ne" }))
        .await
        .expect_problem(403, "wrong_password");
    app.call("DELETE", &path)
        .send()
        .await
        .expect_problem(401, "missing_token");
    let unknown = app.delete(user_type, &pair.access, &json!({ "passwort": "x" })).await;
    unknown.expect_problem(422, "validation_failed");
    app.profile(user_type, &pair.access).await.expect(200);
    let audit = app.audit(user_type).await;
    let last = audit.iter().rfind(|entry| entry.event == AuditEvent::AccountErased);
    assert_eq!(last.expect("noted").outcome, Outcome::Refused);
    // By form, too.
    let by_form = app.call("DELETE", &path).bearer(&pair.access);
    let by_form = by_form.form(&[("password", person.password.as_str())]).send().await;
    by_form.expect(200).member("receipt");

    // A fresh sign-in alone is enough; a refreshed one is not fresh.
    let (person, pair) = app.member(user_type).await;
    app.clock.advance(Duration::from_mins(5));
    let refreshed = Pair::of(app, &app.refresh(user_type, &pair.refresh).await.expect(200));
    app.delete(user_type, &refreshed.access, &json!({})).await.expect(401);
    let fresh = app.login(user_type, &person).await;
    app.call("DELETE", &path).bearer(&fresh.access).send().await.expect(200);
}

async fn defect_05_nobody_deletes_an_account_by_its_id(app: &TestApp, user_type: &str) {
    let (victim, theirs) = app.member(user_type).await;
    let (person, pair) = app.member(user_type).await;
    let id = app.profile(user_type, &theirs.access).await.member("id");
    let own_id = app.profile(user_type, &pair.access).await.member("id");
    let path = format!("/{user_type}/delete");
    for query in [
        format!("id={id}"),
        format!("email={}", victim.email),
        format!("id={own_id}&id={id}"),
    ] {
        let call = app.call("DELETE", &format!("{path}?{query}")).bearer(&pair.access);
        call.send().await.expect_problem(403, "not_own_account");
        let call = app.call("DELETE", &format!("{path}?{query}"));
        call.send().await.expect_problem(401, "missing_token");
    }
    for body in [
        json!({ "id": id }),
        json!({ "email": victim.email }),
        json!({ "id": own_id, "email": victim.email, "password": person.password }),
        json!({ "id": id, "email": person.email }),
    ] {
        let refused = app.delete(user_type, &pair.access, &body).await;
        refused.expect_problem(403, "not_own_account");
    }
    // Nor with a token of the other user type.
    app.delete(other(user_type), &pair.access, &json!({}))
        .await
        .expect_problem(401, "invalid_token");
    app.profile(user_type, &theirs.access).await.expect(200);
    app.profile(user_type, &pair.access).await.expect(200);
    // One's own, named every way.
    let body = json!({ "id": own_id, "email": person.email.to_uppercase(), "password": person.password });
    let call = app.call("DELETE", &format!("{path}?id={own_id}&email={}", person.email));
    call.bearer(&pair.access).json(&body).send().await.expect(200);
    app.login(user_type, &victim).await;
}

async fn defect_19_a_deleted_person_is_gone_and_may_register_again(app: &TestApp, user_type: &str) {
    let person = Person::new().with_username();
    app.join(user_type, &person).await;
    app.join(other(user_type), &person).await;
    let pair = app.login(user_type, &person).await;
    // However the address is spelt that comes with it.
    let body = json!({ "email": person.email.to_uppercase() });
    app.delete(user_type, &pair.access, &body).await.expect(200);
    let username = person.username.as_deref().expect("one");
    for identifier in [person.email.as_str(), &person.email.to_uppercase(), username] {
        app.sign_in(user_type, identifier, &person.password)
            .await
            .expect_problem(401, "invalid_credentials");
    }
    app.login(other(user_type), &person).await;
    let next = Person {
        username: person.username.clone(),
        ..person.rival()
    };
    app.join(user_type, &next).await;
    app.login(user_type, &next).await;
    app.sign_in(user_type, username, &next.password).await.expect(200);
    app.sign_in(user_type, &person.email, &person.password)
        .await
        .expect_problem(401, "invalid_credentials");
}

async fn what_was_mailed_before_is_worth_nothing_after(app: &TestApp, user_type: &str) {
    let person = Person::new().with_mobile();
    let confirmation = app.register(user_type, &person).await;
    app.confirm(user_type, &confirmation).await.expect(200);
    app.next_mail(&person.email).await;
    let pair = app.login(user_type, &person).await;
    app.forget(user_type, &person.email).await.expect(202);
    let reset = app.next_link(&person).await;
    let new = Person {
        email: Person::new().email,
        ..person.clone()
    };
    let change = json!({ "email": new.email });
    app.update(user_type, &pair.access, &change).await.expect(200);
    let change = app.next_link(&new).await;
    app.delete(user_type, &pair.access, &json!({})).await.expect(200);
    app.settle().await;
    for token in [&confirmation, &change] {
        app.confirm(user_type, token).await.expect_problem(400, "link_invalid");
    }
    app.reset(user_type, &reset, "Qu1te-another-0ne!")
        .await
        .expect_problem(400, "link_invalid");
    app.forget(user_type, &person.email).await.expect(202);
    let mails = app.all_mails(&person.email).await.len();
    assert_eq!(mails, 3, "link, welcome, reset; nothing after the deletion");
}
