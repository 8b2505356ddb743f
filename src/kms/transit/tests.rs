//! Against a mock that takes the documented requests and no others. That the real engine takes them too was seen by hand
//! (`docs/TESTING.md`).

use std::{
    io::Write as _,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use wiremock::{
    Match, Mock, MockServer, Request, ResponseTemplate,
    matchers::{any, method, path},
};

use super::*;

const PATIENCE: Duration = Duration::from_millis(300);

fn options(server: &MockServer) -> TransitOptions {
    TransitOptions {
        url: server.uri().parse().expect("a URL"),
        mount: "transit".to_owned(),
        key: "sealgate".to_owned(),
        token: Private::new("hvs.one".to_owned()),
        token_file: None,
        namespace: None,
        authority: None,
        patience: PATIENCE,
    }
}

fn transit(server: &MockServer) -> Transit {
    Transit::new(options(server)).expect("a client")
}

/// As the documentation's sample has it.
fn described(versions: &[u32], min: u32) -> ResponseTemplate {
    let keys: serde_json::Map<String, Value> = versions
        .iter()
        .map(|version| (version.to_string(), json!(1_442_851_412)))
        .collect();
    ResponseTemplate::new(200).set_body_json(json!({"data": {
        "type": "aes256-gcm96", "deletion_allowed": false, "derived": false, "exportable": false,
        "allow_plaintext_backup": false, "keys": keys, "min_decryption_version": min, "min_encryption_version": 0,
        "name": "sealgate", "supports_encryption": true, "supports_decryption": true,
    }}))
}

async fn answers(server: &MockServer, verb: &str, place: &str, answer: ResponseTemplate) {
    Mock::given(method(verb))
        .and(path(place))
        .respond_with(answer)
        .mount(server)
        .await;
}

/// The bodies that were sent to `place`.
async fn sent(server: &MockServer, place: &str) -> Vec<Value> {
    let requests = server.received_requests().await.expect("recorded");
    let here = requests.iter().filter(|request| request.url.path() == place);
    here.map(|request| serde_json::from_slice(&request.body).expect("JSON"))
        .collect()
}

#[tokio::test]
async fn a_key_is_wrapped_and_unwrapped_as_the_documentation_says() {
    let server = MockServer::start().await;
    answers(&server, "GET", "/v1/transit/keys/sealgate", described(&[1, 2, 10], 2)).await;
    let ciphertext = json!({"data": {"ciphertext": "vault:v10:abcdefgh", "key_version": 10}});
    answers(
        &server,
        "POST",
        "/v1/transit/encrypt/sealgate",
        ResponseTemplate::new(200).set_body_json(ciphertext),
    )
    .await;
    let plaintext = json!({"data": {"plaintext": BASE64.encode(&[7; 32])}});
    answers(
        &server,
        "POST",
        "/v1/transit/decrypt/sealgate",
        ResponseTemplate::new(200).set_body_json(plaintext),
    )
    .await;

    let transit = transit(&server);
    let known = transit.known().await.expect("keys");
    assert_eq!(
        known,
        [transit.names.id(2), transit.names.id(10)],
        "by number, and those that still decrypt"
    );
    let wrapped = transit.wrap(&known[1], &[7; 32]).await.expect("wraps");
    assert_eq!(
        (wrapped.kek_id.clone(), wrapped.wrapped.as_slice()),
        (known[1].clone(), &b"vault:v10:abcdefgh"[..])
    );
    assert_eq!(transit.unwrap(&wrapped).await.expect("unwraps").as_slice(), [7; 32]);

    let bound = bound_to(&known[1]);
    let encrypt = json!({"plaintext": BASE64.encode(&[7; 32]), "associated_data": bound, "key_version": 10});
    assert_eq!(sent(&server, "/v1/transit/encrypt/sealgate").await, [encrypt]);
    let decrypt = json!({"ciphertext": "vault:v10:abcdefgh", "associated_data": bound});
    assert_eq!(sent(&server, "/v1/transit/decrypt/sealgate").await, [decrypt]);
    for request in server.received_requests().await.expect("recorded") {
        assert_eq!(request.headers["x-vault-token"], "hvs.one");
        assert!(!request.headers.contains_key("x-vault-namespace"));
    }
}

#[tokio::test]
async fn namespace_and_mount_are_where_they_belong() {
    let server = MockServer::start().await;
    answers(&server, "GET", "/gate/v1/kms/transit/keys/sealgate", described(&[1], 1)).await;
    let transit = Transit::new(TransitOptions {
        url: format!("{}/gate/", server.uri()).parse().expect("a URL"),
        mount: "kms/transit".to_owned(),
        namespace: Some("team/a".to_owned()),
        ..options(&server)
    });
    assert_eq!(transit.expect("a client").known().await.expect("keys").len(), 1);
    let requests = server.received_requests().await.expect("recorded");
    assert_eq!(requests[0].headers["x-vault-namespace"], "team/a");
}

#[tokio::test]
async fn what_is_another_versions_or_another_keys_is_never_sent() {
    let server = MockServer::start().await;
    let transit = transit(&server);
    let wrapped = |kek_id: &KekId, text: &str| WrappedKey {
        kek_id: kek_id.clone(),
        wrapped: text.as_bytes().to_vec(),
    };
    let second = transit.names.id(2);
    for text in ["vault:v1:abcdefgh", "vault:v20:abcdefgh", "", "\u{e9}", "vault:v2:"] {
        assert_eq!(
            transit.unwrap(&wrapped(&second, text)).await,
            Err(KekError::Damaged),
            "{text}"
        );
    }
    let foreign = TransitNames::new("transit", "another").id(2);
    assert_eq!(
        transit.unwrap(&wrapped(&foreign, "vault:v2:abcdefgh")).await,
        Err(KekError::Unknown(foreign.clone()))
    );
    assert_eq!(transit.wrap(&foreign, &[1]).await, Err(KekError::Unknown(foreign)));
    assert_eq!(transit.wrap(&second, &[]).await, Err(KekError::Damaged));
    assert!(server.received_requests().await.expect("recorded").is_empty());
}

#[tokio::test]
async fn a_service_that_is_away_or_not_itself_is_unavailable_and_nothing_it_says_is_repeated() {
    let answers = [
        ResponseTemplate::new(500),
        ResponseTemplate::new(502),
        ResponseTemplate::new(503).set_body_json(json!({"errors": ["Vault is sealed"]})),
        ResponseTemplate::new(429),
        ResponseTemplate::new(412),
        ResponseTemplate::new(307).insert_header("location", "http://127.0.0.1:1/"),
        ResponseTemplate::new(200).set_body_string("<html>an error page, with 200</html>"),
        ResponseTemplate::new(200).set_body_json(json!({"data": {}})),
        ResponseTemplate::new(200).set_body_string("x".repeat(70_000)),
        ResponseTemplate::new(200).set_delay(PATIENCE * 20),
    ];
    for answer in answers {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(answer.clone()).mount(&server).await;
        let transit = transit(&server);
        let id = transit.names.id(1);
        let wrapped = WrappedKey {
            kek_id: id.clone(),
            wrapped: b"vault:v1:abcdefgh".to_vec(),
        };
        assert_eq!(transit.known().await, Err(KekError::Unavailable), "{answer:?}");
        assert_eq!(
            transit.wrap(&id, &[1; 32]).await,
            Err(KekError::Unavailable),
            "{answer:?}"
        );
        assert_eq!(transit.unwrap(&wrapped).await, Err(KekError::Unavailable), "{answer:?}");
        assert_eq!(transit.make().await, Err(KekError::Unavailable), "{answer:?}");
        assert_eq!(transit.destroy(&id).await, Err(KekError::Unavailable), "{answer:?}");
    }
    // A mock that is dropped goes on listening, for others.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let url = format!("http://{}", gone.expect("a port")).parse().expect("a URL");
    let other = MockServer::start().await;
    let options = TransitOptions { url, ..options(&other) };
    let transit = Transit::new(options).expect("a client");
    assert_eq!(transit.known().await, Err(KekError::Unavailable));
}

#[tokio::test]
async fn a_ciphertext_that_does_not_open_is_damaged_and_a_version_that_is_gone_unknown() {
    for (there, says) in [
        (described(&[1, 2], 1), "damaged"),
        (described(&[1, 2], 2), "unknown"),
        (described(&[2], 1), "unknown"),
        (
            ResponseTemplate::new(404).set_body_json(json!({"errors": []})),
            "unknown",
        ),
        (ResponseTemplate::new(503), "away"),
    ] {
        let server = MockServer::start().await;
        let refusal = json!({"errors": ["cipher: message authentication failed hvs.one"]});
        let refusal = ResponseTemplate::new(400).set_body_json(refusal);
        answers(&server, "POST", "/v1/transit/decrypt/sealgate", refusal.clone()).await;
        answers(&server, "POST", "/v1/transit/encrypt/sealgate", refusal).await;
        answers(&server, "GET", "/v1/transit/keys/sealgate", there).await;
        let transit = transit(&server);
        let id = transit.names.id(1);
        let expected = match says {
            "damaged" => KekError::Damaged,
            "unknown" => KekError::Unknown(id.clone()),
            _ => KekError::Unavailable,
        };
        let wrapped = WrappedKey {
            kek_id: id.clone(),
            wrapped: b"vault:v1:abcdefgh".to_vec(),
        };
        assert_eq!(transit.unwrap(&wrapped).await, Err(expected.clone()), "{says}");
        assert_eq!(transit.wrap(&id, &[1]).await, Err(expected), "{says}");
    }
}

#[tokio::test]
async fn a_key_that_took_the_place_of_this_one_wraps_nothing() {
    let server = MockServer::start().await;
    answers(&server, "GET", "/v1/transit/keys/sealgate", described(&[1, 2], 1)).await;
    let other = json!({"data": {"ciphertext": "vault:v1:abcdefgh"}});
    answers(
        &server,
        "POST",
        "/v1/transit/encrypt/sealgate",
        ResponseTemplate::new(200).set_body_json(other),
    )
    .await;
    let transit = transit(&server);
    assert_eq!(
        transit.wrap(&transit.names.id(2), &[1]).await,
        Err(KekError::Unavailable)
    );
}

#[tokio::test]
async fn a_key_of_another_kind_or_none_is_said_with_its_mend() {
    let unfit = |kind: &str, derived: bool| {
        ResponseTemplate::new(200).set_body_json(json!({"data": {
            "type": kind, "derived": derived, "keys": {"1": 1}, "min_decryption_version": 1,
        }}))
    };
    for answer in [
        unfit("rsa-4096", false),
        unfit("aes128-gcm96", false),
        unfit("aes256-gcm96", true),
        ResponseTemplate::new(404),
        ResponseTemplate::new(403),
    ] {
        let server = MockServer::start().await;
        answers(&server, "GET", "/v1/transit/keys/sealgate", answer).await;
        let Err(KekError::Unusable(says)) = transit(&server).known().await else {
            panic!("must be refused")
        };
        assert!(says.contains("TRANSIT_") && !says.contains("hvs.one"), "{says}");
        // And asked, it makes none.
        assert!(sent(&server, "/v1/transit/keys/sealgate/rotate").await.is_empty());
    }
}

/// With the token that it was given last.
struct Holds(Arc<Mutex<String>>);

impl Match for Holds {
    fn matches(&self, request: &Request) -> bool {
        request.headers["x-vault-token"] == self.0.lock().expect("whole").as_str()
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_read_again() {
    let server = MockServer::start().await;
    let good = Arc::new(Mutex::new("hvs.two".to_owned()));
    let mock = Mock::given(method("GET")).and(Holds(Arc::clone(&good)));
    mock.respond_with(described(&[1], 1)).mount(&server).await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(403))
        .with_priority(9)
        .mount(&server)
        .await;
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "hvs.one").expect("written");
    let transit = Transit::new(TransitOptions {
        token_file: Some(file.path().to_owned()),
        ..options(&server)
    })
    .expect("a client");
    assert!(matches!(transit.known().await, Err(KekError::Unusable(_))));
    let asked = async || server.received_requests().await.expect("recorded").len();
    assert_eq!(asked().await, 1, "the same token is not tried twice");

    std::fs::write(file.path(), "hvs.two\n").expect("written");
    assert!(transit.known().await.is_ok());
    assert_eq!(asked().await, 3);
    assert!(transit.known().await.is_ok());
    assert_eq!(asked().await, 4, "and is kept");
}

#[tokio::test]
async fn a_key_is_made_by_rotating_and_one_that_may_not_be_is_left_to_the_operator() {
    let server = MockServer::start().await;
    answers(
        &server,
        "POST",
        "/v1/transit/keys/sealgate/rotate",
        ResponseTemplate::new(204),
    )
    .await;
    answers(&server, "GET", "/v1/transit/keys/sealgate", described(&[1, 2], 1)).await;
    let provider = transit(&server);
    assert_eq!(provider.make().await, Ok(provider.names.id(2)));
    assert_eq!(sent(&server, "/v1/transit/keys/sealgate/rotate").await, [json!({})]);

    let server = MockServer::start().await;
    answers(
        &server,
        "POST",
        "/v1/transit/keys/sealgate/rotate",
        ResponseTemplate::new(403),
    )
    .await;
    answers(&server, "GET", "/v1/transit/keys/sealgate", described(&[1], 1)).await;
    let Err(KekError::CannotMake(says)) = transit(&server).make().await else {
        panic!("must be refused")
    };
    assert!(says.contains("keys/sealgate/rotate"), "{says}");
}

#[tokio::test]
async fn the_oldest_version_is_cut_off_and_no_other() {
    let server = MockServer::start().await;
    answers(&server, "GET", "/v1/transit/keys/sealgate", described(&[2, 3, 4], 2)).await;
    let done = ResponseTemplate::new(200).set_body_json(json!({"data": {}}));
    answers(&server, "POST", "/v1/transit/keys/sealgate/config", done).await;
    answers(
        &server,
        "POST",
        "/v1/transit/keys/sealgate/trim",
        ResponseTemplate::new(204),
    )
    .await;
    let transit = transit(&server);
    for version in [3, 4] {
        assert!(matches!(
            transit.destroy(&transit.names.id(version)).await,
            Err(KekError::Unusable(_))
        ));
    }
    assert_eq!(transit.destroy(&transit.names.id(5)).await, Ok(()), "never there");
    assert!(sent(&server, "/v1/transit/keys/sealgate/trim").await.is_empty());

    assert_eq!(transit.destroy(&transit.names.id(2)).await, Ok(()));
    // Decrypts no more, as after a removal that was broken off before it was trimmed.
    assert_eq!(transit.destroy(&transit.names.id(1)).await, Ok(()));
    let floor = |version: u32| json!({"min_decryption_version": version, "min_encryption_version": version});
    let config = sent(&server, "/v1/transit/keys/sealgate/config").await;
    assert_eq!(config[0], floor(3));
    assert_eq!(config[1], floor(2), "no lower than it is");
    let trimmed = [json!({"min_available_version": 3}), json!({"min_available_version": 2})];
    assert_eq!(sent(&server, "/v1/transit/keys/sealgate/trim").await, trimmed);
}

#[tokio::test]
async fn what_is_trimmed_already_is_left_alone() {
    let server = MockServer::start().await;
    let trimmed = json!({"data": {
        "type": "chacha20-poly1305", "derived": false, "keys": {"3": 1, "4": 1}, "min_decryption_version": 3,
        "min_encryption_version": 3, "min_available_version": 3,
    }});
    let trimmed = ResponseTemplate::new(200).set_body_json(trimmed);
    answers(&server, "GET", "/v1/transit/keys/sealgate", trimmed).await;
    let transit = transit(&server);
    assert_eq!(transit.destroy(&transit.names.id(2)).await, Ok(()));
    assert_eq!(server.received_requests().await.expect("recorded").len(), 1);
}

#[tokio::test]
async fn nothing_is_encrypted_under_a_key_that_is_not_there() {
    for there in [ResponseTemplate::new(404), described(&[1], 1)] {
        let server = MockServer::start().await;
        answers(&server, "GET", "/v1/transit/keys/sealgate", there).await;
        let transit = transit(&server);
        let id = transit.names.id(2);
        assert_eq!(transit.wrap(&id, &[1; 32]).await, Err(KekError::Unknown(id)));
        assert!(sent(&server, "/v1/transit/encrypt/sealgate").await.is_empty());
    }
}
