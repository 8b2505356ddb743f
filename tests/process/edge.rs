//! The deployed edge: nginx with the configuration of `deploy/nginx`, and behind it two servers on one MongoDB and Redis
//! with the settings that `scripts/init-deploy` writes.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use reqwest::{Certificate, header};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinSet};

use crate::{
    client::{Client, registration},
    installation::{Installation, Server},
    processes::Process,
    stores::{SharedStores, free_port, program},
    waiting::until,
};

const EMAIL: &str = "ada@example.com";
const PATIENCE: Duration = Duration::from_secs(30);
/// Its own address towards the servers; the clients of these tests have others.
const EDGE: &str = "127.0.0.1";

/// nginx, its workers too.
struct Edge(Process);

impl Edge {
    async fn start(folder: &Path, port: u16, servers: [&str; 2]) -> Self {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/nginx/nginx.conf");
        let mut text = fs::read_to_string(shipped).expect("the configuration");
        let secrets = folder.join("secrets");
        let path = |path: PathBuf| path.to_str().expect("plain").to_owned();
        for (shipped, here) in [
            ("/tmp/", path(folder.join("nginx-"))),
            ("/dev/stdout", path(folder.join("access.log"))),
            ("/dev/stderr", path(folder.join("error.log"))),
            ("/run/secrets/tls_certificate", path(secrets.join("tls_certificate"))),
            ("/run/secrets/tls_key", path(secrets.join("tls_key"))),
            ("listen 8443 ", format!("listen {EDGE}:{port} ")),
            ("server server-1:8000 ", format!("server {} ", servers[0])),
            ("server server-2:8000 ", format!("server {} ", servers[1])),
        ] {
            assert!(text.contains(shipped), "the configuration has no `{shipped}`");
            text = text.replace(shipped, &here);
        }
        let conf = folder.join("nginx.conf");
        fs::write(&conf, text).expect("written");
        let conf = path(conf);
        let arguments = ["-c", &conf, "-e", "stderr", "-g", "daemon off;"];
        let mut edge = Self(Process::start(
            &program("nginx"),
            &arguments,
            folder,
            &[],
            &folder.join("nginx.log"),
        ));
        until("nginx listens", PATIENCE, async || {
            assert_eq!(edge.0.ended(), None, "nginx ended: {}", edge.0.logged());
            TcpStream::connect((EDGE, port)).await.is_ok()
        })
        .await;
        edge
    }
}

impl Drop for Edge {
    /// Its workers would outlive a master that is killed.
    fn drop(&mut self) {
        if self.0.ended().is_none() {
            self.0.terminate();
        }
        for _ in 0..400 {
            if self.0.ended().is_some() {
                return;
            }
            thread::sleep(Duration::from_millis(25));
        }
    }
}

/// All of it.
struct Deployment {
    // Dropped in this order.
    _edge: Edge,
    servers: Vec<Server>,
    public_url: String,
    stores: SharedStores,
    installation: Installation,
}

impl Deployment {
    async fn start(more: &[(&str, &str)]) -> Self {
        let (installation, stores) = (Installation::new(), SharedStores::new());
        let port = free_port();
        let public_url = format!("https://{EDGE}:{port}");
        init_deploy(installation.path(), &public_url);
        let settings = Self::settings(&stores, more);
        for _ in 0..2 {
            let made = installation.run(&["keys", "new", "--if-missing"], &settings);
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        let servers = vec![installation.serve(&settings).await, installation.serve(&settings).await];
        let addresses = [servers[0].address.as_str(), servers[1].address.as_str()];
        Self {
            _edge: Edge::start(installation.path(), port, addresses).await,
            servers,
            public_url,
            stores,
            installation,
        }
    }

    /// The rest is read from the `.env` that was written into their folder. Mailpit is not to be had here.
    fn settings<'s>(stores: &'s SharedStores, more: &[(&'s str, &'s str)]) -> Vec<(&'s str, &'s str)> {
        let own = [("TRUSTED_PROXIES", EDGE), ("MAIL_SERVER", ""), ("RATE_LIMITS", "")];
        stores.settings_with(&[&own, more].concat())
    }

    /// A client at 127.0.0.`n`, which may claim to be another.
    fn client(&self, n: u8, claims: Option<&str>) -> Client {
        let certificate = fs::read(self.installation.path().join("secrets/tls_certificate")).expect("a certificate");
        let certificate = Certificate::from_pem(&certificate).expect("a certificate");
        let mut headers = header::HeaderMap::new();
        if let Some(address) = claims {
            headers.insert("x-forwarded-for", address.parse().expect("an address"));
        }
        let http = reqwest::Client::builder()
            .local_address(std::net::IpAddr::from(Ipv4Addr::new(127, 0, 0, n)))
            .default_headers(headers)
            .tls_certs_only([certificate]);
        Client::with(http, &self.public_url)
    }

    /// What nginx logged of requests, a line each.
    fn access_log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.installation.path().join("access.log")).expect("a log");
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Requests that a server answered at the first try.
    fn answered_by(&self, address: &str) -> usize {
        let lines = self.access_log();
        lines.iter().filter(|line| line["server"] == address).count()
    }

    /// No log has a query, or anything else of a request but its path.
    fn assert_no_query_is_logged(&self) {
        let lines = self.access_log();
        let paths: Vec<&str> = lines.iter().filter_map(|line| line["path"].as_str()).collect();
        assert!(paths.contains(&"/User1/verify"), "a link was followed");
        for name in ["access.log", "error.log", "nginx.log"] {
            let text = fs::read_to_string(self.installation.path().join(name)).expect("a log");
            for part in ["token=", "?", "%3F", EMAIL] {
                assert!(!text.contains(part), "{name} has `{part}`:\n{text}");
            }
        }
    }
}

fn init_deploy(folder: &Path, public_url: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/init-deploy");
    let made = Command::new(script)
        .arg("--folder")
        .arg(folder)
        .arg(public_url)
        .output();
    let made = made.expect("a shell");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[tokio::test]
async fn the_walk_goes_through_the_edge_and_the_clients_address_arrives() {
    let deployment = Deployment::start(&[]).await;
    let ada = deployment.client(2, None);
    ada.create("User1", EMAIL).await.expect(201);
    let mail = deployment.installation.outbox().link_to(EMAIL).await;
    let link = mail.link.as_deref().expect("a link");
    let path = link
        .strip_prefix(&deployment.public_url)
        .expect("links lead to the edge");
    let page = ada.get_page(path).await.expect(200);
    assert!(page.text.contains("<form"), "{}", page.text);
    ada.verify("User1", mail.token()).await.expect(200);
    let tokens = ada.login("User1", EMAIL).await;
    let profile = ada.profile("User1", &tokens.access).await.expect(200);
    assert_eq!(profile.json()["email"], EMAIL);
    assert!(profile.headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
    let renewed = ada.refresh("User1", &tokens.refresh).await;
    ada.logout("User1", &renewed.access).await.expect(200);
    for _ in 0..4 {
        // Whichever server it is.
        ada.profile("User1", &renewed.access).await.expect(401);
    }

    // Limits count addresses of clients, on both servers together, whatever a client claims.
    let asked = AtomicUsize::new(0);
    let forget = async |client: &Client| {
        // An address of its own each, for these are counted too.
        let email = format!("nobody{}@example.com", asked.fetch_add(1, Ordering::Relaxed));
        let answer = client.post("/User1/forget_password", &json!({ "email": email })).await;
        answer.status
    };
    let bob = deployment.client(3, None);
    let mut statuses = Vec::new();
    while statuses.last() != Some(&429) && statuses.len() < 12 {
        statuses.push(forget(&bob).await);
    }
    assert!(
        statuses.len() > 3 && statuses.ends_with(&[429]),
        "three a minute: {statuses:?}"
    );
    for claim in ["203.0.113.9", EDGE, "127.0.0.4, 127.0.0.1"] {
        assert_eq!(forget(&deployment.client(3, Some(claim))).await, 429, "{claim}");
    }
    assert_eq!(forget(&deployment.client(4, Some("127.0.0.3"))).await, 202);

    let large = json!({ "email": "a".repeat(65 * 1024) });
    let refused = ada.post("/User1/forget_password", &large).await.expect(413);
    assert_eq!(refused.headers["content-type"], "application/problem+json");
    assert_eq!(refused.member("code"), "body_too_large");
    deployment.assert_no_query_is_logged();
    deployment.stores.remove().await;
}

#[tokio::test]
async fn while_a_server_is_killed_every_request_is_answered() {
    const SENDERS: usize = 2;
    let settings = [("RATE_LIMITS", "off")];
    let mut deployment = Deployment::start(&settings).await;
    let addresses = [0, 1].map(|n: usize| deployment.servers[n].address.clone());
    let is_over = Arc::new(AtomicBool::new(false));

    let mut readers = JoinSet::new();
    for n in 0..4 {
        let (client, is_over) = (deployment.client(10 + n, None), Arc::clone(&is_over));
        readers.spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                let page = client.get_page("/User1/verify?token=nobodys").await;
                assert!(page.status < 500, "{} {}", page.status, page.text);
            }
        });
    }
    let mut senders = JoinSet::new();
    for n in 0..SENDERS {
        let (client, is_over) = (deployment.client(20, None), Arc::clone(&is_over));
        senders.spawn(async move {
            let mut unanswered = Vec::new();
            for round in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let body = registration(&format!("load{n}-{round}@example.com"));
                let answer = client.try_post("/User1/create", &body).await.expect("an answer");
                if answer.status == 503 {
                    // Nobody knows whether the killed server had carried it out: the client is told to try again.
                    assert_eq!(answer.member("code"), "unavailable");
                    assert!(answer.headers.contains_key("retry-after"));
                    unanswered.push(answer.member("request_id"));
                } else {
                    answer.expect(201);
                }
            }
            unanswered
        });
    }

    until("both servers are asked", PATIENCE, async || {
        addresses.iter().all(|address| deployment.answered_by(address) > 20)
    })
    .await;
    deployment.servers[0].process.kill();
    let before = deployment.answered_by(&addresses[1]);
    until("the other one answers", PATIENCE, async || {
        deployment.answered_by(&addresses[1]) > before + 100
    })
    .await;

    // Back again, it is asked again.
    let mut settings = Deployment::settings(&deployment.stores, &settings);
    settings.push(("HTTP_ADDR", &addresses[0]));
    let server = deployment.installation.serve(&settings).await;
    drop(settings);
    deployment.servers[0] = server;
    let before = deployment.answered_by(&addresses[0]);
    until("the server is asked again", PATIENCE, async || {
        deployment.answered_by(&addresses[0]) > before + 20
    })
    .await;
    is_over.store(true, Ordering::Relaxed);
    readers.join_all().await;
    let cut_off: Vec<String> = senders.join_all().await.concat();
    assert!(cut_off.len() <= SENDERS, "only what was under way: {cut_off:?}");

    // With nobody left, nginx itself says so.
    for server in &mut deployment.servers {
        server.process.kill();
    }
    let alone = deployment.client(30, None).get("/livez").await.expect(503);
    assert_eq!(alone.headers["content-type"], "application/problem+json");
    assert_eq!(alone.headers["retry-after"], "2");
    assert_eq!(alone.member("code"), "unavailable");
    deployment.assert_no_query_is_logged();
    deployment.stores.remove().await;
}
