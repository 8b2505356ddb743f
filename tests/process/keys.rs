//! `sealgate keys` beside a running server: what signs tokens, replaced and taken out.

use std::process::Output;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::{
    installation::{Installation, Server},
    stores::SharedStores,
};

const EMAIL: &str = "ada@example.com";

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn keys_of_tokens_of_the_embedded_store() {
    keys_of_tokens(&Installation::new(), &[]).await;
}

#[tokio::test]
async fn keys_of_tokens_of_mongodb() {
    let (installation, stores) = (Installation::new(), SharedStores::new());
    let settings = stores.settings_with(&[]);
    assert!(installation.run(&["keys", "new"], &settings).status.success());
    keys_of_tokens(&installation, &settings).await;
    stores.remove().await;
}

fn kid(token: &str) -> Value {
    let head = token.split('.').next().expect("a part");
    let head = BASE64URL_NOPAD.decode(head.as_bytes()).expect("base64url");
    let head: Value = serde_json::from_slice(&head).expect("JSON");
    head["kid"].clone()
}

/// A token of a key that nobody made: the server reads its keys again before it answers.
async fn make_it_read(server: &Server, token: &str) {
    let rest = token.split_once('.').expect("parts").1;
    let head = json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": "A".repeat(43) });
    let unknown = format!("{}.{rest}", BASE64URL_NOPAD.encode(head.to_string().as_bytes()));
    server.client.profile("User1", &unknown).await.expect(401);
}

async fn keys_of_tokens(installation: &Installation, settings: &[(&str, &str)]) {
    let server = installation.serve(settings).await;
    let keys = |arguments: &[&str]| installation.run(&[&["keys"], arguments].concat(), settings);
    let listed = || -> Vec<Value> {
        let output = keys(&["list", "--json"]);
        assert!(output.status.success(), "{}", err(&output));
        let keys = out(&output);
        let keys = keys
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        keys.filter(|key| key["use"] == "token").collect()
    };
    server.client.create("User1", EMAIL).await.expect(201);
    let link = installation.outbox().link_to(EMAIL).await;
    server.client.verify("User1", link.token()).await.expect(200);
    let first = server.client.login("User1", EMAIL).await;
    let set = server.client.get("/.well-known/jwks.json").await.expect(200).json();

    let [key] = &listed()[..] else {
        panic!("one key: {:?}", listed());
    };
    assert_eq!(
        (&key["version"], &key["state"], &key["algorithm"]),
        (&json!(1), &json!("active"), &json!("EdDSA"))
    );
    assert_eq!(
        (&key["kid"], &key["kid"]),
        (&set["keys"][0]["kid"], &kid(&first.access))
    );
    let all = out(&keys(&["list"]));
    for line in [
        "index.User1  1  -  active",
        "pepper  1  -  active",
        "token  1  EdDSA  active",
    ] {
        assert!(all.lines().any(|told| told.starts_with(line)), "{line}:\n{all}");
    }

    for (arguments, says) in [
        (
            &["rotate", "--use", "pepper"][..],
            "keys of this use can't be rotated; those of kek, dek, index, token and otp can",
        ),
        (
            &["remove", "--use", "index.User1", "--version", "1"],
            "version 1 is active: only a retired one is destroyed",
        ),
        (&["rotate", "--use", "tokens"], "there is no such use"),
        (&["rotate"], "--use"),
        (&["remove", "--use", "token", "--version", "7"], "there is no version 7"),
    ] {
        let refused = keys(arguments);
        assert!(!refused.status.success(), "{arguments:?}");
        assert!(err(&refused).contains(says), "{arguments:?}: {}", err(&refused));
    }
    assert_eq!(listed().len(), 1, "nothing was made");

    let rotated = keys(&["rotate", "--use", "token"]);
    assert!(
        rotated.status.success() && out(&rotated).starts_with("token/2 is made, for EdDSA."),
        "{rotated:?}"
    );
    let again = keys(&["rotate", "--use", "token"]);
    assert!(
        !again.status.success() && err(&again).contains("version 2 was made already and is on its way"),
        "{again:?}"
    );
    let status = out(&keys(&["status"]));
    assert!(
        status.contains("published; signs in ") && status.contains("New keys are made for EdDSA."),
        "{status}"
    );

    // The first one leaks.
    let removed = keys(&["remove", "--use", "token", "--version", "1"]);
    let said = out(&removed);
    assert!(
        said.starts_with("token/1 is removed; token/2 is the newest that signs."),
        "{said}{}",
        err(&removed)
    );
    let states: Vec<_> = listed().iter().map(|key| key["state"].clone()).collect();
    assert_eq!(states, ["removed", "active"]);
    let again = keys(&["remove", "--use", "token", "--version", "1"]);
    assert!(err(&again).contains("version 1 is removed already"), "{}", err(&again));
    let public: Value = serde_json::from_slice(&keys(&["public"]).stdout).expect("JSON");
    assert_eq!(public["keys"].as_array().map(Vec::len), Some(1));
    assert_eq!(public["keys"][0]["kid"], listed()[1]["kid"]);

    make_it_read(&server, &first.access).await;
    server.client.profile("User1", &first.access).await.expect(401);
    let second = server.client.refresh("User1", &first.refresh).await;
    assert_eq!(kid(&second.access), listed()[1]["kid"]);
    server.client.profile("User1", &second.access).await.expect(200);
}

#[tokio::test]
async fn a_configured_key_is_changed_where_it_is_configured() {
    let installation = Installation::new();
    let settings = [
        ("JWT_ALGORITHM", "HS256"),
        ("JWT_SECRET", "0123456789abcdef0123456789abcdef"),
    ];
    let refused = installation.run(&["keys", "rotate", "--use", "token"], &settings);
    assert!(!refused.status.success());
    assert!(err(&refused).contains("JWT_SECRET"), "{}", err(&refused));
    let status = out(&installation.run(&["keys", "status"], &settings));
    assert!(
        status.ends_with("Tokens are signed with JWT_SECRET (HS256).\n"),
        "{status}"
    );

    // Keys of another algorithm wait for a rotation, and that is said.
    let settings = [("JWT_ALGORITHM", "ES256")];
    let status = out(&installation.run(&["keys", "status"], &settings));
    let waits = "JWT_ALGORITHM is ES256, and tokens are signed with EdDSA until `sealgate keys rotate --use token`.";
    assert!(status.contains(waits), "{status}");
    let rotated = out(&installation.run(&["keys", "rotate", "--use", "token"], &settings));
    assert!(rotated.starts_with("token/2 is made, for ES256."), "{rotated}");
    let status = out(&installation.run(&["keys", "status"], &settings));
    assert!(status.contains("token  2  ES256  pending"), "{status}");
}
