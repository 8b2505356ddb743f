//! Codes to one's phone.

use std::time::Duration;

use serde_json::json;

use crate::support::{Pair, Person, TestApp, mobile, other};

cases! {
    defect_02_a_code_is_in_no_answer_and_good_for_five_minutes_five_tries_and_its_owner
    defect_03_nobody_has_a_strangers_number_texted
    every_twin_verifies
    ten_wrong_codes_an_hour_are_all
    a_new_code_replaces_the_one_before_and_each_waits_longer
    another_number_is_enrolled_by_a_fresh_sign_in
    a_number_changed_since_is_not_verified_by_the_code_before
    success_does_not_begin_the_counts_anew
    numbers_that_take_no_texts_are_refused
}

/// Another code.
fn wrong(code: &str, by: u32) -> String {
    let code: u32 = code.parse().expect("six digits");
    format!("{:06}", (code + by) % 1_000_000)
}

async fn member_with_mobile(app: &TestApp, user_type: &str) -> (Person, Pair) {
    let person = Person::new().with_mobile();
    app.join(user_type, &person).await;
    let pair = app.login(user_type, &person).await;
    (person, pair)
}

/// Asks for a code to one's own number; answers its name and the code.
async fn ask(app: &TestApp, user_type: &str, person: &Person, pair: &Pair) -> (String, String) {
    let answer = app.ask_code(user_type, &pair.access, &json!({})).await.expect(202);
    (answer.member("otp"), app.next_code(&person.phone).await)
}

async fn is_verified(app: &TestApp, user_type: &str, pair: &Pair) -> bool {
    let profile = app.profile(user_type, &pair.access).await.expect(200).json();
    profile["is_phone_verified"].as_bool().expect("a flag")
}

async fn defect_02_a_code_is_in_no_answer_and_good_for_five_minutes_five_tries_and_its_owner(
    app: &TestApp,
    user_type: &str,
) {
    let (person, pair) = member_with_mobile(app, user_type).await;
    let (_, theirs) = member_with_mobile(app, user_type).await;
    let path = format!("/{user_type}/otp_phone");
    let answer = app.post(&path).bearer(&pair.access).send().await.expect(202);
    let code = app.next_code(&person.phone).await;
    let challenge = answer.member("otp");
    assert_eq!(answer.json()["expires_in"], 300);
    assert!(
        !answer.text().contains(&code),
        "the answer holds the code: {}",
        answer.text()
    );
    let shown = answer.headers.values().filter_map(|value| value.to_str().ok());
    assert_eq!(shown.filter(|value| value.contains(&code)).count(), 0);
    assert!(!answer.text().contains(&person.phone));

    // Nobody else's: neither an account of the same type nor one of the other.
    let (_, elsewhere) = member_with_mobile(app, other(user_type)).await;
    app.send_code(user_type, &theirs.access, &challenge, &code)
        .await
        .expect_problem(400, "code_invalid");
    app.send_code(other(user_type), &elsewhere.access, &challenge, &code)
        .await
        .expect_problem(400, "code_invalid");
    // Four wrong ones, then the right one.
    for by in 1..5 {
        let refused = app
            .send_code(user_type, &pair.access, &challenge, &wrong(&code, by))
            .await;
        refused.expect_problem(400, "code_invalid");
    }
    assert!(!is_verified(app, user_type, &pair).await);
    app.send_code(user_type, &pair.access, &challenge, &code)
        .await
        .expect(200);
    assert!(is_verified(app, user_type, &pair).await);
    // Once.
    app.send_code(user_type, &pair.access, &challenge, &code)
        .await
        .expect_problem(400, "code_invalid");

    // Five wrong ones, and the right one is worth nothing.
    let (person, pair) = member_with_mobile(app, user_type).await;
    let (challenge, code) = ask(app, user_type, &person, &pair).await;
    for by in 1..=5 {
        app.send_code(user_type, &pair.access, &challenge, &wrong(&code, by))
            .await
            .expect(400);
    }
    let late = app.send_code(user_type, &pair.access, &challenge, &code).await;
    late.expect_problem(400, "code_invalid");

    // Five minutes.
    let (person, pair) = member_with_mobile(app, user_type).await;
    let (challenge, code) = ask(app, user_type, &person, &pair).await;
    app.clock.advance(Duration::from_mins(5));
    app.send_code(user_type, &pair.access, &challenge, &code)
        .await
        .expect_problem(400, "code_invalid");
    assert!(!is_verified(app, user_type, &pair).await);
}

async fn defect_03_nobody_has_a_strangers_number_texted(app: &TestApp, user_type: &str) {
    let (person, pair) = member_with_mobile(app, user_type).await;
    let victim = mobile();
    let path = format!("/{user_type}/otp_phone");
    let digits = victim.replace('+', "%2B");
    // Who is nobody has nobody texted.
    for call in [
        app.post(&path).json(&json!({ "phone": victim })),
        app.post(&format!("{path}?phone={digits}")),
        app.post(&path).form(&[("phone", &victim)]).bearer("garbage"),
    ] {
        let answer = call.send().await;
        assert_eq!(answer.status, 401, "{}", answer.text());
    }
    // The old parameter names one's own number or none.
    app.post(&format!("{path}?phone={digits}"))
        .bearer(&pair.access)
        .send()
        .await
        .expect_problem(403, "not_own_account");
    // A sign-in that lay about enrols no number.
    app.clock.advance(Duration::from_mins(5));
    app.ask_code(user_type, &pair.access, &json!({ "phone": victim }))
        .await
        .expect_problem(401, "insufficient_user_authentication");
    let texts = app.all_texts().await;
    assert_eq!(texts.iter().filter(|text| text.to == victim).count(), 0);
    // One's own number, by the old parameter too.
    let own = person.phone.replace('+', "%2B");
    let own = app
        .post(&format!("{path}?phone={own}"))
        .bearer(&pair.access)
        .send()
        .await;
    own.expect(202);
    app.next_code(&person.phone).await;
}

async fn every_twin_verifies(app: &TestApp, user_type: &str) {
    let path = format!("/{user_type}/verify_otp_phone");
    for twin in ["get", "form", "text", "number"] {
        let (person, pair) = member_with_mobile(app, user_type).await;
        let (challenge, code) = ask(app, user_type, &person, &pair).await;
        let send = async |code: &str| {
            // An integer has lost its zeros on the left.
            let number: u32 = code.parse().expect("digits");
            let call = match twin {
                "get" => app.get(&format!("{path}?token={challenge}&otp={number}")),
                "form" => app.post(&path).form(&[("token", challenge.as_str()), ("otp", code)]),
                "text" => app.post(&path).json(&json!({ "token": challenge, "otp": code })),
                _ => app.post(&path).json(&json!({ "token": challenge, "otp": number })),
            };
            call.bearer(&pair.access).send().await
        };
        send(&wrong(&code, 1)).await.expect_problem(400, "code_invalid");
        send(&code).await.expect(200).member("message");
        assert!(is_verified(app, user_type, &pair).await, "{twin}");
    }
    // And refuses alike.
    let (_, pair) = member_with_mobile(app, user_type).await;
    app.get(&path)
        .bearer(&pair.access)
        .send()
        .await
        .expect_problem(400, "code_invalid");
    app.get(&path).send().await.expect_problem(401, "missing_token");
    app.post(&path)
        .json(&json!({}))
        .send()
        .await
        .expect_problem(401, "missing_token");
    let nothing = app.post(&path).bearer(&pair.access).json(&json!({})).send().await;
    assert_eq!(nothing.expect_problem(422, "validation_failed").errors().len(), 2);
    for otp in [
        json!("1234567"),
        json!("12345a"),
        json!(-1),
        json!(1.5),
        json!([1]),
        json!("\u{664}\u{665}"),
    ] {
        let body = json!({ "token": "chl_00000000000000000000000000", "otp": otp });
        let answer = app.post(&path).bearer(&pair.access).json(&body).send().await;
        answer.expect_problem(400, "code_invalid");
    }
}

async fn ten_wrong_codes_an_hour_are_all(app: &TestApp, user_type: &str) {
    let (person, pair) = member_with_mobile(app, user_type).await;
    for wait in [1, 2] {
        let (challenge, code) = ask(app, user_type, &person, &pair).await;
        for by in 1..=5 {
            app.send_code(user_type, &pair.access, &challenge, &wrong(&code, by))
                .await
                .expect(400);
        }
        app.clock.advance(Duration::from_mins(wait));
    }
    let (challenge, code) = ask(app, user_type, &person, &pair).await;
    app.send_code(user_type, &pair.access, &challenge, &code)
        .await
        .expect_problem(400, "code_invalid");
    app.clock.advance(Duration::from_hours(1));
    let pair = app.login(user_type, &person).await;
    let (challenge, code) = ask(app, user_type, &person, &pair).await;
    app.send_code(user_type, &pair.access, &challenge, &code)
        .await
        .expect(200);
}

async fn a_new_code_replaces_the_one_before_and_each_waits_longer(app: &TestApp, user_type: &str) {
    let (person, pair) = member_with_mobile(app, user_type).await;
    let mut older = ask(app, user_type, &person, &pair).await;
    for wait in [60, 120, 240] {
        let soon = app.ask_code(user_type, &pair.access, &json!({})).await;
        let soon = soon.expect_problem(429, "code_sent_recently");
        assert_eq!(soon.header("retry-after"), wait.to_string());
        assert_eq!(soon.header("ratelimit-policy"), format!("\"default\";q=1;w={wait}"));
        assert_eq!(soon.header("ratelimit"), format!("\"default\";r=0;t={wait}"));
        app.clock.advance(Duration::from_secs(wait - 1));
        app.ask_code(user_type, &pair.access, &json!({})).await.expect(429);
        app.clock.advance(Duration::from_secs(1));
        let newer = ask(app, user_type, &person, &pair).await;
        let (challenge, code) = &older;
        app.send_code(user_type, &pair.access, challenge, code)
            .await
            .expect(400);
        assert_ne!(newer.0, *challenge);
        older = newer;
    }
    app.send_code(user_type, &pair.access, &older.0, &older.1)
        .await
        .expect(200);
    assert_eq!(app.all_texts().await.len(), 4, "no text for a refusal");
}

async fn another_number_is_enrolled_by_a_fresh_sign_in(app: &TestApp, user_type: &str) {
    let (person, pair) = member_with_mobile(app, user_type).await;
    let (challenge, code) = ask(app, user_type, &person, &pair).await;
    app.send_code(user_type, &pair.access, &challenge, &code)
        .await
        .expect(200);
    app.clock.advance(Duration::from_mins(1));

    let new = mobile();
    let answer = app
        .ask_code(user_type, &pair.access, &json!({ "phone": new }))
        .await
        .expect(202);
    let profile = app.profile(user_type, &pair.access).await.json();
    assert_eq!(
        (&profile["phone"], &profile["is_phone_verified"]),
        (&json!(new), &json!(false))
    );
    let code = app.next_code(&new).await;
    app.send_code(user_type, &pair.access, &answer.member("otp"), &code)
        .await
        .expect(200);
    let profile = app.profile(user_type, &pair.access).await.json();
    assert_eq!(
        (&profile["phone"], &profile["is_phone_verified"]),
        (&json!(new), &json!(true))
    );
    for bad in ["", "+49 call me", "0151 23456789"] {
        let refused = app.ask_code(user_type, &pair.access, &json!({ "phone": bad })).await;
        refused.expect_problem(422, "validation_failed");
    }
}

async fn a_number_changed_since_is_not_verified_by_the_code_before(app: &TestApp, user_type: &str) {
    let (person, pair) = member_with_mobile(app, user_type).await;
    let (challenge, code) = ask(app, user_type, &person, &pair).await;
    let theirs = mobile();
    app.update(user_type, &pair.access, &json!({ "phone": theirs }))
        .await
        .expect(200);
    app.send_code(user_type, &pair.access, &challenge, &code)
        .await
        .expect_problem(400, "code_invalid");
    let profile = app.profile(user_type, &pair.access).await.json();
    assert_eq!(
        (&profile["phone"], &profile["is_phone_verified"]),
        (&json!(theirs), &json!(false))
    );
    // Nor does changing numbers get round the pause between texts.
    app.ask_code(user_type, &pair.access, &json!({}))
        .await
        .expect_problem(429, "code_sent_recently");
}

async fn success_does_not_begin_the_counts_anew(app: &TestApp, user_type: &str) {
    let (person, pair) = member_with_mobile(app, user_type).await;
    let (challenge, code) = ask(app, user_type, &person, &pair).await;
    for by in 1..=4 {
        app.send_code(user_type, &pair.access, &challenge, &wrong(&code, by))
            .await
            .expect(400);
    }
    app.send_code(user_type, &pair.access, &challenge, &code)
        .await
        .expect(200);
    app.ask_code(user_type, &pair.access, &json!({}))
        .await
        .expect_problem(429, "code_sent_recently");
    // Whoever verifies a phone of theirs in between has no more than ten tries an hour for that of somebody else.
    app.clock.advance(Duration::from_mins(1));
    let victim = mobile();
    let answer = app.ask_code(user_type, &pair.access, &json!({ "phone": victim })).await;
    let challenge = answer.expect(202).member("otp");
    let code = app.next_code(&victim).await;
    for by in 1..=5 {
        app.send_code(user_type, &pair.access, &challenge, &wrong(&code, by))
            .await
            .expect(400);
    }
    app.clock.advance(Duration::from_mins(2));
    let answer = app.ask_code(user_type, &pair.access, &json!({})).await.expect(202);
    let code = app.next_code(&victim).await;
    app.send_code(user_type, &pair.access, &answer.member("otp"), &code)
        .await
        .expect_problem(400, "code_invalid");
}

async fn numbers_that_take_no_texts_are_refused(app: &TestApp, user_type: &str) {
    let (_, pair) = app.member(user_type).await;
    // The profile's, which is nobody's; a landline of Berlin; a premium line; too short for its country.
    app.ask_code(user_type, &pair.access, &json!({}))
        .await
        .expect_problem(422, "phone_not_textable");
    for number in ["+4930901820", "+499001234567", "+4915112"] {
        let refused = app.ask_code(user_type, &pair.access, &json!({ "phone": number })).await;
        refused.expect_problem(422, "phone_not_textable");
    }
    let none = json!({ "phone": null });
    app.update(user_type, &pair.access, &none).await.expect(200);
    app.ask_code(user_type, &pair.access, &json!({}))
        .await
        .expect_problem(422, "phone_missing");
    assert_eq!(app.all_texts().await.len(), 0);
}
