//! An authenticator app as a second factor: set up, shown, lost, turned off.

use std::time::Duration;

use futures_util::{
    future::join_all,
    stream::{self, StreamExt as _},
};
use sealgate::domain::audit::AuditEvent;
use serde_json::json;

use crate::support::{Authenticator, Pair, Protected, TestApp, other, part, recovery_codes};

cases! {
    signing_in_takes_a_code_once_one_is_set_up
    a_code_is_good_once_and_none_before_it
    a_code_shown_fifty_times_at_once_begins_one_session
    a_recovery_code_is_good_once_and_tells_the_owner
    a_recovery_code_shown_fifty_times_at_once_begins_one_session
    defect_24_of_a_thousand_wrong_codes_none_is_taken_and_ten_an_hour_are_compared
    the_token_of_the_first_half_is_good_for_the_second_alone
    setting_up_needs_a_fresh_sign_in_and_its_first_code_in_time
    another_app_takes_the_place_of_the_first
}

const HALF_A_MINUTE: Duration = Duration::from_secs(30);

async fn signing_in_takes_a_code_once_one_is_set_up(app: &TestApp, user_type: &str) {
    let (person, own) = app.member(user_type).await;
    let elsewhere = app.login(user_type, &person).await;
    let shown = app.enrol(user_type, &own.access).await.expect(200);
    let (secret, uri) = (shown.member("secret"), shown.member("otpauth_uri"));
    assert!(
        uri.starts_with("otpauth://totp/Sealgate:") && uri.contains(&format!("secret={secret}")),
        "{uri}"
    );
    assert!(
        uri.contains(&person.email.replace('@', "%40").replace('+', "%2B")),
        "{uri}"
    );
    let picture = shown.member("qr");
    let picture = picture.strip_prefix("data:image/svg+xml;base64,").expect("an SVG");
    let picture = data_encoding::BASE64.decode(picture.as_bytes()).expect("base64");
    assert!(String::from_utf8(picture).expect("text").starts_with("<svg"));
    // Not before its first code.
    app.login(user_type, &person).await;
    let authenticator = Authenticator::of(&secret);
    let confirmed = app
        .confirm_totp(user_type, &own.access, &authenticator.code(app))
        .await
        .expect(200);
    assert_eq!(recovery_codes(&confirmed).len(), 10);
    assert!(confirmed.json()["tokens"].is_null(), "nobody waited");
    app.profile(user_type, &elsewhere.access)
        .await
        .expect_problem(401, "invalid_token");
    let profile = app.profile(user_type, &own.access).await.expect(200).json();
    assert_eq!(profile["mfa_enabled"], true);
    let notice = app.next_mail(&person.email).await;
    assert!(notice.subject.contains("takes a code from now on"), "{notice:?}");

    app.clock.advance(HALF_A_MINUTE);
    let refused = app.sign_in(user_type, &person.email, &person.password).await;
    let refused = refused.expect_problem(403, "mfa_required").json();
    assert_eq!(refused["mfa_methods"], json!(["totp", "recovery_code"]));
    assert_eq!(refused["error"], "invalid_grant");
    let token = refused["mfa_token"].as_str().expect("a token");
    let body = json!({ "mfa_token": token, "code": authenticator.code(app) });
    let signed_in = app.verify_mfa(user_type, &body).await.expect(200);
    let pair = Pair::of(app, &signed_in);
    assert_eq!(part(&pair.access, 1)["amr"], json!(["pwd", "otp", "mfa"]));
    app.profile(user_type, &pair.access).await.expect(200);
    let renewed = Pair::of(app, &app.refresh(user_type, &pair.refresh).await.expect(200));
    assert_eq!(part(&renewed.access, 1)["amr"], json!(["pwd", "otp", "mfa"]));
    let events: Vec<_> = app
        .audit(user_type)
        .await
        .into_iter()
        .map(|entry| entry.event)
        .collect();
    for event in [
        AuditEvent::SecondFactorEnrolled,
        AuditEvent::SecondFactorAsked,
        AuditEvent::SignedIn,
    ] {
        assert!(events.contains(&event), "{event:?}");
    }
}

async fn a_code_is_good_once_and_none_before_it(app: &TestApp, user_type: &str) {
    let Protected {
        person, authenticator, ..
    } = app.protected(user_type).await;
    let token = app.first_half(user_type, &person).await;
    let show = async |code: String| {
        app.verify_mfa(user_type, &json!({ "mfa_token": token, "code": code }))
            .await
    };
    let code = authenticator.code(app);
    show(code.clone()).await.expect(200);
    show(code).await.expect_problem(400, "code_invalid");
    show(authenticator.code_in(app, -1))
        .await
        .expect_problem(400, "code_invalid");
    show(authenticator.code_in(app, 1))
        .await
        .expect_problem(400, "code_invalid");
    app.clock.advance(2 * HALF_A_MINUTE);
    // One step late is in time, and then the one of now.
    show(authenticator.code_in(app, -1)).await.expect(200);
    show(authenticator.code(app)).await.expect(200);
    show(authenticator.code_in(app, -1))
        .await
        .expect_problem(400, "code_invalid");
}

async fn a_code_shown_fifty_times_at_once_begins_one_session(app: &TestApp, user_type: &str) {
    let Protected {
        person, authenticator, ..
    } = app.protected(user_type).await;
    let token = app.first_half(user_type, &person).await;
    let body = json!({ "mfa_token": token, "code": authenticator.code(app) });
    let answers = join_all((0..50).map(|_| app.verify_mfa(user_type, &body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(
        answers
            .iter()
            .all(|answer| [200, 400, 429, 503].contains(&answer.status))
    );
}

async fn a_recovery_code_is_good_once_and_tells_the_owner(app: &TestApp, user_type: &str) {
    let Protected {
        person, recovery_codes, ..
    } = app.protected(user_type).await;
    app.next_mail(&person.email).await;
    let token = app.first_half(user_type, &person).await;
    let show = async |code: &str| {
        app.verify_mfa(user_type, &json!({ "mfa_token": token, "recovery_code": code }))
            .await
    };
    show(&recovery_codes[3].to_uppercase().replace('-', " "))
        .await
        .expect(200);
    show(&recovery_codes[3]).await.expect_problem(400, "code_invalid");
    let notice = app.next_mail(&person.email).await;
    assert!(notice.subject.contains("recovery code"), "{notice:?}");
    for code in recovery_codes.iter().filter(|code| **code != recovery_codes[3]) {
        show(code).await.expect(200);
    }
    app.clock.advance(HALF_A_MINUTE);
    let left = app.sign_in(user_type, &person.email, &person.password).await;
    assert_eq!(left.json()["mfa_methods"], json!(["totp"]), "none is left");
    // Another account's.
    let (they, token) = (app.protected(user_type).await, token);
    let body = json!({ "mfa_token": token, "recovery_code": they.recovery_codes[0] });
    app.verify_mfa(user_type, &body)
        .await
        .expect_problem(400, "code_invalid");
}

async fn a_recovery_code_shown_fifty_times_at_once_begins_one_session(app: &TestApp, user_type: &str) {
    let Protected {
        person, recovery_codes, ..
    } = app.protected(user_type).await;
    let token = app.first_half(user_type, &person).await;
    let body = json!({ "mfa_token": token, "recovery_code": recovery_codes[0] });
    let answers = join_all((0..50).map(|_| app.verify_mfa(user_type, &body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    app.settle().await;
    let used = app.audit(user_type).await;
    let used = used.iter().filter(|entry| entry.event == AuditEvent::RecoveryCodeUsed);
    assert_eq!(used.count(), 1);
}

async fn defect_24_of_a_thousand_wrong_codes_none_is_taken_and_ten_an_hour_are_compared(
    app: &TestApp,
    user_type: &str,
) {
    let Protected {
        person, authenticator, ..
    } = app.protected(user_type).await;
    let token = app.first_half(user_type, &person).await;
    let right = [authenticator.code(app), authenticator.code_in(app, -1)];
    let wrong = (0..1_000_u32).map(|n| format!("{n:06}"));
    let guesses = wrong
        .filter(|code| !right.contains(code))
        .map(|code| json!({ "mfa_token": token, "code": code }));
    let guess = async |body| app.verify_mfa(user_type, &body).await;
    let answers: Vec<_> = stream::iter(guesses).map(guess).buffer_unordered(32).collect().await;
    let compared = answers.iter().filter(|answer| answer.status == 400).count();
    assert!(compared <= 10, "{compared} were compared");
    assert!(answers.iter().all(|answer| answer.status >= 400), "one was taken");
    let body = json!({ "mfa_token": token, "code": right[0] });
    let refused = app
        .verify_mfa(user_type, &body)
        .await
        .expect_problem(429, "too_many_codes");
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    app.clock.advance(Duration::from_secs(wait));
    let token = app.first_half(user_type, &person).await;
    // Those that are right cost nothing.
    for _ in 0..12 {
        let body = json!({ "mfa_token": token, "code": authenticator.code(app) });
        app.verify_mfa(user_type, &body).await.expect(200);
        app.clock.advance(HALF_A_MINUTE);
    }
}

async fn the_token_of_the_first_half_is_good_for_the_second_alone(app: &TestApp, user_type: &str) {
    let Protected {
        person, authenticator, ..
    } = app.protected(user_type).await;
    let token = app.first_half(user_type, &person).await;
    app.profile(user_type, &token)
        .await
        .expect_problem(401, "invalid_token");
    app.refresh(user_type, &token)
        .await
        .expect_problem(401, "invalid_refresh_token");
    app.confirm(user_type, &token).await.expect_problem(400, "link_invalid");
    let enrol = app
        .post(&format!("/{user_type}/mfa/totp"))
        .json(&json!({ "mfa_token": token }));
    enrol.send().await.expect_problem(401, "mfa_token_invalid");
    let show = async |user_type: &str, token: &str| {
        let body = json!({ "mfa_token": token, "code": authenticator.code(app) });
        app.verify_mfa(user_type, &body).await
    };
    show(other(user_type), &token)
        .await
        .expect_problem(401, "mfa_token_invalid");
    for altered in [
        "",
        "mf1.",
        &token[..token.len() - 1],
        &format!("{token}A"),
        &token.to_uppercase(),
    ] {
        show(user_type, altered).await.expect_problem(401, "mfa_token_invalid");
    }
    app.clock.advance(Duration::from_mins(10));
    show(user_type, &token).await.expect_problem(401, "mfa_token_invalid");
    // A new password ends what the old one began.
    let token = app.first_half(user_type, &person).await;
    app.next_mail(&person.email).await;
    app.forget(user_type, &person.email).await.expect(202);
    let link = app.next_link(&person).await;
    app.reset(user_type, &link, "An0ther-SecureP@ssw0rd").await.expect(200);
    show(user_type, &token).await.expect_problem(401, "mfa_token_invalid");
}

async fn setting_up_needs_a_fresh_sign_in_and_its_first_code_in_time(app: &TestApp, user_type: &str) {
    let (person, own) = app.member(user_type).await;
    let path = format!("/{user_type}/mfa/totp");
    app.post(&path).send().await.expect_problem(401, "missing_token");
    app.enrol(user_type, "x").await.expect_problem(401, "invalid_token");
    app.confirm_totp(user_type, &own.access, "042042")
        .await
        .expect_problem(400, "code_invalid");
    let first = Authenticator::of(&app.enrol(user_type, &own.access).await.expect(200).member("secret"));
    let second = Authenticator::of(&app.enrol(user_type, &own.access).await.expect(200).member("secret"));
    let replaced = app.confirm_totp(user_type, &own.access, &first.code(app)).await;
    replaced.expect_problem(400, "code_invalid");
    app.clock.advance(Duration::from_mins(5));
    let stale = app.confirm_totp(user_type, &own.access, &second.code(app)).await;
    stale.expect_problem(401, "insufficient_user_authentication");
    let stale = app.enrol(user_type, &own.access).await;
    stale.expect_problem(401, "insufficient_user_authentication");
    app.clock.advance(Duration::from_mins(10));
    let own = app.login(user_type, &person).await;
    let late = app.confirm_totp(user_type, &own.access, &second.code(app)).await;
    late.expect_problem(400, "code_invalid");
    app.login(user_type, &person).await;
}

async fn another_app_takes_the_place_of_the_first(app: &TestApp, user_type: &str) {
    let Protected {
        person,
        pair,
        authenticator,
        recovery_codes: old,
    } = app.protected(user_type).await;
    let other = Authenticator::of(&app.enrol(user_type, &pair.access).await.expect(200).member("secret"));
    // The first goes on until then.
    let token = app.first_half(user_type, &person).await;
    let body = json!({ "mfa_token": token, "code": authenticator.code(app) });
    app.verify_mfa(user_type, &body).await.expect(200);
    let code = other.code(app);
    let answers = join_all((0..5).map(|_| app.confirm_totp(user_type, &pair.access, &code))).await;
    let confirmed: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(
        confirmed.len(),
        1,
        "of many confirmations one shows recovery codes that work"
    );
    app.clock.advance(HALF_A_MINUTE);
    let token = app.first_half(user_type, &person).await;
    let show = async |name: &str, code: &str| {
        app.verify_mfa(user_type, &json!({ "mfa_token": token, name: code }))
            .await
    };
    show("code", &authenticator.code(app))
        .await
        .expect_problem(400, "code_invalid");
    show("recovery_code", &old[0]).await.expect_problem(400, "code_invalid");
    show("code", &other.code(app)).await.expect(200);
    show("recovery_code", &recovery_codes(confirmed[0])[0])
        .await
        .expect(200);
}
