//! Signing in by mail, and who guesses, races, waits or wonders whether somebody is there.

use std::time::Duration;

use futures_util::{
    future::join_all,
    stream::{self, StreamExt as _},
};
use sealgate::{
    crypto::email_sign_in::Challenge,
    domain::{audit::AuditEvent, user_type::UserType},
    storage::{Ref, requests::RequestRecord},
};
use serde_json::json;

use crate::{
    administration::{administrator, member, of, send},
    email_sign_in::{TYPES, ask, code, mailed, mailing, verify},
    limits::counting,
    support::{Answer, Pair, Person, StoreSet, TestApp, other},
};

cases_per_store! {
    fifty_right_codes_at_once_begin_one_session
    of_a_thousand_guesses_at_once_five_are_compared
    every_address_is_answered_and_guessed_at_alike
    a_mail_is_good_for_ten_minutes
    a_moved_on_account_knows_no_code_of_before
    a_mailbox_gets_five_an_hour_whoever_asks
    one_client_is_told_when_it_asks_too_often
}

/// The request that a challenge was given for.
async fn request(app: &TestApp, user_type: &str, challenge: &str) -> RequestRecord {
    let user_type: UserType = user_type.parse().expect("a user type");
    let id = Challenge::split(challenge).expect("a challenge").request;
    let found = app.open_stores().await.requests.find(&Ref::new(&user_type, id)).await;
    found.expect("a store").expect("a request")
}

async fn fifty_right_codes_at_once_begin_one_session(stores: &StoreSet) {
    let app = mailing(stores, "code").await;
    for user_type in TYPES {
        let (person, own) = app.member(user_type).await;
        let (challenge, code) = code(&app, user_type, &person.email).await;
        let body = json!({ "challenge": challenge, "code": code });
        let answers = join_all((0..50).map(|_| verify(&app, user_type, &body))).await;
        let (signed_in, others): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
        assert_eq!(signed_in.len(), 1);
        for answer in others {
            // A machine that is busy with other tests may have been too busy for a few.
            assert!([400, 503].contains(&answer.status), "{}", answer.text());
        }
        let call = app.get(&format!("/{user_type}/sessions")).bearer(&own.access);
        let listed = call.send().await.expect(200).json();
        assert_eq!(
            listed["sessions"].as_array().map(Vec::len),
            Some(2),
            "the password's, and one"
        );
    }
    app.shut_down().await;
}

async fn of_a_thousand_guesses_at_once_five_are_compared(stores: &StoreSet) {
    let app = mailing(stores, "code").await;
    let (person, _) = app.member("User1").await;
    let (challenge, code) = code(&app, "User1", &person.email).await;
    assert_eq!(request(&app, "User1", &challenge).await.tries, Some(5));
    let right: u32 = code.parse().expect("digits");
    let guess = async |by: u32| {
        let code = format!("{:08}", (right + by) % 100_000_000);
        verify(&app, "User1", &json!({ "challenge": challenge, "code": code })).await
    };
    let answers: Vec<Answer> = stream::iter(1..=1000).map(guess).buffer_unordered(32).collect().await;
    for answer in answers {
        assert!([400, 503].contains(&answer.status), "{}", answer.text());
    }
    // Only a charged try is compared; and after five not even the right code is.
    assert_eq!(request(&app, "User1", &challenge).await.tries, Some(0));
    let right = json!({ "challenge": challenge, "code": code });
    verify(&app, "User1", &right).await.expect_problem(400, "code_invalid");
    // Another mail begins anew.
    let (challenge, code) = self::code(&app, "User1", &person.email).await;
    verify(&app, "User1", &json!({ "challenge": challenge, "code": code }))
        .await
        .expect(200);
    app.shut_down().await;
}

async fn every_address_is_answered_and_guessed_at_alike(stores: &StoreSet) {
    let app = mailing(stores, "code,link").await;
    for user_type in TYPES {
        let (known, _) = app.member(user_type).await;
        let [unknown, waiting, elsewhere] = [(); 3].map(|()| Person::new());
        app.register(user_type, &waiting).await;
        app.join(other(user_type), &elsewhere).await;
        let chief = administrator(&app, user_type).await;
        let locked = member(&app, user_type).await;
        send(&app, "POST", &of(user_type, &locked, "/lock"), &chief, None)
            .await
            .expect(200);
        let people = [&unknown, &known, &waiting, &elsewhere, &locked.person];
        let (mut shapes, mut lengths, mut guesses) = (Vec::new(), Vec::new(), Vec::new());
        for person in people {
            app.keep_secret(&person.email);
            let call = app.post(&format!("/{user_type}/login/email"));
            let answer = call.json(&json!({ "email": person.email })).send().await;
            let challenge = answer.member("challenge");
            let mut shape = answer.expect(202).shape();
            shape.2.as_object_mut().expect("an object").remove("challenge");
            shapes.push(shape);
            lengths.push(challenge.len());
            app.settle().await;
            // Five wrong ones, and then no more, of somebody and of nobody.
            let mut left = Vec::new();
            for _ in 0..6 {
                let body = json!({ "challenge": challenge, "code": "00000000" });
                let refused = verify(&app, user_type, &body).await.expect_problem(400, "code_invalid");
                guesses.push(refused.shape());
                left.push(request(&app, user_type, &challenge).await.tries);
            }
            assert_eq!(left, [4, 3, 2, 1, 0, 0].map(Some));
        }
        for of_one in [&shapes, &guesses] {
            assert!(of_one.iter().all(|shape| *shape == of_one[0]), "{of_one:?}");
        }
        assert!(lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");
        for person in people {
            let mails = app.all_mails(&person.email).await;
            let brought = mails.iter().filter(|mail| mail.subject.starts_with("Sign in")).count();
            assert_eq!(brought, usize::from(person.email == known.email), "{}", person.email);
        }
        for call in [
            app.post(&format!("/{user_type}/login/email")),
            app.post(&format!("/{user_type}/login/email"))
                .json(&json!({ "email": "nonsense" })),
        ] {
            let errors = call.send().await.expect_problem(422, "validation_failed").errors();
            assert_eq!(errors[0].0, "email");
        }
    }
    app.shut_down().await;
}

async fn a_mail_is_good_for_ten_minutes(stores: &StoreSet) {
    let app = mailing(stores, "code,link").await;
    for user_type in TYPES {
        let (person, _) = app.member(user_type).await;
        for (waited, status) in [(599, 200), (600, 400)] {
            let challenge = ask(&app, user_type, &person.email).await;
            let (code, token) = mailed(&app, &person.email).await;
            app.clock.advance(Duration::from_secs(waited));
            let path = format!("/{user_type}/login/email/link");
            let page = app.get(&format!("{path}?token={}", token.as_deref().expect("a link")));
            page.send().await.expect(status);
            let shown = app.post(&path).json(&json!({ "token": token })).send().await;
            shown.expect(status);
            let body = json!({ "challenge": challenge, "code": code });
            verify(&app, user_type, &body).await.expect(status);
        }
    }
    app.shut_down().await;
}

async fn a_moved_on_account_knows_no_code_of_before(stores: &StoreSet) {
    let app = mailing(stores, "code,link").await;
    for user_type in TYPES {
        let chief = administrator(&app, user_type).await;
        for change in ["password", "reset", "lock", "unlock", "delete"] {
            let own = member(&app, user_type).await;
            let challenge = ask(&app, user_type, &own.person.email).await;
            let (code, token) = mailed(&app, &own.person.email).await;
            match change {
                "password" => {
                    let call = app
                        .post(&format!("/{user_type}/change-password"))
                        .bearer(&own.pair.access);
                    let body = json!({ "current_password": own.person.password, "new_password": "Qu1te-another-0ne!" });
                    call.json(&body).send().await.expect(200);
                }
                "reset" => {
                    app.forget(user_type, &own.person.email).await.expect(202);
                    let link = app.next_link(&own.person).await;
                    app.reset(user_type, &link, "Qu1te-another-0ne!").await.expect(200);
                }
                "delete" => {
                    app.delete(user_type, &own.pair.access, &json!({})).await.expect(200);
                }
                _ => {
                    send(&app, "POST", &of(user_type, &own, "/lock"), &chief, None)
                        .await
                        .expect(200);
                    if change == "unlock" {
                        send(&app, "POST", &of(user_type, &own, "/unlock"), &chief, None)
                            .await
                            .expect(200);
                    }
                }
            }
            let link = format!(
                "/{user_type}/login/email/link?token={}",
                token.as_deref().expect("a link")
            );
            app.get(&link)
                .accept("application/json")
                .send()
                .await
                .expect_problem(400, "link_invalid");
            for body in [
                json!({ "challenge": challenge, "code": code }),
                json!({ "challenge": challenge, "token": token }),
            ] {
                verify(&app, user_type, &body).await.expect_problem(400, "code_invalid");
            }
        }
        let entries = app.audit(user_type).await;
        assert!(entries.iter().any(|entry| entry.event == AuditEvent::SignInRefused));
    }
    app.shut_down().await;
}

async fn a_mailbox_gets_five_an_hour_whoever_asks(stores: &StoreSet) {
    let app = counting(stores).await;
    let person = Person::new();
    crate::limits::member(&app, &person, "203.0.113.1").await;
    let mut last = None;
    for turn in 0..8 {
        let call = app.post("/User1/login/email");
        let call = call.header("x-forwarded-for", &format!("198.51.100.{turn}"));
        // Each answered as ever.
        let answer = call.json(&json!({ "email": person.email })).send().await.expect(202);
        if turn < 5 {
            last = Some((answer.member("challenge"), mailed(&app, &person.email).await.0));
        }
    }
    let mails = app.all_mails(&person.email).await;
    assert_eq!(
        mails.iter().filter(|mail| mail.subject.starts_with("Sign in")).count(),
        5
    );
    // Those that were dropped took the place of nothing.
    let (challenge, code) = last.expect("five were mailed");
    let call = app
        .post("/User1/login/email/verify")
        .header("x-forwarded-for", "203.0.113.2");
    let answer = call.json(&json!({ "challenge": challenge, "code": code })).send().await;
    Pair::of(&app, &answer.expect(200));
    app.shut_down().await;
}

async fn one_client_is_told_when_it_asks_too_often(stores: &StoreSet) {
    let app = counting(stores).await;
    let call = async |path: &str, body: serde_json::Value| {
        let call = app.post(&format!("/User1/login/email{path}"));
        call.header("x-forwarded-for", "203.0.113.9").json(&body).send().await
    };
    for path in ["", "/verify"] {
        let (most, body) = if path.is_empty() {
            (5, json!({ "email": "nobody@mail.example" }))
        } else {
            (10, json!({ "challenge": "ec1.AAAA", "code": "00000000" }))
        };
        for _ in 0..most {
            let answer = call(path, body.clone()).await;
            assert!([202, 400].contains(&answer.status), "{}", answer.text());
        }
        call(path, body).await.expect_problem(429, "too_many_requests");
    }
    // A minute later there is another for the client, and none for that mailbox.
    app.clock.advance(Duration::from_mins(1));
    let mailbox = json!({ "email": "nobody@mail.example" });
    call("", mailbox).await.expect_problem(429, "too_many_requests");
    call("", json!({ "email": "another@mail.example" })).await.expect(202);
    app.shut_down().await;
}
