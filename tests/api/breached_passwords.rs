//! Passwords that nobody may choose: stolen ones, and ones that say who they are of.

use std::{fs, path::PathBuf};

use sealgate::{
    crypto::breached_hash::BreachedHash,
    storage::breached::{Input, build},
};

use crate::support::{Person, Setup, StoreSet, TestApp};

cases_per_store! {
    a_stolen_password_is_chosen_by_nobody
    a_reset_knows_whose_password_it_is
}

cases_once! {
    a_filter_that_is_damaged_is_no_start
    who_is_refused_for_being_guessed_is_told_how_soon
}

const STOLEN: &str = "Vq7#mermaid-of-Lucerne";

/// A filter of that one, made of a list of `hash`.
fn filter(setup: &Setup, hash: BreachedHash) -> PathBuf {
    let (list, file) = (setup.folder().join("list"), setup.folder().join("breached"));
    fs::write(
        &list,
        format!("{}:12\n", data_encoding::HEXUPPER.encode(&hash.of(STOLEN))),
    )
    .expect("written");
    build(&Input::File(list), &file, None, &mut |_, _| {}).expect("built");
    file
}

async fn reset_token(app: &TestApp, person: &Person) -> String {
    app.forget("User1", &person.email).await.expect(202);
    app.next_link(person).await
}

async fn a_stolen_password_is_chosen_by_nobody(stores: &StoreSet) {
    for hash in [BreachedHash::Sha1, BreachedHash::Ntlm] {
        let setup = Setup::new(&stores.another());
        let file = filter(&setup, hash);
        let app = setup
            .set("BREACHED_PASSWORDS_FILE", file.to_string_lossy())
            .spawn()
            .await;
        let person = Person {
            password: STOLEN.into(),
            ..Person::new()
        };
        let refused = app
            .create("User1", &person)
            .await
            .expect_problem(422, "validation_failed");
        assert_eq!(
            refused.errors(),
            [("password".to_owned(), "password_breached".to_owned())]
        );

        let person = Person::new();
        app.join("User1", &person).await;
        let token = reset_token(&app, &person).await;
        let refused = app
            .reset("User1", &token, STOLEN)
            .await
            .expect_problem(422, "validation_failed");
        assert_eq!(
            refused.errors(),
            [("password".to_owned(), "password_breached".to_owned())]
        );
        app.reset("User1", &token, "Vq7#mermaid-of-Geneva").await.expect(200);
        app.shut_down().await;
    }
}

async fn a_filter_that_is_damaged_is_no_start(stores: &StoreSet) {
    let setup = Setup::new(stores);
    let file = filter(&setup, BreachedHash::Sha1);
    let mut bytes = fs::read(&file).expect("read");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, bytes).expect("written");
    let setup = setup.set("BREACHED_PASSWORDS_FILE", file.to_string_lossy());
    let refused = setup.start().await.expect_err("damaged");
    let said = format!("{refused:#}");
    assert!(
        said.contains("BREACHED_PASSWORDS_FILE") && said.contains("damaged"),
        "{said}"
    );
    fs::remove_file(&file).expect("removed");
    let refused = setup.start().await.expect_err("missing");
    assert!(
        format!("{refused:#}").contains("BREACHED_PASSWORDS_FILE"),
        "{refused:#}"
    );
}

async fn a_reset_knows_whose_password_it_is(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    let person = Person {
        first_name: "Konstantin".into(),
        last_name: "Melnikov".into(),
        email: "k.melnikov.archi@mail.example".into(),
        username: Some("rusakov-club".into()),
        ..Person::new()
    };
    app.join("User1", &person).await;
    let token = reset_token(&app, &person).await;
    for guessed in [
        "Konstantin-M-1927",
        "Melnikov-1927",
        "Rusakov-Club7",
        "K.melnikov.archi1",
        "User1-Sealgate!",
    ] {
        let refused = app
            .reset("User1", &token, guessed)
            .await
            .expect_problem(422, "validation_failed");
        let expected = ("password".to_owned(), "password_context_word".to_owned());
        assert_eq!(refused.errors(), [expected], "{guessed}");
    }
    // A link that leads nowhere tells nothing of anybody's name.
    app.reset("User1", "bm90IGEgbGluaw", "Konstantin-M-1927")
        .await
        .expect_problem(400, "link_invalid");
    // None of which used the link up.
    app.reset("User1", &token, "Arbat-1927-glass-cylinder")
        .await
        .expect(200);
    app.sign_in("User1", &person.email, "Arbat-1927-glass-cylinder")
        .await
        .expect(200);
    app.shut_down().await;
}

async fn who_is_refused_for_being_guessed_is_told_how_soon(stores: &StoreSet) {
    let app = Setup::new(stores).spawn().await;
    let person = Person {
        password: "P@ssw0rd2024!".into(),
        ..Person::new()
    };
    let refused = app
        .create("User1", &person)
        .await
        .expect_problem(422, "validation_failed");
    assert_eq!(
        refused.errors(),
        [("password".to_owned(), "password_common".to_owned())]
    );
    let detail = refused.member("detail");
    assert!(detail.contains("It could be guessed in about "), "{detail}");
    assert!(detail.contains("Add another word or two."), "{detail}");
    app.shut_down().await;
}
