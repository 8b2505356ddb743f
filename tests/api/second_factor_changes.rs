//! A second factor changed, turned off, kept, and beside other proofs.

use std::time::Duration;

use futures_util::future::join_all;
use sealgate::storage::Ref;
use serde_json::json;

use crate::support::{Authenticator, Protected, TestApp, recovery_codes};

cases! {
    other_recovery_codes_make_those_before_worthless
    a_reset_password_does_not_replace_the_code
    a_fresh_proof_takes_a_code_too
    turned_off_the_password_is_enough
    what_is_no_code_is_told_why
    defect_18_a_secret_is_sealed_where_it_is_kept
}

const HALF_A_MINUTE: Duration = Duration::from_secs(30);

async fn other_recovery_codes_make_those_before_worthless(app: &TestApp, user_type: &str) {
    let Protected {
        person,
        pair,
        recovery_codes: old,
        ..
    } = app.protected(user_type).await;
    let path = format!("/{user_type}/mfa/recovery-codes");
    let replaced = app.post(&path).bearer(&pair.access).send().await.expect(200);
    let new = recovery_codes(&replaced);
    assert!(new.len() == 10 && new.iter().all(|code| !old.contains(code)));
    let token = app.first_half(user_type, &person).await;
    let show = async |code: &str| {
        app.verify_mfa(user_type, &json!({ "mfa_token": token, "recovery_code": code }))
            .await
    };
    show(&old[1]).await.expect_problem(400, "code_invalid");
    show(&new[1]).await.expect(200);
    let (_, without) = app.member(user_type).await;
    let none = app.post(&path).bearer(&without.access).send().await;
    none.expect_problem(409, "mfa_not_enabled");
    app.clock.advance(Duration::from_mins(5));
    let stale = app.post(&path).bearer(&pair.access).send().await;
    stale.expect_problem(401, "insufficient_user_authentication");
}

async fn a_reset_password_does_not_replace_the_code(app: &TestApp, user_type: &str) {
    const NEW: &str = "An0ther-SecureP@ssw0rd";
    let Protected {
        person, authenticator, ..
    } = app.protected(user_type).await;
    app.next_mail(&person.email).await;
    app.forget(user_type, &person.email).await.expect(202);
    let link = app.next_link(&person).await;
    app.reset(user_type, &link, NEW).await.expect(200);
    let half = app
        .sign_in(user_type, &person.email, NEW)
        .await
        .expect_problem(403, "mfa_required");
    let body = json!({ "mfa_token": half.member("mfa_token"), "code": authenticator.code(app) });
    app.verify_mfa(user_type, &body).await.expect(200);
}

async fn a_fresh_proof_takes_a_code_too(app: &TestApp, user_type: &str) {
    let Protected {
        person,
        pair,
        authenticator,
        recovery_codes,
    } = app.protected(user_type).await;
    app.clock.advance(Duration::from_mins(6));
    let path = format!("/{user_type}/reauthenticate");
    let prove = async |body| app.post(&path).bearer(&pair.access).json(&body).send().await;
    let password = &person.password;
    let missing = prove(json!({ "password": password }))
        .await
        .expect_problem(422, "validation_failed");
    assert_eq!(missing.errors(), [("code".to_owned(), "missing".to_owned())]);
    let code = authenticator.code(app);
    prove(json!({ "password": "wrong", "code": code }))
        .await
        .expect_problem(403, "wrong_password");
    prove(json!({ "password": password, "code": "000000" }))
        .await
        .expect_problem(400, "code_invalid");
    let off = app
        .call("DELETE", &format!("/{user_type}/mfa/totp"))
        .bearer(&pair.access);
    off.send().await.expect_problem(401, "insufficient_user_authentication");
    prove(json!({ "password": password, "code": code })).await.expect(200);
    prove(json!({ "password": password, "code": code }))
        .await
        .expect_problem(400, "code_invalid");
    prove(json!({ "password": password, "recovery_code": recovery_codes[0] }))
        .await
        .expect(200);
    let off = app
        .call("DELETE", &format!("/{user_type}/mfa/totp"))
        .bearer(&pair.access);
    off.send().await.expect(200);
}

async fn turned_off_the_password_is_enough(app: &TestApp, user_type: &str) {
    let Protected {
        person,
        pair,
        authenticator,
        recovery_codes,
    } = app.protected(user_type).await;
    let token = app.first_half(user_type, &person).await;
    let path = format!("/{user_type}/mfa/totp");
    let off = async || app.call("DELETE", &path).bearer(&pair.access).send().await;
    let answers = join_all((0..10).map(|_| off())).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    off().await.expect_problem(409, "mfa_not_enabled");
    let pair = app.login(user_type, &person).await;
    assert_eq!(app.profile(user_type, &pair.access).await.json()["mfa_enabled"], false);
    for proof in [
        json!({ "code": authenticator.code(app) }),
        json!({ "recovery_code": recovery_codes[0] }),
    ] {
        let mut body = proof;
        body["mfa_token"] = token.as_str().into();
        app.verify_mfa(user_type, &body)
            .await
            .expect_problem(401, "mfa_token_invalid");
    }
    let subjects: Vec<_> = app
        .all_mails(&person.email)
        .await
        .into_iter()
        .map(|mail| mail.subject)
        .collect();
    assert!(
        subjects
            .iter()
            .any(|subject| subject.contains("takes no code any more")),
        "{subjects:?}"
    );
}

async fn what_is_no_code_is_told_why(app: &TestApp, user_type: &str) {
    let Protected {
        person, authenticator, ..
    } = app.protected(user_type).await;
    let token = app.first_half(user_type, &person).await;
    for (body, field, code) in [
        (json!({ "mfa_token": token }), "code", "missing"),
        (json!({ "mfa_token": token, "code": "12345x" }), "code", "invalid"),
        (json!({ "mfa_token": token, "code": "1234567" }), "code", "invalid"),
        (json!({ "mfa_token": token, "code": [1] }), "code", "invalid"),
        (json!({ "mfa_token": token, "code": null }), "code", "invalid"),
        (
            json!({ "mfa_token": token, "recovery_code": "u6t2" }),
            "recovery_code",
            "invalid",
        ),
        (
            json!({ "mfa_token": token, "recovery_code": 7 }),
            "recovery_code",
            "wrong_type",
        ),
        (
            json!({ "mfa_token": token, "recovery_code": "u6t2-pj5h-u6t2-pj5h", "code": "042042" }),
            "code",
            "one_of_two",
        ),
        (json!({ "code": "042042" }), "mfa_token", "missing"),
    ] {
        let refused = app
            .verify_mfa(user_type, &body)
            .await
            .expect_problem(422, "validation_failed");
        assert!(
            refused.errors().contains(&(field.to_owned(), code.to_owned())),
            "{body} {}",
            refused.text()
        );
        assert!(!refused.text().contains(&token));
    }
    // An integer lost its zeros; a space at the end came along.
    let code = authenticator.code(app);
    let number: u64 = code.parse().expect("digits");
    app.verify_mfa(user_type, &json!({ "mfa_token": token, "code": number }))
        .await
        .expect(200);
    app.clock.advance(HALF_A_MINUTE);
    let body = json!({ "mfa_token": token, "code": format!("{} ", authenticator.code(app)) });
    app.verify_mfa(user_type, &body).await.expect(200);
}

async fn defect_18_a_secret_is_sealed_where_it_is_kept(app: &TestApp, user_type: &str) {
    let (_, own) = app.member(user_type).await;
    let id = app.profile(user_type, &own.access).await.member("id");
    let secret = app.enrol(user_type, &own.access).await.expect(200).member("secret");
    let bytes = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).expect("base32");
    let key = Ref::new(&user_type.parse().expect("a type"), id.parse().expect("an id"));
    let stored = async || {
        let account = app.open_stores().await.accounts.find(&key).await.expect("a store");
        bson::serialize_to_vec(&account.expect("an account")).expect("a document")
    };
    let waiting = stored().await;
    let confirmed = app
        .confirm_totp(user_type, &own.access, &Authenticator::of(&secret).code(app))
        .await;
    let codes = recovery_codes(&confirmed.expect(200));
    let confirmed = stored().await;
    for record in [&waiting, &confirmed] {
        let is_there = |what: &[u8]| record.windows(what.len()).any(|window| window == what);
        assert!(!is_there(&bytes) && !is_there(secret.as_bytes()));
        for code in &codes {
            let random = data_encoding::BASE32_NOPAD.decode(code.replace('-', "").to_uppercase().as_bytes());
            assert!(!is_there(code.as_bytes()) && !is_there(&random.expect("base32")));
        }
    }
}
