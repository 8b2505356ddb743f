//! Key-encryption keys that come from the environment, or from a file that names them.

use std::{fs, process::Output};

use crate::installation::{Installation, Server};

const EMAIL: &str = "ada@example.com";

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A fresh key's line.
fn print_line(installation: &Installation) -> String {
    let printed = installation.run(&["keys", "new", "--print"], &[]);
    assert!(printed.status.success(), "{}", err(&printed));
    out(&printed)
}

async fn refused(installation: &Installation, settings: &[(&str, &str)], part: &str) {
    match installation.try_serve(settings).await {
        Ok(server) => panic!("a server starts on {}", server.address),
        Err(refusal) => assert!(refusal.said.contains(part), "{}", refusal.said),
    }
}

async fn stop(mut server: Server) {
    server.process.terminate();
    assert!(server.process.wait(std::time::Duration::from_secs(20)).await.success());
}

#[tokio::test]
async fn keys_of_the_environment_serve_and_no_file_is_made() {
    let installation = Installation::new();
    let (first, second) = (print_line(&installation), print_line(&installation));
    assert!(first.starts_with("kek_") && first != second, "{first}");
    assert!(fs::read_dir(installation.path()).expect("a folder").next().is_none());

    let server = installation.serve(&[("KEK", &first)]).await;
    server.client.create("User1", EMAIL).await.expect(201);
    let link = installation.outbox().link_to(EMAIL).await;
    server.client.verify("User1", link.token()).await.expect(200);
    stop(server).await;
    assert!(!installation.data().join("kek.keys").exists());

    // Another key alone opens nothing, and is not taken for the one; both together serve.
    refused(&installation, &[("KEK", &second)], "the key provider has no key `kek_").await;
    let both = format!("{first};{second}");
    let settings = [("KEK", both.as_str())];
    let server = installation.serve(&settings).await;
    server.client.login("User1", EMAIL).await;
    stop(server).await;

    let doctor = installation.run(&["doctor"], &settings);
    assert!(out(&doctor).contains("ok  key provider"), "{}", out(&doctor));
    let made = installation.run(&["keys", "new"], &settings);
    assert!(
        !made.status.success() && err(&made).contains("come from KEK"),
        "{}",
        err(&made)
    );
    let made = installation.run(&["keys", "new", "--if-missing"], &settings);
    assert!(made.status.success(), "{}", err(&made));
    assert!(!installation.data().join("kek.keys").exists());
}

#[tokio::test]
async fn both_at_once_are_refused_and_no_key_is_repeated() {
    let installation = Installation::new();
    let line = print_line(&installation);
    let key = line.split(' ').nth(1).expect("a key").to_owned();
    let doctor = installation.run(&["doctor"], &[("KEK", &line), ("KEK_FILE", "kek.keys")]);
    assert!(!doctor.status.success());
    let said = err(&doctor) + &out(&doctor);
    assert!(
        said.contains("KEK: is set twice, also by KEK_FILE") && !said.contains(&key),
        "{said}"
    );
    let doctor = installation.run(&["doctor"], &[("KEK", &line[..line.len() - 5])]);
    let said = err(&doctor) + &out(&doctor);
    assert!(
        said.contains("KEK: can't be read: line 1") && !said.contains(&key[..20]),
        "{said}"
    );
}

/// As a secret that a container is given: the file form of `KEK` is the key file.
#[tokio::test]
async fn a_line_put_into_a_file_is_a_key_file() {
    let installation = Installation::new();
    let place = installation.path().join("kek");
    fs::write(&place, print_line(&installation)).expect("written");
    let settings = [("KEK_FILE", "kek")];
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(&place, open).expect("chmod");
    refused(&installation, &settings, "chmod 600").await;
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&place, private).expect("chmod");
    let server = installation.serve(&settings).await;
    server.client.create("User1", EMAIL).await.expect(201);
}
