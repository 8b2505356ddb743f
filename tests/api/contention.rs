//! Many at once: what may happen once happens once, and a deletion leaves nothing behind.

use futures_util::{
    future::join_all,
    stream::{self, StreamExt as _},
};
use sealgate::{domain::challenge::Purpose, storage::Ref};
use serde_json::json;

use crate::support::{Answer, Pair, Person, Setup, StoreSet, TestApp, logged};

cases! {
    a_right_code_sent_fifty_times_at_once_verifies_once
    nothing_is_left_of_an_account_deleted_amid_everything_else
}

cases_per_store! {
    a_code_guessed_a_thousand_times_at_once_is_compared_five_times
    a_reset_link_used_fifty_times_at_once_sets_one_password
}

async fn a_code_guessed_a_thousand_times_at_once_is_compared_five_times(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    let user_type = "User1";
    let person = Person::new().with_mobile();
    app.join(user_type, &person).await;
    let pair = app.login(user_type, &person).await;
    let id = app.profile(user_type, &pair.access).await.member("id");
    let challenge = app
        .ask_code(user_type, &pair.access, &json!({}))
        .await
        .expect(202)
        .member("otp");
    let code = app.next_code(&person.phone).await;
    let right: u32 = code.parse().expect("digits");
    let guess = async |by: u32| {
        let code = format!("{:06}", (right + by) % 1_000_000);
        app.send_code(user_type, &pair.access, &challenge, &code).await
    };
    let guesses = stream::iter(1..=1000).map(guess).buffer_unordered(32);
    let answers: Vec<Answer> = guesses.collect().await;
    for answer in answers {
        // A machine that is busy with other tests may have been too busy for a few.
        assert!([400, 503].contains(&answer.status), "{}", answer.text());
    }
    // Only a charged try is handed the digest to compare with; and after five not even the right code is.
    app.send_code(user_type, &pair.access, &challenge, &code)
        .await
        .expect_problem(400, "code_invalid");
    let key = Ref::new(&user_type.parse().expect("a user type"), id.parse().expect("an id"));
    let account = app.open_stores().await.accounts.find(&key).await.expect("a store");
    let pending = account.expect("an account").challenges[&Purpose::VerifyPhone].clone();
    assert_eq!(
        (pending.tries, pending.hour_tries),
        (0, 5),
        "five of five, five of the hour's ten"
    );
    app.shut_down().await;
}

async fn a_right_code_sent_fifty_times_at_once_verifies_once(app: &TestApp, user_type: &str) {
    let person = Person::new().with_mobile();
    app.join(user_type, &person).await;
    let pair = app.login(user_type, &person).await;
    let challenge = app
        .ask_code(user_type, &pair.access, &json!({}))
        .await
        .expect(202)
        .member("otp");
    let code = app.next_code(&person.phone).await;
    let send = |_| app.send_code(user_type, &pair.access, &challenge, &code);
    let answers = join_all((0..50).map(send)).await;
    let verified = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(verified, 1, "{answers:?}");
    for answer in answers.into_iter().filter(|answer| answer.status != 200) {
        answer.expect_problem(400, "code_invalid");
    }
    let profile = app.profile(user_type, &pair.access).await.expect(200).json();
    assert_eq!(
        (&profile["is_phone_verified"], &profile["version"]),
        (&json!(true), &json!(2))
    );
}

async fn a_reset_link_used_fifty_times_at_once_sets_one_password(stores: &StoreSet) {
    let app = Setup::new(stores).set("PASSWORD_QUEUE", "100").spawn().await;
    let (person, stolen) = app.member("User1").await;
    let sessions = [stolen, app.login("User1", &person).await];
    app.forget("User1", &person.email).await.expect(202);
    let token = app.next_link(&person).await;
    let passwords: Vec<String> = (0..50).map(|number| format!("Qu1te-another-{number}!")).collect();
    let answers = join_all(passwords.iter().map(|password| app.reset("User1", &token, password))).await;
    let mut set = Vec::new();
    for (answer, password) in answers.into_iter().zip(&passwords) {
        if answer.status == 200 {
            set.push(password);
        } else {
            answer.expect_problem(400, "link_invalid");
        }
    }
    assert_eq!(set.len(), 1, "{set:?}");
    for pair in &sessions {
        app.profile("User1", &pair.access)
            .await
            .expect_problem(401, "invalid_token");
        app.refresh("User1", &pair.refresh).await.expect(401);
    }
    for password in &passwords {
        let answer = app.sign_in("User1", &person.email, password).await;
        assert_eq!(answer.status == 200, password == set[0], "{}", answer.text());
    }
    app.sign_in("User1", &person.email, &person.password).await.expect(401);
    let mails = app.all_mails(&person.email).await;
    let notices = mails.iter().filter(|mail| mail.subject.contains("was changed")).count();
    assert_eq!(notices, 1);
    app.shut_down().await;
}

async fn nothing_is_left_of_an_account_deleted_amid_everything_else(app: &TestApp, user_type: &str) {
    let parsed = user_type.parse().expect("a user type");
    for round in 0..4 {
        let person = Person::new().with_username().with_mobile();
        app.join(user_type, &person).await;
        let pair = app.login(user_type, &person).await;
        let id = app.profile(user_type, &pair.access).await.member("id");
        let (deleted, answers) = everything_at_once(app, user_type, &person, &pair, round).await;
        deleted.expect(200).member("receipt");
        for answer in &answers {
            let expected = [200, 202, 401].contains(&answer.status);
            assert!(expected, "{} answered {} {}", answer.call, answer.status, answer.text());
        }
        app.settle().await;

        let stores = app.open_stores().await;
        let key = Ref::new(&parsed, id.parse().expect("an id"));
        assert!(
            stores.accounts.find(&key).await.expect("a store").is_none(),
            "round {round}"
        );
        assert!(
            stores.deks.find(&key).await.expect("a store").is_none(),
            "round {round}"
        );
        assert!(
            stores.registrations.find(&key).await.expect("a store").is_none(),
            "round {round}"
        );
        let sessions = stores.sessions.ids_of_account(&key, 100).await.expect("a store");
        assert_eq!(sessions, [], "round {round}");
        // Whatever pair was handed out on the way is worth nothing.
        for answer in answers.iter().filter(|answer| answer.text().contains("access_token")) {
            let pair = Pair::of(app, answer);
            app.profile(user_type, &pair.access).await.expect(401);
            app.refresh(user_type, &pair.refresh).await.expect(401);
        }
        app.sign_in(user_type, &person.email, &person.password)
            .await
            .expect_problem(401, "invalid_credentials");
        let kept = serde_json::to_string(&app.audit(user_type).await).expect("JSON") + &logged();
        for personal in [&person.email, &person.phone, person.username.as_ref().expect("one")] {
            assert!(!kept.contains(personal.as_str()), "{personal} is kept");
        }
    }
}

/// Deletes while the same account is changed, signed in to, refreshed, shown and texted; the deletion a little later in
/// each round.
async fn everything_at_once(
    app: &TestApp,
    user_type: &str,
    person: &Person,
    pair: &Pair,
    round: usize,
) -> (Answer, Vec<Answer>) {
    let delete = async {
        for _ in 0..round * 3 {
            app.get("/livez").send().await.expect(200);
        }
        app.delete(user_type, &pair.access, &json!({})).await
    };
    let updates = join_all((0..4).map(async |number| {
        let change = json!({ "first_name": format!("Grace{number}"), "email": Person::new().email });
        app.update(user_type, &pair.access, &change).await
    }));
    let sign_ins = join_all((0..4).map(|_| app.sign_in(user_type, &person.email, &person.password)));
    let refreshes = join_all((0..4).map(|_| app.refresh(user_type, &pair.refresh)));
    let profiles = join_all((0..4).map(|_| app.profile(user_type, &pair.access)));
    let own_number = json!({});
    let code = app.ask_code(user_type, &pair.access, &own_number);
    let forgotten = app.forget(user_type, &person.email);
    let (deleted, updates, sign_ins, refreshes, profiles, code, forgotten) =
        tokio::join!(delete, updates, sign_ins, refreshes, profiles, code, forgotten);
    let answers = [updates, sign_ins, refreshes, profiles, vec![code, forgotten]];
    (deleted, answers.into_iter().flatten().collect())
}
