//! TLS in the server itself.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use reqwest::{Version, header};
use serde_json::json;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet, time::Instant};

use crate::{
    certificates::{Pair, openssl, text},
    client::{Client, PASSWORD, registration},
    installation::{Installation, Server},
    waiting::until,
    wire::Wire,
};

const EMAIL: &str = "ada@example.com";
/// What the server gives a client for its first byte, a handshake, its headers.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server with a certificate.
struct Secure {
    server: Server,
    pair: Pair,
    installation: Installation,
}

impl Secure {
    async fn start() -> Self {
        let installation = Installation::new();
        let pair = Pair::make(installation.path(), "first");
        let settings = pair.settings();
        let settings = [0, 1].map(|n| (settings[n].0.as_str(), settings[n].1.as_str()));
        Self {
            server: installation.serve(&settings).await,
            pair,
            installation,
        }
    }

    fn http(&self) -> reqwest::ClientBuilder {
        reqwest::Client::builder().tls_certs_only([self.pair.authority()])
    }

    fn base(&self) -> String {
        format!("https://{}", self.server.address)
    }
}

#[tokio::test]
async fn the_walk_goes_over_http2_and_over_http1() {
    let secure = Secure::start().await;
    for (version, email) in [(Version::HTTP_2, EMAIL), (Version::HTTP_11, "grace@example.com")] {
        let http = || match version {
            Version::HTTP_2 => secure.http(),
            _ => secure.http().http1_only(),
        };
        let probe = http().build().expect("a client");
        let answer = probe
            .get(format!("{}/readyz", secure.base()))
            .send()
            .await
            .expect("an answer");
        assert_eq!((answer.version(), answer.status().as_u16()), (version, 200));
        assert!(answer.headers().contains_key(header::STRICT_TRANSPORT_SECURITY));
        assert!(answer.content_length().is_some_and(|length| length > 0));

        let client = Client::with(http(), &secure.base());
        client.create("User1", email).await.expect(201);
        let mail = secure.installation.outbox().link_to(email).await;
        let link = mail.link.as_deref().expect("a link");
        let path = link.strip_prefix(&secure.base()).expect("links lead to TLS");
        client.get_page(path).await.expect(200);
        client.verify("User1", mail.token()).await.expect(200);
        let tokens = client.login("User1", email).await;
        let profile = client.profile("User1", &tokens.access).await.expect(200);
        assert_eq!(profile.json()["email"], email);
        client.logout("User1", &tokens.access).await.expect(200);
        // The host is named in another place in HTTP/2, and this page is for this machine's alone.
        client.get_page("/dev/outbox").await.expect(200);
        let large = json!({ "email": "a".repeat(65 * 1024) });
        client.post("/User1/forget_password", &large).await.expect(413);
    }
    let health = secure
        .installation
        .run(&["health", &format!("{}/readyz", secure.base())], &[]);
    assert!(health.status.success(), "{}", String::from_utf8_lossy(&health.stderr));
}

#[tokio::test]
async fn who_is_slow_is_cut_off() {
    let secure = Secure::start().await;
    let address = secure.server.address.as_str();
    let mut cases = JoinSet::new();
    // Nothing; the beginning of a handshake; one that is complete and no request after it; half a request.
    for begun in [&b""[..], &[0x16], &[0x16, 3, 1, 2, 0, 1]] {
        let mut wire = Wire::plain(address).await;
        wire.0.write_all(begun).await.expect("sent");
        cases.spawn(async move {
            let began = Instant::now();
            wire.until_closed().await;
            began.elapsed()
        });
    }
    for begun in ["", "GET /livez HTTP/1.1\r\nHost: loc"] {
        let mut wire = Wire::secure(address, &secure.pair).await;
        wire.send(begun).await;
        cases.spawn(async move {
            let began = Instant::now();
            let said = wire.until_closed().await;
            assert!(!said.starts_with(b"HTTP/1.1 200"), "no request");
            began.elapsed()
        });
    }
    let (least, most) = (Duration::from_millis(4500), PATIENCE * 2);
    for took in cases.join_all().await {
        assert!(took > least && took < most, "{took:?}");
    }
}

#[tokio::test]
async fn plain_http_is_told_so_and_old_versions_are_refused() {
    let secure = Secure::start().await;
    let mut plain = Wire::plain(&secure.server.address).await;
    plain.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let said = String::from_utf8(plain.until_closed().await).expect("text");
    assert!(said.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{said}");
    assert!(said.ends_with("This port speaks TLS: use https://\n"), "{said}");

    // A greeting of TLS 1.1, and of 1.0: one cipher suite of theirs, and the extension that rustls asks for first.
    for minor in [2, 1] {
        let mut hello = vec![3, minor];
        hello.extend([7; 32]);
        hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
        let length = u8::try_from(hello.len()).expect("short");
        let record = [&[0x16, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat();
        let mut old = Wire::plain(&secure.server.address).await;
        old.0.write_all(&record).await.expect("sent");
        let said = old.until_closed().await;
        // A fatal alert: protocol_version.
        assert_eq!((said[0], &said[5..]), (0x15, &[2, 70][..]), "{said:?}");
    }
    let modern = Wire::secure(&secure.server.address, &secure.pair).await;
    let version = modern.0.get_ref().1.protocol_version();
    assert_eq!(version, Some(rustls::ProtocolVersion::TLSv1_3));
}

#[tokio::test]
async fn a_pair_that_can_t_be_served_is_refused_with_its_mend() {
    let installation = Installation::new();
    let folder = installation.path();
    let (one, other) = (Pair::make(folder, "one"), Pair::make(folder, "other"));
    let encrypted = folder.join("encrypted.key");
    openssl(&[
        "pkey",
        "-in",
        &text(&one.key),
        "-aes256",
        "-passout",
        "pass:x",
        "-out",
        &text(&encrypted),
    ]);
    let garbage = folder.join("garbage");
    fs::write(&garbage, "nothing of the kind").expect("written");
    for (certificate, key, says) in [
        (
            &one.certificate,
            &other.key,
            "TLS_KEY_FILE is not the key of the first certificate",
        ),
        (
            &one.certificate,
            &folder.join("nowhere"),
            "TLS_KEY_FILE names a file that can't be read (entity not found)",
        ),
        (
            &folder.join("nowhere"),
            &one.key,
            "TLS_CERT_FILE names a file that can't be read",
        ),
        (
            &one.certificate,
            &encrypted,
            "TLS_KEY_FILE is encrypted with a passphrase. Take it off: `openssl pkey",
        ),
        (&one.certificate, &garbage, "TLS_KEY_FILE holds no private key"),
        (&garbage, &one.key, "TLS_CERT_FILE holds no certificate"),
    ] {
        let settings = [("TLS_CERT_FILE", &*text(certificate)), ("TLS_KEY_FILE", &*text(key))];
        let refusal = installation.try_serve(&settings).await.expect_err(says);
        assert!(
            refusal.code == Some(1) && refusal.said.contains(says),
            "{says}: {}",
            refusal.said
        );
        let doctor = installation.run(&["doctor"], &settings);
        let found = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert!(
            !doctor.status.success() && found.contains(&format!("!!  TLS certificate: {says}")),
            "{found}"
        );
    }
    for settings in [
        &[("TLS_CERT_FILE", &*text(&one.certificate))][..],
        &[
            ("TLS_CERT_FILE", &text(&one.certificate)),
            ("TLS_KEY_FILE", &text(&one.key)),
            ("PUBLIC_URL", "http://x.example"),
        ],
    ] {
        let refusal = installation.try_serve(settings).await.expect_err("refused");
        assert!(
            refusal.said.contains("the configuration has 1 problem(s)"),
            "{}",
            refusal.said
        );
    }
}

#[tokio::test]
async fn keys_of_each_kind_are_served_and_the_doctor_counts_the_days() {
    let installation = Installation::new();
    let folder = installation.path();
    let ec = Pair::make(folder, "ec");
    let rsa = Pair::make_with(folder, "rsa", &["-newkey", "rsa:2048"]);
    let (mut sec1, mut pkcs1) = (ec.clone(), rsa.clone());
    sec1.key = folder.join("sec1.key");
    pkcs1.key = folder.join("pkcs1.key");
    openssl(&["ec", "-in", &text(&ec.key), "-out", &text(&sec1.key)]);
    openssl(&["rsa", "-in", &text(&rsa.key), "-traditional", "-out", &text(&pkcs1.key)]);
    assert!(
        fs::read_to_string(&sec1.key)
            .expect("a key")
            .contains("BEGIN EC PRIVATE KEY")
    );
    assert!(
        fs::read_to_string(&pkcs1.key)
            .expect("a key")
            .contains("BEGIN RSA PRIVATE KEY")
    );
    fs::set_permissions(&pkcs1.key, fs::Permissions::from_mode(0o644)).expect("changed");
    for pair in [ec, rsa, sec1, pkcs1.clone()] {
        let settings = pair.settings();
        let settings = [0, 1].map(|n| (settings[n].0.as_str(), settings[n].1.as_str()));
        let mut server = installation.serve(&settings).await;
        assert_eq!(Wire::secure(&server.address, &pair).await.get("/livez").await, 200);
        server.process.kill();
    }
    let settings = pkcs1.settings();
    let mut settings = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect::<Vec<_>>();
    settings.push(("PUBLIC_URL", "https://id.example.com"));
    let doctor = installation.run(&["doctor"], &settings);
    let found = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.status.success(), "{found}");
    for says in [
        "ok  TLS certificate: 89 day(s) left, until 20",
        "!   TLS certificate: the certificate is not for id.example.com",
        "!   TLS certificate: TLS_KEY_FILE can be read by every user",
    ] {
        assert!(found.contains(says), "{says}: {found}");
    }
}

#[tokio::test]
async fn asked_to_end_under_load_over_tls_every_request_is_answered() {
    let mut secure = Secure::start().await;
    let mut load = JoinSet::new();
    for n in 0..8 {
        // Half of them over one connection of HTTP/2 each, the others over one of HTTP/1.1 a request.
        let http = if n % 2 == 0 {
            secure.http()
        } else {
            secure.http().http1_only().pool_max_idle_per_host(0)
        };
        let (http, url) = (
            http.build().expect("a client"),
            format!("{}/User1/create", secure.base()),
        );
        load.spawn(async move {
            let mut created = Vec::new();
            for round in 0.. {
                let email = format!("load{n}-{round}@example.com");
                match http.post(&url).json(&registration(&email)).send().await {
                    Ok(answer) => {
                        assert_eq!(answer.status(), 201);
                        answer.text().await.expect("whole");
                        created.push(email);
                    }
                    // Not sent, and so not lost.
                    Err(error) => {
                        assert!(error.is_connect(), "{error:?}");
                        break;
                    }
                }
            }
            created
        });
    }
    let outbox = secure.installation.outbox();
    until("the load is served", Duration::from_secs(30), async || {
        outbox.mails().len() > 3
    })
    .await;
    let began = Instant::now();
    secure.server.process.terminate();
    let created = load.join_all().await.concat();
    let ended = secure.server.process.wait(Duration::from_secs(15)).await;
    assert!(ended.success(), "{ended}: {}", secure.server.process.logged());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());

    let server = secure.installation.serve(&[]).await;
    until("every mail arrives", Duration::from_secs(90), async || {
        let mails = outbox.mails();
        created.iter().all(|email| mails.iter().any(|mail| mail.to == *email))
    })
    .await;
    server.client.try_login_with("User1", EMAIL, PASSWORD).await.expect(401);
    assert!(TcpStream::connect(&secure.server.address).await.is_err());
}
