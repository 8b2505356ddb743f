//! A service in another language that takes access tokens: `PyJWT`, which is told the issuer's name and finds the rest.

use std::{process::Stdio, sync::Arc, time::Duration};

use sealgate::{
    app::{Foundation, World},
    crypto::{public_key::PairAlgorithm, system_entropy::SystemEntropy},
    domain::clock::{Clock as _, ManualClock, SystemClock},
    service::token_keys::{PENDING, rotate},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::support::{Setup, StoreSet, TestApp, encoded, eventually, part};

cases_once! {
    pyjwt_takes_what_is_good_with_eddsa
    pyjwt_takes_what_is_good_with_es256
    pyjwt_takes_what_is_good_with_rs256
}

/// How far before the present the service's clock begins: the other one looks at the real clock, to which a token must
/// not be of the future.
const BEFORE: Duration = Duration::from_mins(10);

/// The other service.
struct ResourceServer {
    tokens: ChildStdin,
    verdicts: Lines<BufReader<ChildStdout>>,
    child: Child,
}

impl ResourceServer {
    fn of(issuer: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/resource-server");
        let mut child = Command::new(script)
            .arg(issuer)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let (tokens, verdicts) = (child.stdin.take().expect("asked"), child.stdout.take().expect("asked"));
        Self {
            tokens,
            verdicts: BufReader::new(verdicts).lines(),
            child,
        }
    }

    async fn verdict(&mut self, token: &str) -> Value {
        let line = format!("{token}\n");
        self.tokens.write_all(line.as_bytes()).await.expect("it listens");
        let verdict = tokio::time::timeout(Duration::from_mins(2), self.verdicts.next_line());
        let verdict = verdict.await.expect("it answers in time").expect("a line");
        serde_json::from_str(&verdict.expect("it lives")).expect("JSON")
    }

    async fn accepts(&mut self, token: &str) {
        let verdict = self.verdict(token).await;
        assert_eq!(verdict["claims"], part(token, 1), "{verdict}");
    }

    async fn refuses(&mut self, token: &str, why: &str) {
        assert_eq!(self.verdict(token).await, json!({ "refused": why }));
    }

    async fn end(mut self) {
        drop(self.tokens);
        assert!(self.child.wait().await.expect("it ends").success());
    }
}

async fn pyjwt_takes_what_is_good_with_eddsa(stores: &StoreSet) {
    Box::pin(meet(stores, "EdDSA", PairAlgorithm::Es256)).await;
}

async fn pyjwt_takes_what_is_good_with_es256(stores: &StoreSet) {
    Box::pin(meet(stores, "ES256", PairAlgorithm::Es256)).await;
}

async fn pyjwt_takes_what_is_good_with_rs256(stores: &StoreSet) {
    Box::pin(meet(stores, "RS256", PairAlgorithm::EdDsa)).await;
}

/// The tokens of one algorithm, then those of the next key.
async fn meet(stores: &StoreSet, algorithm: &str, next: PairAlgorithm) {
    let setup = Setup {
        clock: Arc::new(ManualClock::new(
            SystemClock.now().minus(BEFORE + Duration::from_hours(1)),
        )),
        reread: Duration::from_millis(100),
        ..Setup::new(stores).set("JWT_ALGORITHM", algorithm)
    };
    let app = setup.spawn().await;
    let (person, expired) = app.member("User1").await;
    let (_, foreign) = app.member("User2").await;
    app.clock.advance(Duration::from_hours(1));
    let (first, foreign) = (
        app.login("User1", &person).await,
        app.refresh("User2", &foreign.refresh).await.expect(200),
    );
    assert_eq!(part(&first.access, 0)["alg"], algorithm);

    let issuer = format!("http://{}/User1", app.address);
    let mut server = ResourceServer::of(&issuer);
    server.accepts(&first.access).await;
    server.refuses(&expired.access, "ExpiredSignatureError").await;
    server
        .refuses(&foreign.member("access_token"), "InvalidIssuerError")
        .await;
    server.refuses(&altered(&first.access), "InvalidSignatureError").await;
    let receipt = receipt(&app).await;
    server.refuses(&receipt, "InvalidTokenError").await;

    let world = World {
        audit_lines: None,
        clock: Arc::clone(&setup.clock) as Arc<_>,
        entropy: Arc::new(SystemEntropy),
        stores: None,
    };
    let operator = Foundation::open(&setup.config(), world).await.expect("a foundation");
    rotate(&operator.core, next).await.expect("made");
    app.clock.advance(PENDING);
    let second = eventually("a token of the new key", async || {
        let pair = app.login("User1", &person).await;
        (part(&pair.access, 0)["kid"] != part(&first.access, 0)["kid"]).then_some(pair)
    })
    .await;
    assert_eq!(part(&second.access, 0)["alg"], next.as_str());
    for token in [&second.access, &first.access] {
        server.accepts(token).await;
    }
    server.end().await;
    app.shut_down().await;
    operator.close().await;
}

/// With another role, under the same signature.
fn altered(token: &str) -> String {
    let mut claims = part(token, 1);
    claims["role"] = json!("admin");
    let parts: Vec<_> = token.split('.').collect();
    format!("{}.{}.{}", parts[0], encoded(&claims), parts[2])
}

async fn receipt(app: &TestApp) -> String {
    let (person, pair) = app.member("User1").await;
    let proof = json!({ "password": person.password });
    app.delete("User1", &pair.access, &proof)
        .await
        .expect(200)
        .member("receipt")
}
