//! What an operator does on the command line beside a running service: the first administrator, the migration.

use std::process::Output;

use serde_json::json;

use crate::{client::PASSWORD, installation::Installation, stores::SharedStores};

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn the_first_administrator_of_the_embedded_store() {
    first_administrator(&Installation::new(), &[]).await;
}

#[tokio::test]
async fn the_first_administrator_of_mongodb() {
    let (installation, stores) = (Installation::new(), SharedStores::new());
    let settings = stores.settings_with(&[]);
    assert!(installation.run(&["keys", "new"], &settings).status.success());
    first_administrator(&installation, &settings).await;
    stores.remove().await;
}

async fn first_administrator(installation: &Installation, settings: &[(&str, &str)]) {
    const EMAIL: &str = "root@example.com";
    let server = installation.serve(settings).await;
    let public_url = format!("http://{}", server.address);
    let settings = [settings, &[("PUBLIC_URL", public_url.as_str())]].concat();
    let create = |user_type, email| installation.run(&["admin", "create", user_type, email], &settings);

    // Whoever registered the address first, with a password of their own, waits for its link in vain.
    server.client.create("User2", EMAIL).await.expect(201);
    let planted = installation.outbox().link_to(EMAIL).await;

    let made = create("User2", EMAIL);
    assert!(made.status.success(), "{}", err(&made));
    let said = out(&made);
    let base = format!("{public_url}/User2/reset_password_form?token=");
    let link = said.lines().find(|line| line.starts_with(&base));
    let link = link.unwrap_or_else(|| panic!("no link in {said}"));
    assert!(!said.contains(EMAIL), "{said}");
    for email in [EMAIL, "Root@Example.COM"] {
        let again = create("User2", email);
        assert_eq!(again.status.code(), Some(1));
        let says = err(&again);
        assert!(
            says.contains("the address has an account already") && !says.contains("example"),
            "{says}"
        );
    }
    for (user_type, email) in [("User9", EMAIL), ("User2", "nobody")] {
        assert_eq!(create(user_type, email).status.code(), Some(1), "{user_type} {email}");
    }

    // Nothing but the link lets anybody in: not the password that was registered with before it.
    server.client.try_login("User2", EMAIL).await.expect(401);
    server.client.verify("User2", planted.token()).await;
    server.client.try_login("User2", EMAIL).await.expect(401);

    let page = server.client.get_page(&link[public_url.len()..]).await.expect(200);
    assert!(page.text.contains("<form"), "{}", page.text);
    let set = json!({ "token": link[base.len()..], "password": PASSWORD });
    server.client.post("/User1/reset_password", &set).await.expect(400);
    server.client.post("/User2/reset_password", &set).await.expect(200);
    server.client.post("/User2/reset_password", &set).await.expect(400);

    let tokens = server.client.login("User2", EMAIL).await;
    let profile = server.client.profile("User2", &tokens.access).await.expect(200).json();
    assert_eq!(
        (&profile["role"], &profile["is_email_verified"]),
        (&json!("admin"), &json!(true))
    );
    assert_eq!(profile["email"], EMAIL);
    assert!(said.contains(profile["id"].as_str().expect("an id")));
    // The same address is free in the other population.
    assert!(create("User1", EMAIL).status.success());
}

#[tokio::test]
async fn a_super_admin_comes_from_the_command_line() {
    const EMAIL: &str = "above@example.com";
    let installation = Installation::new();
    let server = installation.serve(&[]).await;
    let public_url = format!("http://{}", server.address);
    let settings = [("PUBLIC_URL", public_url.as_str())];
    let made = installation.run(&["admin", "create", "User1", EMAIL, "--super"], &settings);
    assert!(made.status.success(), "{}", err(&made));
    let said = out(&made);
    assert!(said.contains("is a super-admin, who signs in under User1"), "{said}");
    let token = said.split_once("?token=").expect("a link").1;
    let token = token.split_whitespace().next().expect("a token");
    let set = json!({ "token": token, "password": PASSWORD });
    server.client.post("/User1/reset_password", &set).await.expect(200);
    let tokens = server.client.login("User1", EMAIL).await;
    let profile = server.client.profile("User1", &tokens.access).await.expect(200).json();
    assert_eq!(profile["role"], "super_admin");
    server.client.profile("User2", &tokens.access).await.expect(401);
}

#[tokio::test]
async fn the_migration_runs_beside_a_server() {
    let installation = Installation::new();
    let server = installation.serve(&[]).await;
    server.client.create("User1", "ada@example.com").await.expect(201);
    for arguments in [&["migrate", "--dry-run"][..], &["migrate"], &["migrate"]] {
        let output = installation.run(arguments, &[]);
        assert!(output.status.success(), "{}", err(&output));
        let said = out(&output);
        assert_eq!(said.lines().count(), 10, "five records of two user types: {said}");
        assert!(said.contains("registrations of User1: 1 seen, 0 "), "{said}");
    }
}
