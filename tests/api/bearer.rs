//! What is not a genuine access token, of this user type, of a session that is still on, is refused on every route that
//! takes one; and all of it in the same words.

use std::{fmt::Display, time::Duration};

use jsonwebtoken::Header;
use sealgate::{
    domain::{audit::AuditEvent, ids::AccountId},
    storage::{Change, Ref, change, sessions::SessionRecord},
};
use serde_json::{Value, json};

use crate::support::{Answer, Forger, Pair, TestApp, encoded, other, part};

cases! {
    no_token_is_told_apart_and_nothing_else
    a_token_of_ours_is_refused_when_any_of_it_is_wrong
    a_token_that_lacks_a_claim_is_refused
    a_token_of_another_session_or_account_is_refused
    a_session_that_was_written_over_is_none
    an_access_token_expires
    a_token_says_nothing_about_its_owner
    the_scheme_is_read_in_any_case
}

const ROUTES: [(&str, &str); 4] = [("GET", "/"), ("GET", ""), ("GET", "/logout"), ("POST", "/logout")];

/// Sends `values` as `Authorization` to every route that takes a token.
async fn refusals(app: &TestApp, user_type: &str, values: &[&[u8]]) -> Vec<Answer> {
    let mut answers = Vec::new();
    for (method, path) in ROUTES {
        let mut call = app.call(method, &format!("/{user_type}{path}"));
        for value in values {
            call = call.header_bytes("authorization", value);
        }
        answers.push(call.send().await);
    }
    answers
}

/// The answer's shape without the path that was asked for.
fn shape(answer: Answer, code: &str) -> impl PartialEq + std::fmt::Debug + use<> {
    let (status, names, mut body) = answer.expect_problem(401, code).shape();
    body["instance"].take();
    (status, names, body)
}

/// Each of `tokens` is refused on every route, all in the same words.
async fn all_are_refused_alike(app: &TestApp, user_type: &str, tokens: &[(impl Display, String)]) {
    let mut first = None;
    for (what, token) in tokens {
        app.keep_secret(token);
        let value = format!("Bearer {token}");
        for answer in refusals(app, user_type, &[value.as_bytes()]).await {
            assert_eq!(answer.status, 401, "{what} passed {}", answer.call);
            assert_eq!(
                answer.header("www-authenticate"),
                "Bearer error=\"invalid_token\"",
                "{what}"
            );
            let shape = shape(answer, "invalid_token");
            if let Some(first) = &first {
                assert_eq!(*first, shape, "{what} is told apart");
            }
            first.get_or_insert(shape);
        }
    }
}

async fn no_token_is_told_apart_and_nothing_else(app: &TestApp, user_type: &str) {
    let (_, pair) = app.member(user_type).await;
    let genuine = format!("Bearer {}", pair.access);
    let (genuine, basic): (&[u8], &[u8]) = (genuine.as_bytes(), b"Basic Z3JhY2U6cGFzc3dvcmQ=");
    let headers: [(&str, &[&[u8]]); 10] = [
        ("no header", &[]),
        ("an empty one", &[b""]),
        ("another scheme", &[basic]),
        ("the scheme alone", &[b"Bearer"]),
        ("the scheme and a space", &[b"Bearer "]),
        ("the token alone", &[pair.access.as_bytes()]),
        ("the same token twice", &[genuine, genuine]),
        ("two schemes", &[basic, genuine]),
        ("bytes that are not ASCII", &[b"Bearer \xFC\xFF"]),
        ("a tab for the space", &[b"Bearer\tabc"]),
    ];
    let mut first = None;
    for (what, values) in headers {
        for answer in refusals(app, user_type, values).await {
            assert_eq!(answer.status, 401, "{what} passed {}", answer.call);
            assert_eq!(
                answer.header("www-authenticate"),
                "Bearer",
                "{what}: no token, so no error code"
            );
            let shape = shape(answer, "missing_token");
            if let Some(first) = &first {
                assert_eq!(*first, shape, "{what} is told apart");
            }
            first.get_or_insert(shape);
        }
    }
    app.profile(user_type, &pair.access).await.expect(200);
}

async fn a_token_of_ours_is_refused_when_any_of_it_is_wrong(app: &TestApp, user_type: &str) {
    let (_, pair) = app.member(user_type).await;
    let (_, foreign) = app.member(other(user_type)).await;
    let link = app.register(user_type, &crate::support::Person::new()).await;
    let genuine = &pair.access;
    let [head, claims] = [0, 1].map(|index| part(genuine, index));
    let parts: Vec<&str> = genuine.split('.').collect();
    let [head_text, claims_text, signature] = parts[..] else {
        panic!("three parts: {genuine}");
    };
    let headed = |changes: Value| {
        let mut head = head.clone();
        for (name, value) in changes.as_object().expect("an object") {
            head[name] = value.clone();
        }
        format!("{}.{claims_text}.{signature}", encoded(&head))
    };
    let mut promoted = claims.clone();
    promoted["role"] = json!("admin");
    let mut longer = claims.clone();
    longer["exp"] = json!(claims["exp"].as_i64().expect("a number") + 3600);

    let mut tokens = vec![
        ("garbage", "garbage".to_owned()),
        ("two words", format!("{genuine} {genuine}")),
        ("dots", "..".to_owned()),
        ("not base64", format!("!{genuine}")),
        ("a link's token", link),
        ("a refresh token", pair.refresh.clone()),
        ("another user type's token", foreign.access.clone()),
        ("no signature", format!("{head_text}.{claims_text}.")),
        ("no third part", format!("{head_text}.{claims_text}")),
        ("a fourth part", format!("{genuine}.{signature}")),
        ("cut short", genuine[..genuine.len() - 1].to_owned()),
        (
            "another token's signature",
            format!(
                "{head_text}.{claims_text}.{}",
                foreign.access.rsplit('.').next().expect("one")
            ),
        ),
        ("5 KiB", "A".repeat(5 * 1024)),
        (
            "5 KiB of header",
            format!(
                "{}.{claims_text}.{signature}",
                encoded(&json!({ "alg": "EdDSA", "pad": "a".repeat(5 * 1024) }))
            ),
        ),
        (
            "promoted to admin",
            format!("{head_text}.{}.{signature}", encoded(&promoted)),
        ),
        (
            "an hour longer",
            format!("{head_text}.{}.{signature}", encoded(&longer)),
        ),
        (
            "alg none",
            format!("{}.{claims_text}.", encoded(&json!({ "alg": "none", "typ": "at+jwt" }))),
        ),
    ];
    tokens.extend([
        ("alg none over the signature", headed(json!({ "alg": "none" }))),
        ("alg NONE over the signature", headed(json!({ "alg": "NONE" }))),
        ("alg HS256 over the signature", headed(json!({ "alg": "HS256" }))),
        ("alg RS256 over the signature", headed(json!({ "alg": "RS256" }))),
        ("another typ over the signature", headed(json!({ "typ": "JWT" }))),
        ("another key over the signature", headed(json!({ "kid": "another" }))),
        (
            "a header that names its own key",
            headed(json!({ "jwk": { "kty": "OKP", "crv": "Ed25519", "x": "AA" } })),
        ),
    ]);
    tokens.extend(signed_by_us(app, &head, &claims, user_type).await);
    all_are_refused_alike(app, user_type, &tokens).await;
    app.profile(user_type, genuine).await.expect(200);
}

/// Tokens with the genuine signature, each with one thing wrong.
async fn signed_by_us(app: &TestApp, head: &Value, claims: &Value, user_type: &str) -> Vec<(&'static str, String)> {
    let forger = Forger::of(app).await;
    let header: Header = serde_json::from_value(head.clone()).expect("a header");
    let signed = |header: &Header, change: Option<(&str, Value)>| {
        let mut claims = claims.clone();
        let members = claims.as_object_mut().expect("an object");
        members.extend(change.map(|(name, value)| (name.to_owned(), value)));
        forger.sign(header, &claims)
    };
    let with = |name: &str, value: Value| signed(&header, Some((name, value)));
    let under = |header: Header| signed(&header, None);
    let genuine = under(header.clone());
    app.profile(user_type, &genuine).await.expect(200);

    let tokens = vec![
        (
            "HS256 with the public key",
            Forger::sign_hs256(&header, claims, &forger.public),
        ),
        ("HS256 with nothing", Forger::sign_hs256(&header, claims, b"")),
        (
            "typ JWT",
            under(Header {
                typ: Some("JWT".into()),
                ..header.clone()
            }),
        ),
        (
            "no typ",
            under(Header {
                typ: None,
                ..header.clone()
            }),
        ),
        (
            "no kid",
            under(Header {
                kid: None,
                ..header.clone()
            }),
        ),
        (
            "another kid",
            under(Header {
                kid: Some("another".into()),
                ..header.clone()
            }),
        ),
        (
            "an expired one",
            with("exp", json!(claims["iat"].as_i64().expect("a number") - 60)),
        ),
        (
            "one of tomorrow",
            with("iat", json!(claims["iat"].as_i64().expect("a number") + 86_400)),
        ),
        ("another issuer", with("iss", json!("https://evil.example/User1"))),
        ("another audience", with("aud", json!("https://evil.example/User1"))),
        ("another user type", with("ut", json!(other(user_type)))),
        (
            "an account that is not there",
            with("sub", json!("usr_00000000000000000000000000")),
        ),
        (
            "a session that is not there",
            with("sid", json!("ses_00000000000000000000000000")),
        ),
        ("an account of another kind", with("sub", json!({ "$ne": null }))),
        ("text for a time", with("exp", json!("never"))),
    ];
    tokens
}

async fn a_token_that_lacks_a_claim_is_refused(app: &TestApp, user_type: &str) {
    let (_, pair) = app.member(user_type).await;
    let forger = Forger::of(app).await;
    let header: Header = serde_json::from_value(part(&pair.access, 0)).expect("a header");
    let claims = part(&pair.access, 1);
    let members = claims.as_object().expect("an object");
    assert_eq!(members.len(), 12, "every claim is there: {claims}");
    let tokens: Vec<(&String, String)> = members
        .keys()
        .map(|claim| {
            let mut fewer = members.clone();
            fewer.remove(claim);
            (claim, forger.sign(&header, &Value::Object(fewer)))
        })
        .collect();
    all_are_refused_alike(app, user_type, &tokens).await;
}

async fn a_token_of_another_session_or_account_is_refused(app: &TestApp, user_type: &str) {
    let (_, mallory) = app.member(user_type).await;
    let (_, victim) = app.member(user_type).await;
    let forger = Forger::of(app).await;
    let header: Header = serde_json::from_value(part(&mallory.access, 0)).expect("a header");
    let [own, theirs] = [&mallory, &victim].map(|pair| part(&pair.access, 1));
    let mut crossed = own.clone();
    crossed["sub"] = theirs["sub"].clone();
    let mut borrowed = own.clone();
    borrowed["sid"] = theirs["sid"].clone();
    let tokens = [
        ("own session, the victim's account", forger.sign(&header, &crossed)),
        ("own account, the victim's session", forger.sign(&header, &borrowed)),
    ];
    all_are_refused_alike(app, user_type, &tokens).await;
}

/// Who can write to the database, and has no key, makes a session of their own nobody else's by it.
async fn a_session_that_was_written_over_is_none(app: &TestApp, user_type: &str) {
    let (_, thief) = app.member(user_type).await;
    let (_, victim) = app.member(user_type).await;
    let stores = app.open_stores().await;
    let claim = |pair: &Pair, name: &str| part(&pair.access, 1)[name].as_str().expect("text").to_owned();
    let user_type_ = user_type.parse().expect("a user type");
    let key = Ref::new(&user_type_, claim(&thief, "sid").parse().expect("an id"));
    let victims: AccountId = claim(&victim, "sub").parse().expect("an id");
    let genuine = stores.sessions.find(&key).await.expect("a store").expect("a session");
    let forgeries: [&(dyn Fn(&mut SessionRecord) + Sync); 4] = [
        &|session| session.account_id = victims.clone(),
        &|session| session.epoch += 1,
        &|session| session.expires_at = session.expires_at.plus(Duration::from_hours(24 * 365)),
        &|session| session.mac.clear(),
    ];
    let write = async |forge: &(dyn Fn(&mut SessionRecord) + Sync)| {
        let written = change(&*stores.sessions, &key, |session: &mut SessionRecord| {
            let rev = session.rev;
            *session = genuine.clone();
            session.rev = rev;
            forge(session);
            Change::Store(())
        });
        written.await.expect("a store").into_value().expect("written");
    };
    for forge in forgeries {
        write(forge).await;
        // What servers remembered of it is gone by then.
        app.clock.advance(Duration::from_secs(1));
        let refused = app.refresh(user_type, &thief.refresh).await;
        refused.expect_problem(401, "invalid_refresh_token");
    }
    let entries = app.audit(user_type).await;
    let noted = entries.iter().filter(|entry| entry.event == AuditEvent::RecordTampered);
    assert!(noted.count() >= 4, "each is noted");
    write(&|_| ()).await;
    app.refresh(user_type, &thief.refresh).await.expect(200);
    app.profile(user_type, &victim.access).await.expect(200);
}

async fn an_access_token_expires(app: &TestApp, user_type: &str) {
    let (_, pair) = app.member(user_type).await;
    // Half an hour, and half a minute for clocks that differ.
    app.clock.advance(Duration::from_mins(30));
    app.profile(user_type, &pair.access).await.expect(200);
    app.clock.advance(Duration::from_secs(30));
    all_are_refused_alike(app, user_type, &[("an expired token", pair.access.clone())]).await;
    let fresh = Pair::of(app, &app.refresh(user_type, &pair.refresh).await.expect(200));
    app.profile(user_type, &fresh.access).await.expect(200);
}

async fn a_token_says_nothing_about_its_owner(app: &TestApp, user_type: &str) {
    let (person, pair) = app.member(user_type).await;
    let [head, claims] = [0, 1].map(|index| part(&pair.access, index));
    assert_eq!((&head["typ"], &head["alg"]), (&json!("at+jwt"), &json!("EdDSA")));
    let names: Vec<&str> = claims
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    let known = [
        "amr",
        "aud",
        "auth_time",
        "client_id",
        "exp",
        "iat",
        "iss",
        "jti",
        "role",
        "sid",
        "sub",
        "ut",
    ];
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, known, "no claim beside these");
    assert_eq!(claims["iss"], format!("http://{}/{user_type}", app.address));
    assert_eq!(claims["aud"], claims["iss"]);
    let text = claims.to_string();
    for personal in [&person.email, &person.first_name, &person.last_name, &person.phone] {
        assert!(!text.contains(personal.as_str()), "{personal} stands in {text}");
    }
}

async fn the_scheme_is_read_in_any_case(app: &TestApp, user_type: &str) {
    let (_, pair) = app.member(user_type).await;
    for scheme in ["Bearer", "bearer", "BEARER", "Bearer  "] {
        let value = format!("{scheme} {}", pair.access);
        let profile = app.get(&format!("/{user_type}/")).header("authorization", &value);
        profile.send().await.expect(200);
    }
}
