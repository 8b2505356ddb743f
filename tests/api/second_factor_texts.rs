//! Codes by text as a second factor: turned on, shown, bound to what they were asked for.

use std::time::Duration;

use futures_util::future::join_all;
use sealgate::domain::audit::AuditEvent;
use serde_json::{Value, json};

use crate::support::{Answer, Pair, Person, Setup, StoreSet, TestApp, part, recovery_codes};

cases_per_store! {
    signing_in_takes_a_text_once_they_are_turned_on
    a_code_is_good_once_and_for_one_sign_in
    a_code_shown_fifty_times_at_once_begins_one_session
    five_of_one_code_are_compared_and_ten_an_hour
    a_fresh_proof_takes_a_text_of_its_session
    what_is_no_code_of_a_text_is_told_why
}

pub(super) const TYPES: [&str; 2] = ["User1", "User2"];
const MINUTE: Duration = Duration::from_mins(1);

/// Somebody whose account takes codes by text.
pub(super) struct Texted {
    pub(super) person: Person,
    pub(super) pair: Pair,
    pub(super) recovery_codes: Vec<String>,
}

/// A service whose user types allow codes by text.
pub(super) fn allowing(stores: &StoreSet) -> Setup {
    Setup::new(stores).set("SMS_SECOND_FACTOR", "on")
}

/// Runs `case` for each user type of one service that allows them.
pub(super) async fn of_each(stores: &StoreSet, case: impl AsyncFn(&TestApp, &str)) {
    let app = allowing(stores).spawn().await;
    for user_type in TYPES {
        case(&app, user_type).await;
    }
    app.shut_down().await;
}

/// Somebody with a verified phone, signed in.
pub(super) async fn reachable(app: &TestApp, user_type: &str) -> (Person, Pair) {
    let person = Person::new().with_mobile();
    app.join(user_type, &person).await;
    let pair = app.login(user_type, &person).await;
    let asked = app.ask_code(user_type, &pair.access, &json!({})).await.expect(202);
    let code = app.next_code(&person.phone).await;
    let sent = app
        .send_code(user_type, &pair.access, &asked.member("otp"), &code)
        .await;
    sent.expect(200);
    (person, pair)
}

/// The same, with codes by text turned on, two minutes ago: another may be asked for.
pub(super) async fn texted(app: &TestApp, user_type: &str) -> Texted {
    let (person, pair) = reachable(app, user_type).await;
    let code = text(app, user_type, &person, &pair).await;
    let on = turn_on(app, user_type, &pair, &code).await.expect(200);
    app.clock.advance(2 * MINUTE);
    Texted {
        person,
        pair,
        recovery_codes: recovery_codes(&on),
    }
}

/// Asks for a code, signed in.
pub(super) async fn ask(app: &TestApp, user_type: &str, pair: &Pair) -> Answer {
    let call = app.post(&format!("/{user_type}/mfa/sms")).bearer(&pair.access);
    call.send().await
}

/// Asks for a code, signed in, and reads it.
pub(super) async fn text(app: &TestApp, user_type: &str, person: &Person, pair: &Pair) -> String {
    ask(app, user_type, pair).await.expect(202);
    app.next_code(&person.phone).await
}

/// Asks for a code for a sign-in that waits.
pub(super) async fn ask_for_half(app: &TestApp, user_type: &str, token: &str) -> Answer {
    let call = app.post(&format!("/{user_type}/mfa/sms"));
    call.json(&json!({ "mfa_token": token })).send().await
}

/// Turns codes by text on.
pub(super) async fn turn_on(app: &TestApp, user_type: &str, pair: &Pair, code: &str) -> Answer {
    let call = app.post(&format!("/{user_type}/mfa/sms/confirm")).bearer(&pair.access);
    call.json(&json!({ "sms_code": code })).send().await
}

/// Shows a code of a text.
pub(super) async fn show(app: &TestApp, user_type: &str, token: &str, code: &str) -> Answer {
    app.verify_mfa(user_type, &json!({ "mfa_token": token, "sms_code": code }))
        .await
}

fn wrong(code: &str, by: u32) -> String {
    let code: u32 = code.parse().expect("six digits");
    format!("{:06}", (code + by) % 1_000_000)
}

async fn signing_in_takes_a_text_once_they_are_turned_on(stores: &StoreSet) {
    of_each(stores, async |app, user_type| {
        let (person, pair) = reachable(app, user_type).await;
        let elsewhere = app.login(user_type, &person).await;
        let asked = ask(app, user_type, &pair).await.expect(202);
        assert_eq!(asked.json()["expires_in"], 300);
        let code = app.next_code(&person.phone).await;
        assert!(!asked.text().contains(&code) && !asked.text().contains(&person.phone));
        // Not before the code came back.
        app.login(user_type, &person).await;
        let refused = turn_on(app, user_type, &pair, &wrong(&code, 1)).await;
        refused.expect_problem(400, "code_invalid");
        let on = turn_on(app, user_type, &pair, &code).await.expect(200);
        assert_eq!(recovery_codes(&on).len(), 10);
        assert!(on.json()["tokens"].is_null(), "nobody waited");
        app.profile(user_type, &elsewhere.access)
            .await
            .expect_problem(401, "invalid_token");
        let profile = app.profile(user_type, &pair.access).await.expect(200).json();
        assert_eq!(profile["mfa_enabled"], true);
        let notice = app.next_mail(&person.email).await;
        assert!(notice.subject.contains("takes a code from now on"), "{notice:?}");

        app.clock.advance(MINUTE);
        let refused = app.sign_in(user_type, &person.email, &person.password).await;
        let refused = refused.expect_problem(403, "mfa_required");
        assert_eq!(refused.json()["mfa_methods"], json!(["sms", "recovery_code"]));
        let token = refused.member("mfa_token");
        app.keep_secret(&token);
        ask_for_half(app, user_type, &token).await.expect(202);
        let code = app.next_code(&person.phone).await;
        // No code of an app, and no right one of another kind.
        let body = json!({ "mfa_token": token, "code": code });
        app.verify_mfa(user_type, &body)
            .await
            .expect_problem(400, "code_invalid");
        let signed_in = Pair::of(app, &show(app, user_type, &token, &code).await.expect(200));
        assert_eq!(part(&signed_in.access, 1)["amr"], json!(["pwd", "sms", "mfa"]));
        let renewed = Pair::of(app, &app.refresh(user_type, &signed_in.refresh).await.expect(200));
        assert_eq!(part(&renewed.access, 1)["amr"], json!(["pwd", "sms", "mfa"]));
        let codes = recovery_codes(&on);
        let body = json!({ "mfa_token": token, "recovery_code": codes[0] });
        app.verify_mfa(user_type, &body).await.expect(200);

        app.settle().await;
        let audit = app.audit(user_type).await;
        let of = |event| audit.iter().filter(move |entry| entry.event == event);
        assert_eq!(of(AuditEvent::SecondFactorCodeRequested).count(), 2);
        let enrolled: Vec<_> = of(AuditEvent::SecondFactorEnrolled).collect();
        assert_eq!((enrolled.len(), enrolled[0].details.get("factor")), (1, Some("sms")));
        let sent = of(AuditEvent::MessageSent).filter(|entry| entry.details.get("kind") == Some("second_factor_code"));
        assert_eq!(sent.count(), 2);
    })
    .await;
}

async fn a_code_is_good_once_and_for_one_sign_in(stores: &StoreSet) {
    of_each(stores, async |app, user_type| {
        let own = texted(app, user_type).await;
        let first = app.first_half(user_type, &own.person).await;
        app.clock.advance(Duration::from_millis(1));
        let second = app.first_half(user_type, &own.person).await;
        assert_ne!(first, second);
        ask_for_half(app, user_type, &first).await.expect(202);
        let code = app.next_code(&own.person.phone).await;
        let elsewhere = show(app, user_type, &second, &code).await;
        elsewhere.expect_problem(400, "code_invalid");
        show(app, user_type, &first, &code).await.expect(200);
        show(app, user_type, &first, &code)
            .await
            .expect_problem(400, "code_invalid");

        // What a session asked for is good in no sign-in, and the other way round.
        app.clock.advance(4 * MINUTE);
        let token = app.first_half(user_type, &own.person).await;
        let code = text(app, user_type, &own.person, &own.pair).await;
        show(app, user_type, &token, &code)
            .await
            .expect_problem(400, "code_invalid");
        // Nobody else's.
        let they = texted(app, user_type).await;
        let theirs = app.first_half(user_type, &they.person).await;
        ask_for_half(app, user_type, &theirs).await.expect(202);
        let code = app.next_code(&they.person.phone).await;
        let token = app.first_half(user_type, &own.person).await;
        show(app, user_type, &token, &code)
            .await
            .expect_problem(400, "code_invalid");
        // A later one replaces it; five minutes, and it is worth nothing.
        app.clock.advance(4 * MINUTE);
        ask_for_half(app, user_type, &theirs).await.expect(202);
        let later = app.next_code(&they.person.phone).await;
        if later != code {
            show(app, user_type, &theirs, &code)
                .await
                .expect_problem(400, "code_invalid");
        }
        app.clock.advance(5 * MINUTE);
        show(app, user_type, &theirs, &later)
            .await
            .expect_problem(400, "code_invalid");
        // Another password ends what the old one began.
        app.clock.advance(3 * MINUTE);
        let token = app.first_half(user_type, &they.person).await;
        ask_for_half(app, user_type, &token).await.expect(202);
        let code = app.next_code(&they.person.phone).await;
        app.settle().await;
        let link = async || {
            app.forget(user_type, &they.person.email).await.expect(202);
            loop {
                let mail = app.next_mail(&they.person.email).await;
                if mail.link().is_some_and(|link| link.contains("reset_password")) {
                    return mail.token();
                }
            }
        };
        let link = link().await;
        app.reset(user_type, &link, "An0ther-SecureP@ssw0rd").await.expect(200);
        show(app, user_type, &token, &code)
            .await
            .expect_problem(401, "mfa_token_invalid");
        ask_for_half(app, user_type, &token)
            .await
            .expect_problem(401, "mfa_token_invalid");
    })
    .await;
}

async fn a_code_shown_fifty_times_at_once_begins_one_session(stores: &StoreSet) {
    of_each(stores, async |app, user_type| {
        let own = texted(app, user_type).await;
        let token = app.first_half(user_type, &own.person).await;
        ask_for_half(app, user_type, &token).await.expect(202);
        let code = app.next_code(&own.person.phone).await;
        let answers = join_all((0..50).map(|_| show(app, user_type, &token, &code))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        assert!(
            answers
                .iter()
                .all(|answer| [200, 400, 429, 503].contains(&answer.status))
        );
    })
    .await;
}

async fn five_of_one_code_are_compared_and_ten_an_hour(stores: &StoreSet) {
    of_each(stores, async |app, user_type| {
        // Tests begin with an hour, and this one takes a quarter of it.
        app.clock.advance(Duration::from_hours(1));
        let own = texted(app, user_type).await;
        let token = app.first_half(user_type, &own.person).await;
        ask_for_half(app, user_type, &token).await.expect(202);
        let code = app.next_code(&own.person.phone).await;
        for by in 1..=5 {
            show(app, user_type, &token, &wrong(&code, by))
                .await
                .expect_problem(400, "code_invalid");
        }
        show(app, user_type, &token, &code)
            .await
            .expect_problem(400, "code_invalid");
        app.clock.advance(4 * MINUTE);
        ask_for_half(app, user_type, &token).await.expect(202);
        let code = app.next_code(&own.person.phone).await;
        for by in 1..=4 {
            show(app, user_type, &token, &wrong(&code, by))
                .await
                .expect_problem(400, "code_invalid");
        }
        let refused = show(app, user_type, &token, &code).await;
        let wait: u64 = refused
            .expect_problem(429, "too_many_codes")
            .header("retry-after")
            .parse()
            .expect("seconds");
        // Also the other kinds are not compared any more.
        let body = json!({ "mfa_token": token, "recovery_code": own.recovery_codes[0] });
        app.verify_mfa(user_type, &body)
            .await
            .expect_problem(429, "too_many_codes");
        app.clock.advance(Duration::from_secs(wait));
        let token = app.first_half(user_type, &own.person).await;
        ask_for_half(app, user_type, &token).await.expect(202);
        let code = app.next_code(&own.person.phone).await;
        show(app, user_type, &token, &code).await.expect(200);
    })
    .await;
}

async fn a_fresh_proof_takes_a_text_of_its_session(stores: &StoreSet) {
    of_each(stores, async |app, user_type| {
        let own = texted(app, user_type).await;
        app.clock.advance(6 * MINUTE);
        let path = format!("/{user_type}/reauthenticate");
        let prove = async |code: Value| {
            let body = json!({ "password": own.person.password, "sms_code": code });
            app.post(&path).bearer(&own.pair.access).json(&body).send().await
        };
        let bare = json!({ "password": own.person.password });
        let missing = app.post(&path).bearer(&own.pair.access).json(&bare).send().await;
        missing.expect_problem(422, "validation_failed");
        let off = app.call("DELETE", &format!("/{user_type}/mfa/sms"));
        let off = off.bearer(&own.pair.access).send().await;
        off.expect_problem(401, "insufficient_user_authentication");
        // A code is sent to an old session, too: it is asked for to make it fresh.
        let code = text(app, user_type, &own.person, &own.pair).await;
        prove(json!(wrong(&code, 1))).await.expect_problem(400, "code_invalid");
        prove(json!(code)).await.expect(200);
        prove(json!(code)).await.expect_problem(400, "code_invalid");
        let off = app.call("DELETE", &format!("/{user_type}/mfa/sms"));
        off.bearer(&own.pair.access).send().await.expect(200);
        app.login(user_type, &own.person).await;
        let again = app.call("DELETE", &format!("/{user_type}/mfa/sms"));
        again
            .bearer(&own.pair.access)
            .send()
            .await
            .expect_problem(409, "mfa_not_enabled");
    })
    .await;
}

async fn what_is_no_code_of_a_text_is_told_why(stores: &StoreSet) {
    of_each(stores, async |app, user_type| {
        let own = texted(app, user_type).await;
        let token = app.first_half(user_type, &own.person).await;
        for (body, field, code) in [
            (
                json!({ "mfa_token": token, "sms_code": "12345x" }),
                "sms_code",
                "invalid",
            ),
            (json!({ "mfa_token": token, "sms_code": [1] }), "sms_code", "invalid"),
            (json!({ "mfa_token": token, "sms_code": null }), "code", "missing"),
            (
                json!({ "mfa_token": token, "sms_code": "042042", "code": "042042" }),
                "code",
                "one_of_two",
            ),
            (
                json!({ "mfa_token": token, "sms_code": "042042", "recovery_code": "u6t2-pj5h-u6t2-pj5h" }),
                "sms_code",
                "one_of_two",
            ),
        ] {
            let refused = app
                .verify_mfa(user_type, &body)
                .await
                .expect_problem(422, "validation_failed");
            assert_eq!(refused.errors(), [(field.to_owned(), code.to_owned())], "{body}");
        }
        let path = format!("/{user_type}/mfa/sms/confirm");
        let missing = app.post(&path).bearer(&own.pair.access).json(&json!({})).send().await;
        missing.expect_problem(422, "validation_failed");
        ask_for_half(app, user_type, &token).await.expect(202);
        // An integer lost its zeros.
        let code: u64 = app.next_code(&own.person.phone).await.parse().expect("digits");
        let body = json!({ "mfa_token": token, "sms_code": code });
        app.verify_mfa(user_type, &body).await.expect(200);
    })
    .await;
}
