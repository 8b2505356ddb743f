//! A transit engine on loopback, behind a proxy that takes it away: a **mock**, which takes the documented requests of
//! Vault's and OpenBao's API and no others; or, where `TEST_TRANSIT_URL` (as `http://127.0.0.1:8200`) and
//! `TEST_TRANSIT_TOKEN` name one with an engine at `transit`, that.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use data_encoding::BASE64;
use serde_json::{Map, Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

use super::Setup;
use crate::fault_proxy::{Fault, FaultProxy};

const MOCK_TOKEN: &str = "hvs.token-of-the-mock";

/// The engine, and one key in it.
pub(crate) struct TransitEngine {
    proxy: FaultProxy,
    direct: String,
    token: String,
    key: String,
    mock: Option<(MockServer, Arc<TransitMock>)>,
}

/// What the mock has seen and knows. A ciphertext is a number: nothing of the key is in it.
#[derive(Default)]
struct TransitMock(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// By key how many versions there are.
    keys: BTreeMap<String, u64>,
    /// By ciphertext the key, plaintext and associated data.
    wrapped: BTreeMap<String, (String, String, String)>,
    /// Requests that the documentation does not know.
    strange: Vec<String>,
}

impl TransitEngine {
    /// With a key that nobody else uses.
    pub(crate) async fn start() -> Self {
        let real = real();
        let mock = match &real {
            Some(_) => None,
            None => {
                let (server, mock) = (MockServer::start().await, Arc::<TransitMock>::default());
                Mock::given(any())
                    .respond_with(Answers(Arc::clone(&mock)))
                    .mount(&server)
                    .await;
                Some((server, mock))
            }
        };
        let (direct, token) = match (real, &mock) {
            (Some(real), _) => real,
            (None, Some((server, _))) => (server.uri(), MOCK_TOKEN.to_owned()),
            (None, None) => unreachable!("one of the two"),
        };
        let target = direct.trim_start_matches("http://").parse().expect("an address");
        let engine = Self {
            proxy: FaultProxy::before(target).await,
            direct,
            token,
            key: format!("test-{}", uuid::Uuid::from_u128(u128::from_be_bytes(random())).simple()),
            mock,
        };
        engine.ask("POST", "", &json!({ "type": "aes256-gcm96" })).await;
        engine
    }

    /// `setup` with its keys here.
    pub(crate) fn lead(&self, setup: Setup) -> Setup {
        setup
            .set("TRANSIT_URL", format!("http://{}", self.proxy.address()))
            .set("TRANSIT_KEY", &self.key)
            .set("TRANSIT_TOKEN", &self.token)
    }

    /// From now on.
    pub(crate) fn set(&self, fault: Fault) {
        self.proxy.set(fault);
    }

    /// How many versions its key has.
    pub(crate) async fn versions(&self) -> usize {
        let described = self.ask("GET", "", &Value::Null).await;
        described["data"]["keys"].as_object().map_or(0, Map::len)
    }

    /// Makes a version, as an operator does.
    pub(crate) async fn rotate(&self) {
        self.ask("POST", "/rotate", &json!({})).await;
    }

    /// Whether all that was asked is documented.
    pub(crate) fn check(&self) {
        if let Some((_, mock)) = &self.mock {
            let strange = &mock.0.lock().expect("whole").strange;
            assert!(strange.is_empty(), "not in the documentation: {strange:?}");
        }
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}/v1/transit/keys/{}{path}", self.direct, self.key);
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let request = client.request(method.parse().expect("a method"), url);
        let request = request.header("x-vault-token", &self.token);
        let request = if body.is_null() { request } else { request.json(body) };
        let response = request.send().await.expect("an answer");
        assert!(response.status().is_success(), "{method} {path}: {}", response.status());
        serde_json::from_slice(&response.bytes().await.expect("a body")).unwrap_or_default()
    }
}

struct Answers(Arc<TransitMock>);

impl Respond for Answers {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut known = self.0.0.lock().expect("whole");
        if request
            .headers
            .get("x-vault-token")
            .is_none_or(|token| token != MOCK_TOKEN)
        {
            return failure(403, "permission denied");
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let path = request.url.path().to_owned();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match (request.method.as_str(), &parts[..]) {
            ("POST", ["v1", "transit", "keys", key]) => {
                known.keys.insert((*key).to_owned(), 1);
                known.describe(key)
            }
            ("GET", ["v1", "transit", "keys", key]) => known.describe(key),
            ("POST", ["v1", "transit", "keys", key, "rotate"]) => {
                known
                    .keys
                    .entry((*key).to_owned())
                    .and_modify(|versions| *versions += 1);
                known.describe(key)
            }
            ("POST", ["v1", "transit", "encrypt", key])
                if has(&body, &["associated_data", "key_version", "plaintext"]) =>
            {
                known.encrypt(key, &body)
            }
            ("POST", ["v1", "transit", "decrypt", key]) if has(&body, &["associated_data", "ciphertext"]) => {
                known.decrypt(key, &body)
            }
            (method, _) => {
                known.strange.push(format!("{method} {path}"));
                failure(405, "unsupported operation")
            }
        }
    }
}

impl Known {
    fn describe(&self, key: &str) -> ResponseTemplate {
        let Some(versions) = self.keys.get(key) else {
            return ResponseTemplate::new(404).set_body_json(json!({ "errors": [] }));
        };
        let keys: Map<String, Value> = (1..=*versions)
            .map(|version| (version.to_string(), json!(1_442_851_412)))
            .collect();
        let described = json!({ "type": "aes256-gcm96", "derived": false, "keys": keys, "name": key,
            "min_decryption_version": 1, "min_encryption_version": 0, "latest_version": versions });
        ResponseTemplate::new(200).set_body_json(json!({ "data": described }))
    }

    fn encrypt(&mut self, key: &str, body: &Value) -> ResponseTemplate {
        let version = body["key_version"].as_u64().unwrap_or_default();
        let versions = self.keys.get(key).copied().unwrap_or_default();
        let plaintext = text(body, "plaintext");
        if !(1..=versions).contains(&version) || BASE64.decode(plaintext.as_bytes()).is_err() {
            return failure(400, "unable to encrypt");
        }
        let ciphertext = format!("vault:v{version}:{}", BASE64.encode(&random::<40>()));
        let entry = (key.to_owned(), plaintext, text(body, "associated_data"));
        self.wrapped.insert(ciphertext.clone(), entry);
        let encrypted = json!({ "ciphertext": ciphertext, "key_version": version });
        ResponseTemplate::new(200).set_body_json(json!({ "data": encrypted }))
    }

    fn decrypt(&self, key: &str, body: &Value) -> ResponseTemplate {
        match self.wrapped.get(&text(body, "ciphertext")) {
            Some((of, plaintext, bound)) if of == key && *bound == text(body, "associated_data") => {
                ResponseTemplate::new(200).set_body_json(json!({ "data": { "plaintext": plaintext } }))
            }
            _ => failure(400, "cipher: message authentication failed"),
        }
    }
}

fn failure(status: u16, says: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({ "errors": [says] }))
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_default().to_owned()
}

/// Whether those are its members, and no others.
fn has(body: &Value, names: &[&str]) -> bool {
    let mut members: Vec<&String> = body.as_object().into_iter().flat_map(Map::keys).collect();
    members.sort();
    members == names
}

fn random<const N: usize>() -> [u8; N] {
    use sealgate::domain::entropy::Entropy as _;
    let mut bytes = [0; N];
    sealgate::crypto::system_entropy::SystemEntropy.fill(&mut bytes);
    bytes
}

#[expect(clippy::disallowed_methods, reason = "names the server that the tests run against")]
fn real() -> Option<(String, String)> {
    let url = std::env::var("TEST_TRANSIT_URL").ok()?;
    let token = std::env::var("TEST_TRANSIT_TOKEN").expect("TEST_TRANSIT_TOKEN must be set beside TEST_TRANSIT_URL");
    Some((url, token))
}
