//! What a server needs to start, and what it says when it is missing.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::Duration,
};

use tokio::{net::TcpListener, time::Instant};

use crate::{
    client::Client,
    installation::{Installation, Refusal},
};

const PATIENCE: Duration = Duration::from_secs(20);
const EMAIL: &str = "ada@example.com";

async fn refused(installation: &Installation) -> Refusal {
    match installation.try_serve(&[]).await {
        Ok(server) => panic!("a server starts on {}", server.address),
        Err(refusal) => {
            assert_eq!(refusal.code, Some(1), "{}", refusal.said);
            refusal
        }
    }
}

/// Serves once and leaves an account behind.
async fn used(installation: &Installation) {
    let mut server = installation.serve(&[]).await;
    sign_up(installation, &server.client, EMAIL).await;
    server.process.terminate();
    assert!(server.process.wait(PATIENCE).await.success());
}

async fn sign_up(installation: &Installation, client: &Client, email: &str) {
    client.create("User1", email).await.expect(201);
    let mail = installation.outbox().link_to(email).await;
    client.verify("User1", mail.token()).await.expect(200);
}

fn files(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<String> = files
        .map(|file| file.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn has_key_file(installation: &Installation) -> bool {
    files(&installation.data()).iter().any(|name| name.starts_with("kek"))
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused_until_the_first_is_gone() {
    let installation = Installation::new();
    let mut first = installation.serve(&[]).await;
    let refusal = refused(&installation).await;
    assert!(
        refusal.said.contains("another server runs on this DATA_DIR"),
        "{}",
        refusal.said
    );
    first.client.get("/readyz").await.expect(200);

    first.process.terminate();
    assert!(first.process.wait(PATIENCE).await.success());
    let mut second = installation.serve(&[]).await;
    second.ready().await;
    second.process.kill();
    installation.serve(&[]).await.ready().await;
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let installation = Installation::new();
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    match installation.try_serve(&[("HTTP_ADDR", &address)]).await {
        Ok(_) => panic!("two listen on {address}"),
        Err(refusal) => assert!(
            refusal.said.contains(&format!("HTTP_ADDR {address} is in use")),
            "{}",
            refusal.said
        ),
    }
    drop(taken);
    installation.serve(&[]).await.ready().await;
}

#[tokio::test]
async fn a_missing_key_file_is_not_replaced() {
    let installation = Installation::new();
    used(&installation).await;
    let (kek, kept) = (installation.data().join("kek.keys"), installation.path().join("copy"));
    fs::rename(&kek, &kept).expect("moved");

    let refusal = refused(&installation).await;
    assert!(refusal.said.contains("KEK_FILE is missing"), "{}", refusal.said);
    assert!(refusal.said.contains("restore it from its back-up"), "{}", refusal.said);
    assert!(!has_key_file(&installation), "no key was made");

    fs::rename(&kept, &kek).expect("moved back");
    let server = installation.serve(&[]).await;
    server.client.login("User1", EMAIL).await;
}

#[tokio::test]
async fn with_the_key_database_gone_too_no_key_is_made_either() {
    let installation = Installation::new();
    used(&installation).await;
    for name in files(&installation.data()) {
        if name.starts_with("keys.db") || name.starts_with("kek") {
            fs::remove_file(installation.data().join(name)).expect("removed");
        }
    }
    let refusal = refused(&installation).await;
    assert!(refusal.said.contains("back-up"), "{}", refusal.said);
    assert!(!has_key_file(&installation), "no key was made");
}

#[tokio::test]
async fn with_the_key_database_alone_gone_the_server_is_refused() {
    let installation = Installation::new();
    used(&installation).await;
    for name in files(&installation.data()) {
        if name.starts_with("keys.db") {
            fs::remove_file(installation.data().join(name)).expect("removed");
        }
    }
    let refusal = refused(&installation).await;
    assert!(refusal.said.contains("restore the key database"), "{}", refusal.said);
}

#[tokio::test]
async fn a_key_file_that_others_may_read_is_refused() {
    let installation = Installation::new();
    used(&installation).await;
    let kek = installation.data().join("kek.keys");
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o644)).expect("changed");

    let refusal = refused(&installation).await;
    assert!(
        refusal.said.contains("KEK_FILE") && refusal.said.contains("chmod 600"),
        "{}",
        refusal.said
    );

    fs::set_permissions(&kek, fs::Permissions::from_mode(0o600)).expect("changed");
    installation.serve(&[]).await.ready().await;
}

#[tokio::test]
async fn a_server_is_ready_quickly_also_after_a_crash() {
    let installation = Installation::new();
    let mut figures = Vec::new();
    for start in ["on an empty folder", "after SIGKILL", "after SIGTERM"] {
        let began = Instant::now();
        let mut server = installation.serve(&[]).await;
        server.ready().await;
        figures.push(format!("{start} {:?}", began.elapsed()));
        sign_up(&installation, &server.client, &format!("{}@example.com", figures.len())).await;
        if start == "on an empty folder" {
            server.process.kill();
        } else {
            server.process.terminate();
            assert!(server.process.wait(PATIENCE).await.success());
        }
    }
    let _ = writeln!(
        io::stderr(),
        "from start to the first 200 of /readyz: {}",
        figures.join(", ")
    );
}
