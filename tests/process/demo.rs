//! `scripts/demo`: it walks the whole way, and says so where it can't.

use std::process::{Command, Output};

use crate::{
    installation::{Installation, Server},
    processes::SERVER,
};

/// The walk's steps, in their order.
const STEPS: [&str; 14] = [
    "Register",
    "Read the mail",
    "Confirm the address",
    "Sign in",
    "Read one's profile",
    "Change it",
    "Ask for a code to the phone",
    "Verify the phone",
    "Forget the password",
    "Set a new one",
    "The old session is gone",
    "Sign in with the new password",
    "Sign out",
    "Delete the account",
];

fn demo(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = Command::new("bash")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/demo"))
        .args(arguments)
        .env("SEALGATE_BINARY", SERVER)
        // A setting of whoever runs it, which its service must not take up.
        .env("USER_TYPES", "Customer")
        .output()
        .expect("bash is there");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (status.code(), text(&stdout), text(&stderr))
}

fn assert_walked((code, out, err): (Option<i32>, String, String)) {
    assert_eq!(code, Some(0), "{out}{err}");
    for (n, step) in STEPS.into_iter().enumerate() {
        let line = format!("{:2}  {step}", n + 1);
        assert!(out.lines().any(|said| said == line), "{line}:\n{out}");
    }
    assert!(out.ends_with("The whole walk went well.\n"), "{out}");
    assert!(!out.contains('\x1b'), "no colours where nobody looks");
    assert_eq!(err, "");
}

async fn at(server: &Server, data: &str) -> (Option<i32>, String, String) {
    let (url, data) = (format!("http://{}/", server.address), data.to_owned());
    tokio::task::spawn_blocking(move || demo(&["--url", &url, "--data", &data]))
        .await
        .expect("it ends")
}

#[test]
fn it_starts_a_service_of_its_own() {
    assert_walked(demo(&[]));
}

/// Under the limits that everybody has.
#[tokio::test]
async fn it_walks_on_a_service_that_runs() {
    let installation = Installation::new();
    let server = installation.serve(&[("RATE_LIMITS", "on")]).await;
    let data = installation.data();
    assert_walked(at(&server, data.to_str().expect("plain")).await);
}

#[tokio::test]
async fn the_first_wrong_answer_ends_it() {
    let installation = Installation::new();
    let server = installation.serve(&[("USER_TYPES", "Customer")]).await;
    let data = installation.data();
    let (code, out, err) = at(&server, data.to_str().expect("plain")).await;
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(err.contains("POST /User1/create answered 404, not 201"), "{err}");
    assert!(!out.contains("Read the mail"), "{out}");
}

#[test]
fn it_says_when_nobody_answers() {
    let folder = Installation::new();
    let data = folder.path().to_str().expect("plain");
    // The port of discarded messages: nobody listens there.
    let (code, out, err) = demo(&["--url", "http://127.0.0.1:9", "--data", data]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(err.contains("POST /User1/create: "), "{err}");
    let (code, _, err) = demo(&["--url", "http://127.0.0.1:9"]);
    assert_eq!((code, err.contains("--data")), (Some(1), true), "{err}");
}
