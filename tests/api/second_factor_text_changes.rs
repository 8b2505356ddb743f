//! Codes by text as a second factor: where they may be turned on, beside an authenticator app, and the number that they hang
//! on.

use std::time::Duration;

use futures_util::future::join_all;
use sealgate::storage::Ref;
use serde_json::json;

use crate::{
    administration::{administrator, send},
    second_factor_texts::{Texted, allowing, ask, ask_for_half, of_each, reachable, show, text, texted, turn_on},
    support::{Answer, Authenticator, Pair, Person, Setup, StoreSet, TestApp, mobile, part, recovery_codes},
};

cases_per_store! {
    only_a_verified_phone_where_the_user_type_allows_it
    what_holds_texts_back_holds_these_back
    a_number_has_one_limit_of_texts_whatever_for
    the_number_stays_until_they_are_turned_off
    beside_an_app_either_may_be_turned_off
    where_a_factor_is_needed_they_are_one
    a_record_shows_neither_code_nor_key
}

const MINUTE: Duration = Duration::from_mins(1);

async fn only_a_verified_phone_where_the_user_type_allows_it(stores: &StoreSet) {
    let setup = Setup::new(stores).set("SMS_SECOND_FACTOR_User1", "on");
    let app = setup.spawn().await;
    let (_, elsewhere) = reachable(&app, "User2").await;
    ask(&app, "User2", &elsewhere)
        .await
        .expect_problem(409, "mfa_sms_not_allowed");
    turn_on(&app, "User2", &elsewhere, "042042")
        .await
        .expect_problem(409, "mfa_sms_not_allowed");

    let path = "/User1/mfa/sms";
    app.post(path).send().await.expect_problem(401, "missing_token");
    let garbled = app.post(path).json(&json!({ "mfa_token": "mf1.x" })).send().await;
    garbled.expect_problem(401, "mfa_token_invalid");
    let person = Person::new().with_mobile();
    app.join("User1", &person).await;
    let unverified = app.login("User1", &person).await;
    ask(&app, "User1", &unverified)
        .await
        .expect_problem(409, "phone_not_verified");
    turn_on(&app, "User1", &unverified, "042042")
        .await
        .expect_problem(409, "phone_not_verified");
    // Who has an app and no texts.
    let protected = app.protected("User1").await;
    let token = app.first_half("User1", &protected.person).await;
    ask_for_half(&app, "User1", &token)
        .await
        .expect_problem(409, "mfa_not_enabled");
    show(&app, "User1", &token, "042042")
        .await
        .expect_problem(400, "code_invalid");

    let (person, pair) = reachable(&app, "User1").await;
    let code = text(&app, "User1", &person, &pair).await;
    app.clock.advance(5 * MINUTE);
    turn_on(&app, "User1", &pair, &code)
        .await
        .expect_problem(401, "insufficient_user_authentication");
    ask(&app, "User1", &pair)
        .await
        .expect_problem(401, "insufficient_user_authentication");
    let own = texted(&app, "User1").await;
    app.shut_down().await;

    // Not allowed any more: whoever has it on keeps it, and nobody turns it on.
    let app = setup.set("SMS_SECOND_FACTOR_User1", "off").spawn().await;
    let (_, late) = reachable(&app, "User1").await;
    ask(&app, "User1", &late)
        .await
        .expect_problem(409, "mfa_sms_not_allowed");
    // This app has read neither the one that verified the number nor the one that turned them on.
    app.next_code(&own.person.phone).await;
    app.next_code(&own.person.phone).await;
    let token = app.first_half("User1", &own.person).await;
    ask_for_half(&app, "User1", &token).await.expect(202);
    let code = app.next_code(&own.person.phone).await;
    show(&app, "User1", &token, &code).await.expect(200);
    app.shut_down().await;
}

async fn what_holds_texts_back_holds_these_back(stores: &StoreSet) {
    let app = allowing(stores).set("SMS_DAILY_CAP_User1", "3").spawn().await;
    let own = texted(&app, "User1").await;
    let token = app.first_half("User1", &own.person).await;
    ask_for_half(&app, "User1", &token).await.expect(202);
    app.next_code(&own.person.phone).await;
    let soon = ask_for_half(&app, "User1", &token).await;
    let soon = soon.expect_problem(429, "code_sent_recently");
    // The second in a row: two minutes.
    assert_eq!(soon.header("retry-after"), "120");
    app.clock.advance(2 * MINUTE);
    ask_for_half(&app, "User1", &token)
        .await
        .expect_problem(503, "texts_paused");
    let body = json!({ "mfa_token": token, "recovery_code": own.recovery_codes[0] });
    app.verify_mfa("User1", &body).await.expect(200);
    assert_eq!(app.all_texts().await.len(), 3);
    app.shut_down().await;
}

async fn a_number_has_one_limit_of_texts_whatever_for(stores: &StoreSet) {
    let limits = allowing(stores).set("RATE_LIMITS", "on");
    let app = limits.set("LIMIT_TEXTS_TO_NUMBER", "3/h").spawn().await;
    // One verified it, one turned it on.
    let own = texted(&app, "User2").await;
    let token = app.first_half("User2", &own.person).await;
    ask_for_half(&app, "User2", &token).await.expect(202);
    app.clock.advance(2 * MINUTE);
    ask_for_half(&app, "User2", &token)
        .await
        .expect_problem(429, "too_many_requests");
    app.shut_down().await;
}

async fn turn_off(app: &TestApp, user_type: &str, pair: &Pair, factor: &str) -> Answer {
    let call = app.call("DELETE", &format!("/{user_type}/mfa/{factor}"));
    call.bearer(&pair.access).send().await
}

async fn the_number_stays_until_they_are_turned_off(stores: &StoreSet) {
    of_each(stores, async |app, user_type| {
        let Texted { person, pair, .. } = texted(app, user_type).await;
        let admin = administrator(app, user_type).await;
        let id = app.profile(user_type, &pair.access).await.expect(200).member("id");
        for phone in [json!(mobile()), json!(null)] {
            let change = json!({ "phone": phone });
            app.update(user_type, &pair.access, &change)
                .await
                .expect_problem(409, "phone_is_second_factor");
            // Nor by somebody who may change a profile and not a factor.
            let path = format!("/{user_type}/admin/accounts/{id}");
            let refused = send(app, "PUT", &path, &admin, Some(&change)).await;
            refused.expect_problem(409, "phone_is_second_factor");
        }
        app.ask_code(user_type, &pair.access, &json!({ "phone": mobile() }))
            .await
            .expect_problem(409, "phone_is_second_factor");
        // The same number, and everything else, as ever.
        let change = json!({ "phone": person.phone, "first_name": "Ada" });
        let profile = app.update(user_type, &pair.access, &change).await.expect(200).json();
        assert_eq!(
            (&profile["first_name"], &profile["is_phone_verified"]),
            (&json!("Ada"), &json!(true))
        );
        turn_off(app, user_type, &pair, "sms").await.expect(200);
        let change = json!({ "phone": mobile() });
        app.update(user_type, &pair.access, &change).await.expect(200);
        ask(app, user_type, &pair)
            .await
            .expect_problem(409, "phone_not_verified");

        // A code to the number before turns nothing on.
        let (person, pair) = reachable(app, user_type).await;
        let code = text(app, user_type, &person, &pair).await;
        let other = mobile();
        app.clock.advance(MINUTE);
        let asked = app.ask_code(user_type, &pair.access, &json!({ "phone": other })).await;
        let challenge = asked.expect(202).member("otp");
        let verifying = app.next_code(&other).await;
        app.send_code(user_type, &pair.access, &challenge, &verifying)
            .await
            .expect(200);
        turn_on(app, user_type, &pair, &code)
            .await
            .expect_problem(400, "code_invalid");
    })
    .await;
}

async fn beside_an_app_either_may_be_turned_off(stores: &StoreSet) {
    of_each(stores, async |app, user_type| {
        // An app first, texts beside it, then no app.
        let (person, pair) = reachable(app, user_type).await;
        let secret = app.enrol(user_type, &pair.access).await.expect(200).member("secret");
        let authenticator = Authenticator::of(&secret);
        let code = authenticator.code(app);
        let with_app = app.confirm_totp(user_type, &pair.access, &code).await.expect(200);
        let code = text(app, user_type, &person, &pair).await;
        let with_texts = turn_on(app, user_type, &pair, &code).await.expect(200);
        let (old, codes) = (recovery_codes(&with_app), recovery_codes(&with_texts));
        app.clock.advance(2 * MINUTE);
        let half = app.sign_in(user_type, &person.email, &person.password).await;
        let half = half.expect_problem(403, "mfa_required");
        assert_eq!(half.json()["mfa_methods"], json!(["totp", "sms", "recovery_code"]));
        let token = half.member("mfa_token");
        let with = async |token: &str, name: &str, code: &str| {
            let body = json!({ "mfa_token": token, name: code });
            app.verify_mfa(user_type, &body).await
        };
        with(&token, "recovery_code", &old[0])
            .await
            .expect_problem(400, "code_invalid");
        with(&token, "code", &authenticator.code(app)).await.expect(200);
        ask_for_half(app, user_type, &token).await.expect(202);
        with(&token, "sms_code", &app.next_code(&person.phone).await)
            .await
            .expect(200);
        app.settle().await;
        turn_off(app, user_type, &pair, "totp").await.expect(200);
        turn_off(app, user_type, &pair, "totp")
            .await
            .expect_problem(409, "mfa_not_enabled");
        let half = app.sign_in(user_type, &person.email, &person.password).await;
        let half = half.expect_problem(403, "mfa_required");
        assert_eq!(half.json()["mfa_methods"], json!(["sms", "recovery_code"]));
        let token = half.member("mfa_token");
        with(&token, "recovery_code", &codes[0]).await.expect(200);
        app.settle().await;
        let mails = app.mails(&person.email);
        let changed = mails.iter().filter(|mail| mail.subject.starts_with("What signing in"));
        assert_eq!(changed.count(), 2, "texts on, app off");
        turn_off(app, user_type, &pair, "sms").await.expect(200);
        app.login(user_type, &person).await;

        // Texts first, an app beside them, then no texts.
        let Texted {
            person,
            pair,
            recovery_codes: old,
        } = texted(app, user_type).await;
        let secret = app.enrol(user_type, &pair.access).await.expect(200).member("secret");
        let authenticator = Authenticator::of(&secret);
        let code = authenticator.code(app);
        let codes = recovery_codes(&app.confirm_totp(user_type, &pair.access, &code).await.expect(200));
        let token = app.first_half(user_type, &person).await;
        with(&token, "recovery_code", &old[0])
            .await
            .expect_problem(400, "code_invalid");
        with(&token, "recovery_code", &codes[0]).await.expect(200);
        let path = format!("/{user_type}/mfa/recovery-codes");
        let replaced = app.post(&path).bearer(&pair.access).send().await.expect(200);
        let codes = recovery_codes(&replaced);
        turn_off(app, user_type, &pair, "sms").await.expect(200);
        app.clock.advance(MINUTE);
        let token = app.first_half(user_type, &person).await;
        with(&token, "recovery_code", &codes[0]).await.expect(200);
        with(&token, "code", &authenticator.code(app)).await.expect(200);
        show(app, user_type, &token, "042042")
            .await
            .expect_problem(400, "code_invalid");
    })
    .await;
}

async fn where_a_factor_is_needed_they_are_one(stores: &StoreSet) {
    let setup = allowing(stores);
    let app = setup.spawn().await;
    let (person, _) = reachable(&app, "User1").await;
    let unverified = Person::new().with_mobile();
    app.join("User1", &unverified).await;
    app.settle().await;
    app.shut_down().await;

    let app = setup.set("SECOND_FACTOR", "required").spawn().await;
    let waiting = async |person: &Person| {
        let refused = app.sign_in("User1", &person.email, &person.password).await;
        let token = refused
            .expect_problem(403, "mfa_enrolment_required")
            .member("mfa_token");
        app.keep_secret(&token);
        token
    };
    let token = waiting(&unverified).await;
    ask_for_half(&app, "User1", &token)
        .await
        .expect_problem(409, "phone_not_verified");
    // This app has not read the one that verified the number.
    app.next_code(&person.phone).await;
    let token = waiting(&person).await;
    ask_for_half(&app, "User1", &token).await.expect(202);
    let code = app.next_code(&person.phone).await;
    // It shows no factor that the account has not yet.
    show(&app, "User1", &token, &code)
        .await
        .expect_problem(401, "mfa_token_invalid");
    let confirm = async || {
        let call = app.post("/User1/mfa/sms/confirm");
        call.json(&json!({ "mfa_token": token, "sms_code": code })).send().await
    };
    let answers = join_all((0..5).map(|_| confirm())).await;
    let confirmed: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(confirmed.len(), 1);
    let answer = confirmed[0];
    assert_eq!(recovery_codes(answer).len(), 10);
    let tokens = answer.json()["tokens"].clone();
    let pair = Pair {
        access: tokens["access_token"].as_str().expect("a token").to_owned(),
        refresh: tokens["refresh_token"].as_str().expect("a token").to_owned(),
    };
    assert_eq!(part(&pair.access, 1)["amr"], json!(["pwd", "sms", "mfa"]));
    app.profile("User1", &pair.access).await.expect(200);
    confirm().await.expect_problem(401, "mfa_token_invalid");
    app.first_half("User1", &person).await;
    turn_off(&app, "User1", &pair, "sms")
        .await
        .expect_problem(409, "mfa_mandatory");
    // With an app beside it, it is not the last.
    let secret = app.enrol("User1", &pair.access).await.expect(200).member("secret");
    let code = Authenticator::of(&secret).code(&app);
    app.confirm_totp("User1", &pair.access, &code).await.expect(200);
    turn_off(&app, "User1", &pair, "sms").await.expect(200);
    turn_off(&app, "User1", &pair, "totp")
        .await
        .expect_problem(409, "mfa_mandatory");
    app.shut_down().await;
}

async fn a_record_shows_neither_code_nor_key(stores: &StoreSet) {
    of_each(stores, async |app, user_type| {
        let (person, pair) = reachable(app, user_type).await;
        let id = app.profile(user_type, &pair.access).await.member("id");
        let key = Ref::new(&user_type.parse().expect("a type"), id.parse().expect("an id"));
        let stored = async || {
            let account = app.open_stores().await.accounts.find(&key).await.expect("a store");
            bson::serialize_to_vec(&account.expect("an account")).expect("a document")
        };
        let code = text(app, user_type, &person, &pair).await;
        let asked = stored().await;
        let on = turn_on(app, user_type, &pair, &code).await.expect(200);
        let on_record = stored().await;
        for record in [&asked, &on_record] {
            let is_there = |what: &[u8]| record.windows(what.len()).any(|window| window == what);
            assert!(!is_there(code.as_bytes()) && !is_there(person.phone.as_bytes()));
            for code in recovery_codes(&on) {
                let random = data_encoding::BASE32_NOPAD.decode(code.replace('-', "").to_uppercase().as_bytes());
                assert!(!is_there(code.as_bytes()) && !is_there(&random.expect("base32")));
            }
        }
    })
    .await;
}
