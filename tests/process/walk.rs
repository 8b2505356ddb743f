//! The walk of the README, on a folder that did not exist, and over a crash.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use serde_json::json;

use crate::{
    client::Tokens,
    installation::{Installation, Server},
    waiting::{eventually, until},
};

const TYPES: [&str; 2] = ["User1", "User2"];
/// Not even what the other tests set.
const NOTHING: [(&str, &str); 1] = [("RATE_LIMITS", "")];
const EMAIL: &str = "ada@example.com";

#[tokio::test]
async fn the_readme_walk() {
    let installation = Installation::new();
    let mut server = installation.serve(&NOTHING).await;
    server.ready().await;

    let mut ended = Vec::new();
    let mut live = Vec::new();
    let mut profiles = Vec::new();
    for user_type in TYPES {
        let tokens = sign_up(&installation, &server, user_type).await;
        profiles.push(
            server
                .client
                .profile(user_type, &tokens.access)
                .await
                .expect(200)
                .json(),
        );
        let renewed = server.client.refresh(user_type, &tokens.refresh).await;
        let other = server.client.login(user_type, EMAIL).await;
        server.client.logout(user_type, &renewed.access).await.expect(200);
        server.client.profile(user_type, &renewed.access).await.expect(401);
        ended.push(renewed);
        live.push(other);
    }
    assert_private(&installation.data());
    assert_ne!(profiles[0]["id"], profiles[1]["id"], "two populations, two accounts");

    server.process.kill();
    // The tokens name the address of the first start.
    let public_url = format!("http://{}", server.address);
    let server = installation.serve(&[NOTHING[0], ("PUBLIC_URL", &public_url)]).await;
    for (n, user_type) in TYPES.into_iter().enumerate() {
        server.client.profile(user_type, &ended[n].access).await.expect(401);
        let body = json!({ "refresh_token": ended[n].refresh });
        server
            .client
            .post(&format!("/{user_type}/refresh-token"), &body)
            .await
            .expect(401);

        let profile = server.client.profile(user_type, &live[n].access).await.expect(200);
        assert_eq!(profile.json(), profiles[n], "nothing was lost or changed");
        server.client.profile(TYPES[1 - n], &live[n].access).await.expect(401);
        server.client.refresh(user_type, &live[n].refresh).await;
        server.client.login(user_type, EMAIL).await;
    }
    assert_private(&installation.data());
}

/// Registers, follows the mailed link, signs in.
async fn sign_up(installation: &Installation, server: &Server, user_type: &str) -> Tokens {
    let client = &server.client;
    let created = client.create(user_type, EMAIL).await.expect(201);
    let early = client.try_login(user_type, EMAIL).await.expect(403);
    assert_eq!(early.member("code"), "email_not_verified");

    let base = format!("http://{}/{user_type}/verify?token=", server.address);
    let mail = eventually("the link is mailed", Duration::from_secs(20), async || {
        let mut mails = installation.outbox().to(EMAIL).into_iter();
        mails.find(|mail| mail.link.as_ref().is_some_and(|link| link.starts_with(&base)))
    })
    .await;
    let link = mail.link.as_deref().expect("a link");
    let path = link
        .strip_prefix(&format!("http://{}", server.address))
        .expect("our address");
    let page = client.get_page(path).await.expect(200);
    assert!(
        page.text.contains("<form"),
        "a page with a button, which uses nothing up"
    );

    client.verify(user_type, mail.token()).await.expect(200);
    client.verify(user_type, mail.token()).await.expect(400);
    let welcomes = TYPES.iter().position(|name| *name == user_type).expect("listed") + 1;
    until("the welcome is mailed", Duration::from_secs(20), async || {
        let mails = installation.outbox().to(EMAIL);
        mails.iter().filter(|mail| mail.link.is_none()).count() == welcomes
    })
    .await;

    let tokens = client.login(user_type, EMAIL).await;
    let profile = client.profile(user_type, &tokens.access).await.expect(200).json();
    assert_eq!(profile["id"], created.json()["id"]);
    assert_eq!(profile["email"], EMAIL);
    assert_eq!(profile["last_name"], "O'Brien");
    assert_eq!(profile["is_email_verified"], true);
    tokens
}

/// Nothing that holds keys, records or mails may be read by anybody else.
fn assert_private(data: &Path) {
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(data), 0o700);
    assert_eq!(mode(&data.join("outbox")), 0o700);
    assert_eq!(mode(&data.join("kek.keys")), 0o600);
    let files: Vec<_> = fs::read_dir(data)
        .expect("a folder")
        .chain(fs::read_dir(data.join("outbox")).expect("a folder"))
        .map(|file| file.expect("a file").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|kind| kind == "eml" || kind.to_string_lossy().starts_with("db"))
        })
        .collect();
    for name in ["sealgate.db", "keys.db", "jobs.db"] {
        assert!(files.contains(&data.join(name)), "{name} is there");
    }
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}
