//! Signing in by mail: by the code, by the link, on the device that asked and on no other. What guards it against who
//! guesses, races or waits: `email_sign_in_guarded.rs`; beside second factors and passwords: `email_sign_in_beside.rs`.

use sealgate::domain::audit::{AuditEvent, Outcome};
use serde_json::{Value, json};

use crate::support::{Answer, BROWSER, Pair, Setup, StoreSet, TestApp, other, part};

cases_per_store! {
    a_code_signs_in_the_device_that_asked
    a_link_shows_its_code_and_opening_it_uses_nothing_up
    an_app_that_takes_its_own_links_shows_the_token
    what_is_mailed_is_as_the_user_type_has_it
    no_other_device_signs_in_with_it
}

pub(crate) const TYPES: [&str; 2] = ["User1", "User2"];

/// A service of which every user type signs in by mail.
pub(crate) async fn mailing(stores: &StoreSet, mailed: &str) -> TestApp {
    Setup::new(stores).set("EMAIL_SIGN_IN", mailed).spawn().await
}

/// Asks for a mail; answers the challenge.
pub(crate) async fn ask(app: &TestApp, user_type: &str, email: &str) -> String {
    app.keep_secret(email);
    let call = app.post(&format!("/{user_type}/login/email"));
    let answer = call.json(&json!({ "email": email })).send().await.expect(202);
    assert_eq!(answer.json()["expires_in"], 600);
    answer.member("challenge")
}

/// The code of the next mail, and the token of its link.
pub(crate) async fn mailed(app: &TestApp, email: &str) -> (Option<String>, Option<String>) {
    let mail = app.next_mail(email).await;
    assert_eq!(mail.subject, "Sign in to Sealgate");
    let is_code = |word: &&str| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit());
    let code = mail.text.split_whitespace().find(is_code).map(str::to_owned);
    let token = mail.link().map(|_| mail.token());
    for secret in code.iter().chain(&token) {
        assert!(mail.html.contains(secret.as_str()), "{mail:?}");
        app.keep_secret(secret);
    }
    (code, token)
}

/// Asks, and reads the mail.
pub(crate) async fn code(app: &TestApp, user_type: &str, email: &str) -> (String, String) {
    let challenge = ask(app, user_type, email).await;
    let (code, _) = mailed(app, email).await;
    (challenge, code.expect("a code"))
}

pub(crate) async fn verify(app: &TestApp, user_type: &str, body: &Value) -> Answer {
    let call = app.post(&format!("/{user_type}/login/email/verify"));
    call.json(body).send().await
}

pub(crate) async fn refused(app: &TestApp, user_type: &str, body: &Value) {
    verify(app, user_type, body).await.expect_problem(400, "code_invalid");
}

async fn a_code_signs_in_the_device_that_asked(stores: &StoreSet) {
    let app = mailing(stores, "code").await;
    for user_type in TYPES {
        let (person, _) = app.member(user_type).await;
        let (challenge, code) = code(&app, user_type, &person.email).await;
        let body = json!({ "challenge": challenge, "code": code, "remember_me": false });
        let call = app.post(&format!("/{user_type}/login/email/verify"));
        let answer = call
            .header("user-agent", "Elsewhere/1")
            .json(&body)
            .send()
            .await
            .expect(200);
        assert!(!answer.header("x-device-token").is_empty());
        assert_eq!(answer.json()["refresh_expires_in"], 24 * 3600);
        let pair = Pair::of(&app, &answer);
        app.profile(user_type, &pair.access).await.expect(200);
        assert_eq!(
            part(&pair.access, 1)["amr"],
            json!(["otp"]),
            "one factor, and no password"
        );
        app.refresh(user_type, &pair.refresh).await.expect(200);
        let notice = app.next_mail(&person.email).await;
        assert!(notice.subject.contains("new device"), "{notice:?}");
        refused(&app, user_type, &body).await;
        let entries = app.audit(user_type).await;
        let has = |event, outcome| {
            entries
                .iter()
                .any(|entry| entry.event == event && entry.outcome == outcome)
        };
        assert!(has(AuditEvent::EmailSignInRequested, Outcome::Success));
        assert!(has(AuditEvent::SignedIn, Outcome::Success));
        assert!(has(AuditEvent::SignInRefused, Outcome::Refused));

        // However it is typed, and by a form.
        let (challenge, code) = self::code(&app, user_type, &person.email).await;
        let typed = format!("{} {}", &code[..4], &code[4..]);
        let call = app.post(&format!("/{user_type}/login/email/verify"));
        let form = [("challenge", challenge.as_str()), ("code", &typed)];
        let answer = call.form(&form).send().await.expect(200);
        assert!(answer.json()["refresh_expires_in"].as_u64() > Some(24 * 3600));
        let (challenge, code) = self::code(&app, user_type, &person.email).await;
        let number: u32 = code.parse().expect("digits");
        verify(&app, user_type, &json!({ "challenge": challenge, "code": number }))
            .await
            .expect(200);
    }
    app.shut_down().await;
}

async fn a_link_shows_its_code_and_opening_it_uses_nothing_up(stores: &StoreSet) {
    let app = mailing(stores, "link").await;
    for user_type in TYPES {
        let (person, _) = app.member(user_type).await;
        let challenge = ask(&app, user_type, &person.email).await;
        let (mailed_code, token) = mailed(&app, &person.email).await;
        let token = token.expect("a link");
        assert_eq!(mailed_code, None, "the code stands behind the link");
        let path = format!("/{user_type}/login/email/link");
        let open = |accept: &str| app.get(&format!("{path}?token={token}")).accept(accept).send();
        for accept in [BROWSER, "application/json", "*/*"] {
            let page = open(accept).await.expect(200);
            assert!(page.header("content-type").starts_with("text/html"));
            for part in [
                r#"<form method="post" action="link">"#.to_owned(),
                format!(r#"name="token" value="{token}""#),
            ] {
                assert!(page.text().contains(&part), "no {part} in {}", page.text());
            }
            assert!(!page.text().contains("<script"));
            app.call("HEAD", &format!("{path}?token={token}"))
                .send()
                .await
                .expect(200);
        }
        // A robot is shown a code of nobody's, and uses nothing up.
        let robot = [("token", token.as_str()), ("website", "https://spam.example")];
        let made_up = app.post(&path).form(&robot).send().await.expect(200).member("code");
        refused(&app, user_type, &json!({ "challenge": challenge, "code": made_up })).await;

        let press = async |accept: &str| {
            let form = [("token", token.as_str()), ("website", "")];
            app.post(&path).form(&form).accept(accept).send().await
        };
        let page = press(BROWSER).await.expect(200);
        let is_code = |word: &&str| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit());
        let code = page.text().split(['<', '>']).find(is_code).expect("a code").to_owned();
        assert!(!page.text().contains("access_token") && !page.text().contains(&token));
        // It is used up: neither page nor button works again, and for an app it works no more.
        press("application/json").await.expect_problem(400, "link_invalid");
        let late = open(BROWSER).await.expect(400);
        assert!(late.header("content-type").starts_with("text/html") && !late.text().contains("<form"));
        refused(&app, user_type, &json!({ "challenge": challenge, "token": token })).await;
        let answer = verify(&app, user_type, &json!({ "challenge": challenge, "code": code })).await;
        app.profile(user_type, &Pair::of(&app, &answer.expect(200)).access)
            .await
            .expect(200);
        let entries = app.audit(user_type).await;
        assert!(
            entries
                .iter()
                .any(|entry| entry.event == AuditEvent::EmailSignInCodeShown)
        );

        for bad in ["nonsense", "", &format!("{token}A"), "%3Cscript%3E"] {
            for accept in [BROWSER, "application/json"] {
                app.get(&format!("{path}?token={bad}"))
                    .accept(accept)
                    .send()
                    .await
                    .expect(400);
            }
            app.post(&path)
                .json(&json!({ "token": bad }))
                .send()
                .await
                .expect_problem(400, "link_invalid");
        }
    }
    app.shut_down().await;
}

async fn an_app_that_takes_its_own_links_shows_the_token(stores: &StoreSet) {
    let app = mailing(stores, "code,link").await;
    for user_type in TYPES {
        let (person, _) = app.member(user_type).await;
        let challenge = ask(&app, user_type, &person.email).await;
        let (code, token) = mailed(&app, &person.email).await;
        let (code, token) = (code.expect("a code"), token.expect("a link"));
        let shown = json!({ "challenge": challenge, "token": token });
        refused(&app, other(user_type), &shown).await;
        // The page shows what the mail had.
        let pair = Pair::of(&app, &verify(&app, user_type, &shown).await.expect(200));
        app.profile(user_type, &pair.access).await.expect(200);
        // Both are used up by either.
        refused(&app, user_type, &shown).await;
        refused(&app, user_type, &json!({ "challenge": challenge, "code": code })).await;

        for (body, field) in [
            (json!({ "challenge": challenge }), "code"),
            (json!({ "code": code }), "challenge"),
            (json!({ "challenge": challenge, "code": code, "token": token }), "token"),
            (
                json!({ "challenge": challenge, "code": code, "remember_me": "perhaps" }),
                "remember_me",
            ),
        ] {
            let errors = verify(&app, user_type, &body)
                .await
                .expect_problem(422, "validation_failed")
                .errors();
            assert!(errors.iter().any(|(name, _)| name == field), "{errors:?}");
        }
    }
    app.shut_down().await;
}

async fn what_is_mailed_is_as_the_user_type_has_it(stores: &StoreSet) {
    let setup = Setup::new(stores)
        .set("EMAIL_SIGN_IN", "link")
        .set("EMAIL_SIGN_IN_User2", "code,link");
    let app = setup.spawn().await;
    for (user_type, has_code) in [("User1", false), ("User2", true)] {
        let (person, _) = app.member(user_type).await;
        ask(&app, user_type, &person.email).await;
        let (code, token) = mailed(&app, &person.email).await;
        assert_eq!((code.is_some(), token.is_some()), (has_code, true), "{user_type}");
        let path = format!("/{user_type}/login/email/link");
        let shown = app
            .post(&path)
            .json(&json!({ "token": token }))
            .send()
            .await
            .expect(200);
        if has_code {
            assert_eq!(Some(shown.member("code")), code, "the page shows the mail's own");
        }
    }
    app.shut_down().await;
}

async fn no_other_device_signs_in_with_it(stores: &StoreSet) {
    let app = mailing(stores, "code,link").await;
    for user_type in TYPES {
        let (victim, _) = app.member(user_type).await;
        let (thief, _) = app.member(user_type).await;
        let theirs = ask(&app, user_type, &thief.email).await;
        mailed(&app, &thief.email).await;
        let own = ask(&app, user_type, &victim.email).await;
        let (code, token) = mailed(&app, &victim.email).await;
        // Who reads the mail has no challenge of it: another's, altered ones, and none at all open nothing.
        let middle = own.len() / 2;
        let swapped = if own.as_bytes()[middle] == b'A' { "B" } else { "A" };
        let altered = format!("{}{swapped}{}", &own[..middle], &own[middle + 1..]);
        for challenge in [
            theirs.as_str(),
            &altered,
            &own[..own.len() - 4],
            "ec1.AAAA",
            "nonsense",
            "",
        ] {
            refused(&app, user_type, &json!({ "challenge": challenge, "code": code })).await;
            refused(&app, user_type, &json!({ "challenge": challenge, "token": token })).await;
        }
        refused(&app, other(user_type), &json!({ "challenge": own, "code": code })).await;
        // Another device that asks for the same mailbox gets a mail of its own, and its code is good there alone.
        let second = ask(&app, user_type, &victim.email).await;
        let (second_code, second_token) = mailed(&app, &victim.email).await;
        for (challenge, code, token) in [(&second, &code, &token), (&own, &second_code, &second_token)] {
            refused(&app, user_type, &json!({ "challenge": challenge, "code": code })).await;
            refused(&app, user_type, &json!({ "challenge": challenge, "token": token })).await;
        }
        verify(&app, user_type, &json!({ "challenge": second, "code": second_code }))
            .await
            .expect(200);
    }
    app.shut_down().await;
}
