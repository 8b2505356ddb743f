//! `Idempotency-Key`: a request that is sent twice is done once.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Person, RawConnection, TestApp, eventually, other};

cases! {
    a_create_under_one_key_is_one_registration
    of_many_at_once_one_is_done
    a_refused_request_may_come_again_mended
    a_key_lasts_a_day
    a_code_under_one_key_is_one_text
    keys_that_are_none_are_refused
    who_hangs_up_gets_the_answer_when_asking_again
}

async fn who_hangs_up_gets_the_answer_when_asking_again(app: &TestApp, user_type: &str) {
    let person = Person::new();
    let body = person.json().to_string();
    let request = format!(
        "POST /{user_type}/create HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nidempotency-key: cut\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    // At whatever moment: some of these hang up before anything was done, some in the middle of it.
    for pause in 0..8 {
        let mut connection = RawConnection::open(app.address).await;
        connection.send(&request).await;
        for _ in 0..pause * 40 {
            tokio::task::yield_now().await;
        }
        drop(connection);
    }
    let answer = eventually("the answer of what was begun", async || {
        let answer = create(app, user_type, "cut", &person.json()).await;
        (answer.status != 409).then_some(answer)
    })
    .await;
    answer.expect(201);
    assert_eq!(app.all_mails(&person.email).await.len(), 1, "done once");
}

async fn create(app: &TestApp, user_type: &str, key: &str, body: &Value) -> Answer {
    let call = app.post(&format!("/{user_type}/create"));
    call.header("idempotency-key", key).json(body).send().await
}

async fn a_create_under_one_key_is_one_registration(app: &TestApp, user_type: &str) {
    let person = Person::new();
    app.keep_secret(&person.email);
    let first = create(app, user_type, "one", &person.json()).await.expect(201);
    let again = create(app, user_type, "one", &person.json()).await.expect(201);
    assert_eq!(again.json(), first.json());
    let another = Person::new();
    create(app, user_type, "one", &another.json())
        .await
        .expect_problem(422, "idempotency_key_reused");
    assert_eq!(app.all_mails(&person.email).await.len(), 1);
    assert_eq!(app.all_mails(&another.email).await.len(), 0);
    // Another key, and the same key of another user type, are other requests.
    let other_key = create(app, user_type, "two", &person.json()).await.expect(201);
    let elsewhere = create(app, other(user_type), "one", &person.json()).await.expect(201);
    let ids: BTreeSet<String> = [&first, &other_key, &elsewhere]
        .map(|answer| answer.member("id"))
        .into();
    assert_eq!(ids.len(), 3);
    // Nothing is remembered by routes whose answers carry tokens.
    app.confirm(user_type, &app.next_link(&person).await).await;
    app.next_mail(&person.email).await;
}

async fn of_many_at_once_one_is_done(app: &TestApp, user_type: &str) {
    let person = Person::new();
    let body = person.json();
    let answers = join_all((0..20).map(|_| create(app, user_type, "clicked-twice", &body))).await;
    let mut ids = BTreeSet::new();
    for answer in answers {
        if answer.status == 201 {
            ids.insert(answer.member("id"));
        } else {
            let running = answer.expect_problem(409, "request_in_progress");
            assert_eq!(running.header("retry-after"), "1");
        }
    }
    assert_eq!(ids.len(), 1);
    assert_eq!(app.all_mails(&person.email).await.len(), 1);
}

async fn a_refused_request_may_come_again_mended(app: &TestApp, user_type: &str) {
    let holder = Person::new().with_username();
    app.join(user_type, &holder).await;
    let mut person = Person {
        username: holder.username.clone(),
        ..Person::new()
    };
    for _ in 0..2 {
        create(app, user_type, "key", &person.json())
            .await
            .expect_problem(409, "username_taken");
    }
    let mut unread = person.json();
    unread["email"] = json!("nonsense");
    create(app, user_type, "key", &unread)
        .await
        .expect_problem(422, "validation_failed");
    person.username = None;
    create(app, user_type, "key", &person.json()).await.expect(201);
    app.next_link(&person).await;
}

async fn a_key_lasts_a_day(app: &TestApp, user_type: &str) {
    let person = Person::new();
    let first = create(app, user_type, "key", &person.json())
        .await
        .expect(201)
        .member("id");
    app.clock.advance(Duration::from_secs(24 * 3600 - 1));
    let again = create(app, user_type, "key", &person.json())
        .await
        .expect(201)
        .member("id");
    assert_eq!(again, first);
    app.clock.advance(Duration::from_secs(1));
    let next = create(app, user_type, "key", &person.json())
        .await
        .expect(201)
        .member("id");
    assert_ne!(next, first);
}

async fn a_code_under_one_key_is_one_text(app: &TestApp, user_type: &str) {
    let [one, two] = [(); 2].map(|()| Person::new().with_mobile());
    for person in [&one, &two] {
        app.join(user_type, person).await;
    }
    let ask = async |access: &str, body: &Value| {
        let call = app.post(&format!("/{user_type}/otp_phone"));
        call.header("idempotency-key", "key")
            .bearer(access)
            .json(body)
            .send()
            .await
    };
    let mut answers = Vec::new();
    for person in [&one, &two] {
        let pair = app.login(user_type, person).await;
        let first = ask(&pair.access, &json!({})).await.expect(202);
        let again = ask(&pair.access, &json!({})).await.expect(202);
        assert_eq!(again.json(), first.json(), "the same code, not too soon");
        ask(&pair.access, &json!({ "phone": one.phone }))
            .await
            .expect_problem(422, "idempotency_key_reused");
        let code = app.next_code(&person.phone).await;
        app.send_code(user_type, &pair.access, &first.member("otp"), &code)
            .await
            .expect(200);
        answers.push(first.member("otp"));
    }
    assert_ne!(answers[0], answers[1], "a key is its caller's");
    assert_eq!(app.all_texts().await.len(), 2);
}

async fn keys_that_are_none_are_refused(app: &TestApp, user_type: &str) {
    let person = Person::new();
    for key in ["", "two words", &"k".repeat(256)] {
        create(app, user_type, key, &person.json())
            .await
            .expect_problem(400, "idempotency_key_invalid");
    }
    app.post(&format!("/{user_type}/create"))
        .header_bytes("idempotency-key", b"caf\xe9")
        .json(&person.json())
        .send()
        .await
        .expect_problem(400, "idempotency_key_invalid");
    app.post(&format!("/{user_type}/create"))
        .header("idempotency-key", "one")
        .header("idempotency-key", "two")
        .json(&person.json())
        .send()
        .await
        .expect_problem(400, "idempotency_key_invalid");
    create(app, user_type, &"k".repeat(255), &person.json())
        .await
        .expect(201);
}
