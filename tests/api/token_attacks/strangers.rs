//! What is genuine, and no access token of this user type that is good now.

use serde_json::json;

use super::{Attack, Genuine, SECRET};
use crate::support::{Forger, Person, Setup, TestApp, mobile};

pub(super) async fn attacks(app: &TestApp, genuine: &Genuine) -> Vec<Attack> {
    let user_type = genuine.user_type.as_str();
    let claim = |name: &str| genuine.claims[name].as_str().expect("a text").to_owned();
    let mut attacks: Vec<_> = [
        ("a refresh token", genuine.pair.refresh.clone()),
        ("another user type's token", genuine.foreign.access.clone()),
        ("another user type's refresh token", genuine.foreign.refresh.clone()),
        ("a key's id", genuine.head["kid"].as_str().expect("a text").to_owned()),
        ("an account's id", claim("sub")),
        ("a session's id", claim("sid")),
        ("a token's id", claim("jti")),
        ("an issuer", claim("iss")),
        ("null", "null".to_owned()),
        ("undefined", "undefined".to_owned()),
        ("true", "true".to_owned()),
        ("[object Object]", "[object Object]".to_owned()),
        ("a word", "admin".to_owned()),
    ]
    .into_iter()
    .map(|(what, token)| Attack::token(what, token))
    .collect();

    // A mailed link's token, of an account that waits for it.
    let waiting = Person::new();
    let link = app.register(user_type, &waiting).await;
    attacks.push(Attack::token("a link's token", link));
    attacks.push(Attack::token("a password", &waiting.password));

    // A receipt of erasure: signed with the same key, under another type.
    let (person, pair) = app.member(user_type).await;
    let proof = json!({ "password": person.password });
    let erased = app.delete(user_type, &pair.access, &proof).await.expect(200);
    attacks.push(Attack::token("a receipt of erasure", erased.member("receipt")));
    attacks.push(Attack::token("the token of an erased account", &pair.access));

    // Sessions that are over.
    let (person, pair) = app.member(user_type).await;
    app.post(&format!("/{user_type}/logout"))
        .bearer(&pair.access)
        .send()
        .await
        .expect(200);
    attacks.push(Attack::token("the token of a session that was ended", &pair.access));
    let pair = app.login(user_type, &person).await;
    app.forget(user_type, &person.email).await.expect(202);
    let link = app.next_link(&person).await;
    app.reset(user_type, &link, "An0ther-SecureP@ssw0rd").await.expect(200);
    attacks.push(Attack::token("the token of before a reset", &pair.access));

    // A code's challenge.
    let (_, pair) = app.member(user_type).await;
    let number = mobile();
    let asked = app
        .ask_code(user_type, &pair.access, &json!({ "phone": number }))
        .await
        .expect(202);
    attacks.push(Attack::token("a challenge's id", asked.member("otp")));
    attacks.push(Attack::token("a code", app.next_code(&number).await));

    attacks.extend(of_another_installation(app, genuine).await);
    attacks
}

/// Another service with the same name and settings: everything is right but the key.
async fn of_another_installation(app: &TestApp, genuine: &Genuine) -> Vec<Attack> {
    let own_url = format!("http://{}", app.address);
    let mut setup = Setup::new(&app.setup.stores.another());
    setup.pairs.clone_from(&app.setup.pairs);
    let is_secret = genuine.forger.is_none();
    if is_secret {
        setup.pairs.retain(|(name, _)| name != "JWT_SECRET");
        setup = setup.set("JWT_SECRET", SECRET.to_ascii_uppercase());
    }
    let elsewhere = setup.set("PUBLIC_URL", own_url).spawn().await;
    let (_, pair) = elsewhere.member(&genuine.user_type).await;
    elsewhere.profile(&genuine.user_type, &pair.access).await.expect(200);
    let mut attacks = vec![Attack::token("another installation's token", &pair.access)];
    if !is_secret {
        let forger = Forger::of(&elsewhere).await;
        let (head, claims) = (genuine.head.to_string(), genuine.claims.to_string());
        let token = forger.sign_texts(head.as_bytes(), claims.as_bytes());
        attacks.push(Attack::token("our claims under another installation's key", token));
    }
    elsewhere.shut_down().await;
    attacks
}
