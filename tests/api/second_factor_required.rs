//! User types whose accounts need a second factor; and second factors amid everything else.

use std::{process::Command, time::Duration};

use futures_util::future::{join, join_all, join3};
use sealgate::domain::clock::Clock as _;
use serde_json::json;

use crate::support::{Authenticator, Pair, Setup, StoreSet, TestApp, part, recovery_codes};

cases_once! {
    a_stock_app_shows_the_codes
}

cases_per_store! {
    who_has_none_sets_one_up_at_the_next_sign_in
    one_that_is_needed_is_replaced_and_not_turned_off
    set_up_while_signing_in_no_session_has_the_password_alone
    deleted_while_signing_in_nothing_is_left
    changed_from_both_sides_at_once_one_holds
    five_a_minute_of_one_account_are_enough
}

async fn required(stores: &StoreSet) -> TestApp {
    Setup::new(stores).set("SECOND_FACTOR_User1", "required").spawn().await
}

async fn who_has_none_sets_one_up_at_the_next_sign_in(stores: &StoreSet) {
    let app = required(stores).await;
    let person = crate::support::Person::new();
    app.join("User1", &person).await;
    let refused = app.sign_in("User1", &person.email, &person.password).await;
    let refused = refused.expect_problem(403, "mfa_enrolment_required");
    let token = refused.member("mfa_token");
    assert!(refused.json()["mfa_methods"].is_null());
    // Good for that alone.
    app.profile("User1", &token).await.expect_problem(401, "invalid_token");
    let body = json!({ "mfa_token": token, "code": "042042" });
    app.verify_mfa("User1", &body)
        .await
        .expect_problem(401, "mfa_token_invalid");
    let enrol = async |user_type: &str| {
        let call = app.post(&format!("/{user_type}/mfa/totp"));
        call.json(&json!({ "mfa_token": token })).send().await
    };
    enrol("User2").await.expect_problem(401, "mfa_token_invalid");
    let shown = enrol("User1").await.expect(200);
    let authenticator = Authenticator::of(&shown.member("secret"));
    let confirm = async |code: String| {
        let call = app.post("/User1/mfa/totp/confirm");
        call.json(&json!({ "mfa_token": token, "code": code })).send().await
    };
    let before = authenticator.code_in(&app, -2);
    confirm(before).await.expect_problem(400, "code_invalid");
    let code = authenticator.code(&app);
    let answers = join_all((0..5).map(|_| confirm(code.clone()))).await;
    let confirmed: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(confirmed.len(), 1);
    assert!(!confirmed[0].header("x-device-token").is_empty());
    assert_eq!(recovery_codes(confirmed[0]).len(), 10);
    let tokens = confirmed[0].json()["tokens"].clone();
    let access = tokens["access_token"].as_str().expect("a token");
    assert_eq!(part(access, 1)["amr"], json!(["pwd", "otp", "mfa"]));
    app.profile("User1", access).await.expect(200);
    enrol("User1").await.expect_problem(401, "mfa_token_invalid");
    confirm(authenticator.code(&app))
        .await
        .expect_problem(401, "mfa_token_invalid");
    app.first_half("User1", &person).await;
    // The other user type asks for nothing.
    app.member("User2").await;
    app.shut_down().await;
}

async fn one_that_is_needed_is_replaced_and_not_turned_off(stores: &StoreSet) {
    let setup = Setup::new(stores);
    let app = setup.spawn().await;
    let own = app.protected("User1").await;
    let authenticator = Authenticator::of(&app.enrol("User1", &own.pair.access).await.expect(200).member("secret"));
    app.shut_down().await;
    let app = setup.set("SECOND_FACTOR", "required").spawn().await;
    let body = json!({ "mfa_token": app.first_half("User1", &own.person).await, "code": own.authenticator.code(&app) });
    let pair = Pair::of(&app, &app.verify_mfa("User1", &body).await.expect(200));
    let off = app.call("DELETE", "/User1/mfa/totp").bearer(&pair.access);
    off.send().await.expect_problem(409, "mfa_mandatory");
    app.confirm_totp("User1", &pair.access, &authenticator.code(&app))
        .await
        .expect(200);
    app.shut_down().await;
}

async fn set_up_while_signing_in_no_session_has_the_password_alone(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    for _ in 0..5 {
        let (person, own) = app.member("User1").await;
        let authenticator = Authenticator::of(&app.enrol("User1", &own.access).await.expect(200).member("secret"));
        let code = authenticator.code(&app);
        let sign_ins = join_all((0..6).map(|_| app.sign_in("User1", &person.email, &person.password)));
        let (confirmed, sign_ins) = join(app.confirm_totp("User1", &own.access, &code), sign_ins).await;
        confirmed.expect(200);
        for answer in sign_ins {
            if answer.status == 200 {
                // It began before, and ended with it.
                let pair = Pair::of(&app, &answer);
                app.profile("User1", &pair.access)
                    .await
                    .expect_problem(401, "invalid_token");
            } else {
                assert!([403, 503].contains(&answer.status), "{}", answer.text());
            }
        }
        app.profile("User1", &own.access).await.expect(200);
    }
    app.shut_down().await;
}

async fn deleted_while_signing_in_nothing_is_left(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    for _ in 0..3 {
        let own = app.protected("User1").await;
        let token = app.first_half("User1", &own.person).await;
        let show = |code: &String| json!({ "mfa_token": token, "recovery_code": code });
        let bodies: Vec<_> = own.recovery_codes.iter().map(show).collect();
        let halves = join_all(bodies.iter().map(|body| app.verify_mfa("User1", body)));
        let delete = json!({});
        let deleted = app.delete("User1", &own.pair.access, &delete);
        let path = "/User1/mfa/recovery-codes";
        let replaced = app.post(path).bearer(&own.pair.access).send();
        let (deleted, halves, _) = join3(deleted, halves, replaced).await;
        deleted.expect(200);
        for answer in halves.iter().filter(|answer| answer.status == 200) {
            let pair = Pair::of(&app, answer);
            app.profile("User1", &pair.access)
                .await
                .expect_problem(401, "invalid_token");
        }
        app.verify_mfa("User1", &bodies[0])
            .await
            .expect_problem(401, "mfa_token_invalid");
        app.sign_in("User1", &own.person.email, &own.person.password)
            .await
            .expect_problem(401, "invalid_credentials");
    }
    app.shut_down().await;
}

async fn changed_from_both_sides_at_once_one_holds(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    let own = app.protected("User1").await;
    let path = "/User1/mfa/totp";
    let other = Authenticator::of(&app.enrol("User1", &own.pair.access).await.expect(200).member("secret"));
    let code = other.code(&app);
    let off = app.call("DELETE", path).bearer(&own.pair.access).send();
    let change = json!({ "first_name": "Grace" });
    let updated = app.update("User1", &own.pair.access, &change);
    let (confirmed, off, updated) = join3(app.confirm_totp("User1", &own.pair.access, &code), off, updated).await;
    updated.expect(200);
    let profile = app.profile("User1", &own.pair.access).await.expect(200).json();
    assert_eq!(profile["first_name"], "Grace");
    // Whichever came last; turned off, what waited for its code is gone too.
    match (confirmed.status, off.status) {
        (200, 200) => {}
        (400, 200) => assert_eq!(profile["mfa_enabled"], false),
        (confirmed, off) => panic!("confirmed {confirmed}, off {off}"),
    }
    let signed_in = app.sign_in("User1", &own.person.email, &own.person.password).await;
    let expected = if profile["mfa_enabled"] == true { 403 } else { 200 };
    assert_eq!(signed_in.status, expected, "{}", signed_in.text());
    app.shut_down().await;
}

async fn five_a_minute_of_one_account_are_enough(stores: &StoreSet) {
    let app = Setup::new(stores).set("RATE_LIMITS", "on").spawn().await;
    let own = app.protected("User1").await;
    let token = app.first_half("User1", &own.person).await;
    let body = json!({ "mfa_token": token, "code": "000000" });
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(app.verify_mfa("User1", &body).await.status);
    }
    assert_eq!(statuses, [400, 400, 400, 400, 400, 429]);
    app.shut_down().await;
}

/// `oathtool` of the distribution is given what was shown to be typed in, and the time.
async fn a_stock_app_shows_the_codes(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    let (person, own) = app.member("User1").await;
    let secret = app.enrol("User1", &own.access).await.expect(200).member("secret");
    let code = || {
        let now = format!("@{}", app.clock.now().as_secs());
        let shown = Command::new("oathtool")
            .args(["--totp", "--base32", "--now", &now, &secret])
            .output()
            .expect("oathtool, of the package of that name");
        let shown = String::from_utf8(shown.stdout).expect("digits").trim().to_owned();
        app.keep_secret(&shown);
        shown
    };
    app.confirm_totp("User1", &own.access, &code()).await.expect(200);
    for _ in 0..3 {
        app.clock.advance(Duration::from_secs(30));
        let token = app.first_half("User1", &person).await;
        let body = json!({ "mfa_token": token, "code": code() });
        app.verify_mfa("User1", &body).await.expect(200);
    }
    app.shut_down().await;
}
