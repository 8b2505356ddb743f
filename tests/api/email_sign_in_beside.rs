//! Signing in by mail, beside what the user type and the account ask for otherwise: a second factor, a password, nothing of
//! the kind.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::{
    email_sign_in::{TYPES, code, mailing, refused, verify},
    support::{Authenticator, Call, Pair, Person, Setup, StoreSet, TestApp, part},
};

cases_per_store! {
    a_second_factor_is_due_after_it
    where_one_is_needed_it_is_set_up_first
    it_is_no_password
    it_is_off_unless_it_is_turned_on
}

async fn a_second_factor_is_due_after_it(stores: &StoreSet) {
    let app = mailing(stores, "code").await;
    for user_type in TYPES {
        let own = app.protected(user_type).await;
        app.next_mail(&own.person.email).await;
        let (challenge, code) = code(&app, user_type, &own.person.email).await;
        let body = json!({ "challenge": challenge, "code": code });
        let half = verify(&app, user_type, &body).await.expect_problem(403, "mfa_required");
        assert_eq!(half.json()["mfa_methods"], json!(["totp", "recovery_code"]));
        let token = half.member("mfa_token");
        app.profile(user_type, &token)
            .await
            .expect_problem(401, "invalid_token");
        // The mail is used up by then.
        refused(&app, user_type, &body).await;
        let proof = json!({ "mfa_token": token, "code": own.authenticator.code(&app) });
        let pair = Pair::of(&app, &app.verify_mfa(user_type, &proof).await.expect(200));
        assert_eq!(
            part(&pair.access, 1)["amr"],
            json!(["otp", "mfa"]),
            "no password was shown"
        );
    }
    app.shut_down().await;
}

async fn where_one_is_needed_it_is_set_up_first(stores: &StoreSet) {
    let setup = Setup::new(stores)
        .set("EMAIL_SIGN_IN", "code")
        .set("SECOND_FACTOR", "required");
    let app = setup.spawn().await;
    for user_type in TYPES {
        let person = Person::new();
        app.join(user_type, &person).await;
        let (challenge, code) = code(&app, user_type, &person.email).await;
        let half = verify(&app, user_type, &json!({ "challenge": challenge, "code": code })).await;
        let token = half.expect_problem(403, "mfa_enrolment_required").member("mfa_token");
        let call = app.post(&format!("/{user_type}/mfa/totp"));
        let shown = call.json(&json!({ "mfa_token": token })).send().await.expect(200);
        let code = Authenticator::of(&shown.member("secret")).code(&app);
        let call = app.post(&format!("/{user_type}/mfa/totp/confirm"));
        let confirmed = call
            .json(&json!({ "mfa_token": token, "code": code }))
            .send()
            .await
            .expect(200);
        let tokens = confirmed.json()["tokens"].clone();
        let access = tokens["access_token"].as_str().expect("a token");
        assert_eq!(part(access, 1)["amr"], json!(["otp", "mfa"]));
    }
    app.shut_down().await;
}

async fn it_is_no_password(stores: &StoreSet) {
    let setup = Setup::new(stores)
        .set("EMAIL_SIGN_IN", "code")
        .set("SESSIONS_PER_ACCOUNT", "1");
    let app = setup.spawn().await;
    for user_type in TYPES {
        let (person, before) = app.member(user_type).await;
        // Of two of one moment neither is the older.
        app.clock.advance(Duration::from_secs(1));
        let (challenge, code) = code(&app, user_type, &person.email).await;
        let answer = verify(&app, user_type, &json!({ "challenge": challenge, "code": code })).await;
        let pair = Pair::of(&app, &answer.expect(200));
        // The number of sessions holds, whatever begins them.
        app.profile(user_type, &before.access)
            .await
            .expect_problem(401, "invalid_token");
        for (path, body, field) in [
            ("reauthenticate", json!({}), "password"),
            (
                "change-password",
                json!({ "new_password": "Qu1te-another-0ne!" }),
                "current_password",
            ),
        ] {
            let call = app.post(&format!("/{user_type}/{path}")).bearer(&pair.access);
            let errors = call
                .json(&body)
                .send()
                .await
                .expect_problem(422, "validation_failed")
                .errors();
            assert!(errors.iter().any(|(name, _)| name == field), "{errors:?}");
        }
        let wrong = json!({ "current_password": code, "new_password": "Qu1te-another-0ne!" });
        let call = app.post(&format!("/{user_type}/change-password")).bearer(&pair.access);
        call.json(&wrong).send().await.expect_problem(403, "wrong_password");
        app.sign_in(user_type, &person.email, &code)
            .await
            .expect_problem(401, "invalid_credentials");
        app.sign_in(user_type, &person.email, &person.password)
            .await
            .expect(200);
    }
    app.shut_down().await;
}

async fn it_is_off_unless_it_is_turned_on(stores: &StoreSet) {
    let setup = Setup::new(stores);
    let app = setup.clone().set("EMAIL_SIGN_IN_User1", "code,link").spawn().await;
    let (person, _) = app.member("User1").await;
    let (challenge, code) = code(&app, "User1", &person.email).await;
    let shown = json!({ "challenge": challenge, "code": code });
    let calls = async |app: &TestApp, user_type: &str| {
        let (ask, link) = (
            format!("/{user_type}/login/email"),
            format!("/{user_type}/login/email/link"),
        );
        let calls = [
            app.post(&ask).json(&json!({ "email": person.email })),
            app.post(&format!("{ask}/verify")).json(&shown),
            app.get(&format!("{link}?token=x")),
            app.post(&link).json(&json!({ "token": "x" })),
        ];
        for answer in join_all(calls.map(Call::send)).await {
            answer.expect_problem(404, "not_found");
        }
    };
    calls(&app, "User2").await;
    app.shut_down().await;
    // What was mailed before it was turned off signs nobody in.
    let app = setup.spawn().await;
    calls(&app, "User1").await;
    assert_eq!(app.all_mails(&person.email).await.len(), 3, "link, welcome, one code");
    app.shut_down().await;
}
