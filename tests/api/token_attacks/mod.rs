//! Attacks on access tokens: a table of them, each refused in the same words as every other, on every route that takes a
//! token. The routes come from the document, so that a new one joins by itself.
//!
//! Many are signed with the service's own key: what is refused then is refused for the one thing that is wrong with it.
//!
//! # To add an attack
//! A line in the file of what it forges: [`headers`], [`keys`], [`claims`], [`shapes`] or [`strangers`].

mod claims;
mod headers;
mod keys;
mod shapes;
mod strangers;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _};
use serde_json::Value;

use crate::support::{Answer, Forger, Pair, Setup, StoreSet, TestApp, part};

cases_once! {
    every_attack_is_refused_alike
    every_attack_is_refused_alike_where_keys_are_es256
    every_attack_is_refused_alike_where_keys_are_rs256
    every_attack_is_refused_alike_where_the_key_is_a_secret
    every_route_refuses_alike
    nobody_is_asked_for_a_key_that_a_token_names
}

/// A shared secret, as long as it has to be.
const SECRET: &str = "a-shared-secret-of-0123456789-abcdef";
/// Attacks of each kind that every route meets; all of them meet one route.
const OF_EACH: usize = 6;
/// So many are under way at a time.
const AT_ONCE: usize = 64;

/// What is sent as `Authorization`, and what it tries.
struct Attack {
    what: String,
    values: Vec<Vec<u8>>,
    /// Sent along: `?access_token=` and the like.
    query: String,
    cookie: Option<String>,
}

impl Attack {
    /// A bearer token.
    fn token(what: impl Into<String>, token: impl AsRef<[u8]>) -> Self {
        Self::header(what, [&b"Bearer "[..], token.as_ref()].concat())
    }

    fn header(what: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        Self::headers(what, &[value.as_ref()])
    }

    fn headers(what: impl Into<String>, values: &[&[u8]]) -> Self {
        Self {
            what: what.into(),
            values: values.iter().map(|value| value.to_vec()).collect(),
            query: String::new(),
            cookie: None,
        }
    }

    async fn send(&self, app: &TestApp, method: &str, path: &str) -> Answer {
        let mut call = app.call(method, &format!("{path}{}", self.query));
        for value in &self.values {
            call = call.header_bytes("authorization", value);
        }
        if let Some(cookie) = &self.cookie {
            call = call.header("cookie", cookie);
        }
        call.send().await
    }
}

/// What attacks are made of.
struct Genuine {
    user_type: String,
    /// Accepted, of a session that is on.
    pair: Pair,
    head: Value,
    claims: Value,
    /// Signs as the service does; `None` where it signs with a secret.
    forger: Option<Forger>,
    /// An account of the other user type.
    foreign: Pair,
    /// Of the same user type.
    victim: Pair,
}

impl Genuine {
    async fn at(app: &TestApp, user_type: &str, is_secret: bool) -> Self {
        let (_, pair) = app.member(user_type).await;
        let (_, foreign) = app.member(crate::support::other(user_type)).await;
        let (_, victim) = app.member(user_type).await;
        Self {
            user_type: user_type.to_owned(),
            head: part(&pair.access, 0),
            claims: part(&pair.access, 1),
            forger: if is_secret { None } else { Some(Forger::of(app).await) },
            pair,
            foreign,
            victim,
        }
    }

    /// The three parts, as text.
    fn parts(&self) -> [&str; 3] {
        let parts: Vec<_> = self.pair.access.split('.').collect();
        parts.try_into().expect("three parts")
    }

    /// Signed as the service signs.
    fn sign(&self, head: &Value, claims: &Value) -> String {
        self.sign_texts(head.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    fn sign_texts(&self, head: &[u8], claims: &[u8]) -> String {
        match &self.forger {
            Some(forger) => forger.sign_texts(head, claims),
            None => keys::sign_hs256(head, claims, SECRET.as_bytes()),
        }
    }

    /// Signed, with members of the header changed.
    fn headed(&self, changes: &Value) -> String {
        self.sign(&changed(&self.head, changes), &self.claims)
    }

    /// Signed, with claims changed.
    fn claiming(&self, changes: &Value) -> String {
        self.sign(&self.head, &changed(&self.claims, changes))
    }
}

fn changed(value: &Value, changes: &Value) -> Value {
    let mut value = value.clone();
    for (name, change) in changes.as_object().expect("an object") {
        value[name] = change.clone();
    }
    value
}

async fn attacks(app: &TestApp, genuine: &Genuine) -> Vec<Vec<Attack>> {
    vec![
        headers::attacks(genuine),
        keys::attacks(genuine),
        claims::attacks(genuine),
        shapes::attacks(genuine),
        Box::pin(strangers::attacks(app, genuine)).await,
    ]
}

/// All that a client could tell two refusals apart by.
type Shape = (u16, BTreeMap<String, String>, Value);

fn shape(answer: &Answer) -> Shape {
    let of_the_request = ["x-request-id", "date", "content-length"];
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| !of_the_request.contains(&name.as_str()));
    let headers = headers
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let mut body = answer.json();
    let members = body.as_object_mut().expect("an object");
    members.remove("request_id");
    members.remove("instance");
    (answer.status, headers, body)
}

/// Refusals so far, by their code: who presents no token is told that alone (RFC 6750 section 3.1).
#[derive(Default)]
struct Refusals(BTreeMap<String, Shape>);

impl Refusals {
    /// Sends every one of these, many at once: a token that names an unknown key waits for a reading of the keys, which
    /// they share.
    async fn send<'a>(&mut self, app: &TestApp, calls: impl IntoIterator<Item = (&'a str, &'a str, &'a Attack)>) {
        let mut answers = stream::iter(calls)
            .map(async |(method, path, attack)| {
                let what = format!("{} at {method} {path}", attack.what);
                (what, attack.send(app, method, path).await)
            })
            .buffered(AT_ONCE);
        while let Some((what, answer)) = answers.next().await {
            self.judge(&what, &answer);
        }
    }

    fn judge(&mut self, what: &str, answer: &Answer) {
        assert_eq!(answer.status, 401, "{what} passed: {}", answer.text());
        let code = answer.member("code");
        let challenge = match code.as_str() {
            "invalid_token" => "Bearer error=\"invalid_token\"",
            "missing_token" => "Bearer",
            code => panic!("{what} is told {code}"),
        };
        assert_eq!(answer.header("www-authenticate"), challenge, "{what}");
        let shape = shape(answer);
        let known = self.0.entry(code).or_insert_with(|| shape.clone());
        assert_eq!(*known, shape, "{what} is told apart");
    }

    async fn send_all(&mut self, app: &TestApp, genuine: &Genuine) -> usize {
        let path = format!("/{}/verify-token", genuine.user_type);
        let mut names = BTreeSet::new();
        let attacks = attacks(app, genuine).await;
        for attack in attacks.iter().flatten() {
            assert!(names.insert(attack.what.clone()), "{} is there twice", attack.what);
        }
        let calls = attacks.iter().flatten();
        self.send(app, calls.map(|attack| ("GET", path.as_str(), attack))).await;
        assert!(names.len() >= 200, "only {} attacks", names.len());
        names.len()
    }
}

async fn refuse(app: &TestApp, genuine: &Genuine) {
    // Nothing is wrong with what the attacks are made from.
    for token in [&genuine.pair.access, &genuine.sign(&genuine.head, &genuine.claims)] {
        app.profile(&genuine.user_type, token).await.expect(200);
    }
    let mut refusals = Refusals::default();
    refusals.send_all(app, genuine).await;
    assert_eq!(refusals.0.len(), 2, "no token, and no good one");
    app.profile(&genuine.user_type, &genuine.pair.access).await.expect(200);
}

async fn every_attack_is_refused_alike(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    refuse(&app, &Genuine::at(&app, "User1", false).await).await;
    app.shut_down().await;
}

async fn every_attack_is_refused_alike_where_keys_are_es256(stores: &StoreSet) {
    Box::pin(refuse_with(stores, "ES256")).await;
}

async fn every_attack_is_refused_alike_where_keys_are_rs256(stores: &StoreSet) {
    Box::pin(refuse_with(stores, "RS256")).await;
}

async fn refuse_with(stores: &StoreSet, algorithm: &str) {
    let app = Setup::new(stores).set("JWT_ALGORITHM", algorithm).spawn().await;
    let genuine = Genuine::at(&app, "User2", false).await;
    assert_eq!(genuine.head["alg"], algorithm);
    refuse(&app, &genuine).await;
    app.shut_down().await;
}

async fn every_attack_is_refused_alike_where_the_key_is_a_secret(stores: &StoreSet) {
    let setup = Setup::new(stores)
        .set("JWT_ALGORITHM", "HS256")
        .set("JWT_SECRET", SECRET);
    let app = setup.spawn().await;
    let genuine = Genuine::at(&app, "User1", true).await;
    assert_eq!(genuine.head["alg"], "HS256");
    refuse(&app, &genuine).await;
    app.shut_down().await;
}

/// Every operation that takes a token of `user_type`, by the document.
fn routes(user_type: &str) -> Vec<(String, String)> {
    let user_types = sealgate::domain::user_type::parse_user_types("User1,User2").expect("valid");
    let document: Value = serde_json::from_str(&sealgate::http::docs::document(&user_types)).expect("JSON");
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        if !path.starts_with(&format!("/{user_type}/")) {
            continue;
        }
        for (method, operation) in methods.as_object().expect("methods") {
            if operation["security"]
                .as_array()
                .is_some_and(|schemes| !schemes.is_empty())
            {
                let path = path
                    .split('/')
                    .map(|part| if part.starts_with('{') { "x" } else { part });
                routes.push((method.to_ascii_uppercase(), path.collect::<Vec<_>>().join("/")));
            }
        }
    }
    // One that the document has once, with the slash.
    routes.push(("GET".to_owned(), format!("/{user_type}")));
    routes
}

async fn every_route_refuses_alike(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    for user_type in ["User1", "User2"] {
        let genuine = Genuine::at(&app, user_type, false).await;
        let (kinds, routes) = (attacks(&app, &genuine).await, routes(user_type));
        assert!(routes.len() >= 10, "only {routes:?}");
        // Spread over all there are.
        let some = || {
            kinds
                .iter()
                .flat_map(|kind| kind.iter().step_by(kind.len().div_ceil(OF_EACH)))
        };
        let calls = routes
            .iter()
            .flat_map(|(method, path)| some().map(|attack| (method.as_str(), path.as_str(), attack)));
        Refusals::default().send(&app, calls).await;
        app.profile(user_type, &genuine.pair.access).await.expect(200);
    }
    app.shut_down().await;
}

/// Headers that say where a key is are not followed.
async fn nobody_is_asked_for_a_key_that_a_token_names(stores: &StoreSet) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/keys", listener.local_addr().expect("an address"));
    let app = Setup::new(stores).spawn().await;
    let genuine = Genuine::at(&app, "User1", false).await;
    let mut refusals = Refusals::default();
    let attacks = keys::named(&genuine, &url);
    let calls = attacks.iter().map(|attack| ("GET", "/User1/verify-token", attack));
    refusals.send(&app, calls).await;
    // Whoever had connected would be waiting to be accepted.
    let asked = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
    assert!(asked.is_err(), "somebody asked for a key");
    app.shut_down().await;
}
