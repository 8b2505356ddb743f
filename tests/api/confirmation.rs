//! Before the address is confirmed there is no account, and nobody learns whose address is known.

use serde_json::Value;

use crate::support::{Answer, Person, TestApp, other};

cases! {
    until_the_link_is_used_only_the_right_password_learns_that_it_waits
    an_address_that_has_an_account_gets_the_same_answer_and_its_owner_a_mail
    an_address_is_one_address_in_whatever_case
    the_same_address_may_have_an_account_of_each_user_type
    a_taken_username_is_told_at_create
    a_username_that_was_lost_meanwhile_is_left_out
}

async fn until_the_link_is_used_only_the_right_password_learns_that_it_waits(app: &TestApp, user_type: &str) {
    let person = Person::new();
    let token = app.register(user_type, &person).await;
    let sign_in = async |password: &str| app.sign_in(user_type, &person.email, password).await;

    sign_in(&person.password)
        .await
        .expect_problem(403, "email_not_verified");
    sign_in("not-Their-passw0rd!")
        .await
        .expect_problem(401, "invalid_credentials");
    app.confirm(user_type, &token).await.expect(200);
    sign_in(&person.password).await.expect(200);
    sign_in("not-Their-passw0rd!")
        .await
        .expect_problem(401, "invalid_credentials");
}

/// A create's answer without the id, which is another every time.
fn created(answer: &Answer) -> (u16, Vec<String>, Value) {
    let (status, names, mut body) = answer.shape();
    let id = body["id"].take();
    assert!(id.as_str().is_some_and(|id| id.starts_with("usr_")), "{body}");
    (status, names.into_iter().collect(), body)
}

async fn an_address_that_has_an_account_gets_the_same_answer_and_its_owner_a_mail(app: &TestApp, user_type: &str) {
    let owner = Person::new();
    app.join(user_type, &owner).await;
    let stranger = owner.rival();

    let unknown = app.create(user_type, &Person::new()).await.expect(201);
    let taken = app.create(user_type, &stranger).await.expect(201);
    assert_eq!(created(&unknown), created(&taken), "a stranger can't tell them apart");

    let told = app.next_mail(&owner.email).await;
    assert_eq!(told.subject, "You already have an account with Sealgate");
    assert!(told.text.contains(&owner.first_name), "greets its owner: {}", told.text);
    assert!(
        !told.raw.contains(&stranger.first_name) && !told.html.contains(&stranger.first_name),
        "whatever the stranger typed in stays out: {}",
        told.raw
    );
    assert_eq!(told.link(), None, "nothing to click");

    app.sign_in(user_type, &owner.email, &stranger.password)
        .await
        .expect_problem(401, "invalid_credentials");
    let pair = app.login(user_type, &owner).await;
    let profile = app.profile(user_type, &pair.access).await.expect(200).json();
    assert_eq!(profile["first_name"], owner.first_name.as_str());
    assert_ne!(profile["id"], taken.json()["id"], "the id leads nowhere");
    let mails = app.all_mails(&owner.email).await;
    assert_eq!(mails.len(), 3, "link, welcome, notice: {mails:?}");
}

async fn an_address_is_one_address_in_whatever_case(app: &TestApp, user_type: &str) {
    let person = Person::new();
    let shouted = Person {
        email: person.email.to_uppercase(),
        ..person.clone()
    };
    app.join(user_type, &person).await;
    let own = app.login(user_type, &person).await;
    let id = app.profile(user_type, &own.access).await.expect(200).member("id");

    let pair = app.login(user_type, &shouted).await;
    let profile = app.profile(user_type, &pair.access).await.expect(200).json();
    assert_eq!(profile["id"], id.as_str(), "the same account");
    assert_eq!(profile["email"], person.email.as_str(), "in its owner's spelling");

    app.create(user_type, &shouted).await.expect(201);
    let told = app.next_mail(&person.email).await;
    assert!(told.subject.starts_with("You already have"), "{told:?}");
}

async fn the_same_address_may_have_an_account_of_each_user_type(app: &TestApp, user_type: &str) {
    let person = Person::new();
    app.join(user_type, &person).await;
    app.sign_in(other(user_type), &person.email, &person.password)
        .await
        .expect_problem(401, "invalid_credentials");
    app.join(other(user_type), &person).await;
    let here = app.login(user_type, &person).await;
    let there = app.login(other(user_type), &person).await;
    let here = app.profile(user_type, &here.access).await.expect(200).member("id");
    let there = app
        .profile(other(user_type), &there.access)
        .await
        .expect(200)
        .member("id");
    assert_ne!(here, there, "two accounts");
}

async fn a_taken_username_is_told_at_create(app: &TestApp, user_type: &str) {
    let holder = Person::new().with_username();
    app.join(user_type, &holder).await;
    let name = holder.username.expect("it has one");
    for username in [name.clone(), name.to_uppercase()] {
        let late = Person {
            username: Some(username),
            ..Person::new()
        };
        app.create(user_type, &late).await.expect_problem(409, "username_taken");
        assert_eq!(app.all_mails(&late.email).await.len(), 0, "nothing was registered");
        app.create(other(user_type), &late).await.expect(201);
    }
}

async fn a_username_that_was_lost_meanwhile_is_left_out(app: &TestApp, user_type: &str) {
    let winner = Person::new().with_username();
    let loser = Person {
        username: winner.username.clone(),
        ..Person::new()
    };
    let late = app.register(user_type, &loser).await;
    app.join(user_type, &winner).await;
    app.confirm(user_type, &late).await.expect(200);

    let pair = app.login(user_type, &loser).await;
    let profile = app.profile(user_type, &pair.access).await.expect(200).json();
    assert_eq!(profile["username"], Value::Null, "the account is made without it");
    let name = winner.username.as_deref().expect("it has one");
    app.sign_in(user_type, name, &winner.password).await.expect(200);
    let by_name = crate::support::Pair::of(app, &app.sign_in(user_type, name, &winner.password).await);
    let profile = app.profile(user_type, &by_name.access).await.expect(200).json();
    assert_eq!(profile["email"], winner.email.as_str(), "it is the winner's");
}
