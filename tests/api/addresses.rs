//! Addresses of every kind that mail knows: accepted, written to, and found again in each of their spellings.

use serde_json::json;

use crate::support::{Pair, Person, TestApp};

cases! {
    addresses_of_every_kind_get_their_mail_and_sign_in
    what_is_no_address_is_refused
}

async fn addresses_of_every_kind_get_their_mail_and_sign_in(app: &TestApp, user_type: &str) {
    let longest = format!("{}@{}.example", "l".repeat(64), "d".repeat(63));
    // As it is registered, as mail is addressed, and another spelling of the same.
    let addresses = [
        (
            "o'brien+news@mail.example",
            "o'brien+news@mail.example",
            "O'BRIEN+news@MAIL.example",
        ),
        (
            "!#$%&'*+-/=?^_`{|}~@mail.example",
            "!#$%&'*+-/=?^_`{|}~@mail.example",
            "!#$%&'*+-/=?^_`{|}~@Mail.Example",
        ),
        (
            "a.b.c@sub.mail.example",
            "a.b.c@sub.mail.example",
            "A.B.C@Sub.Mail.Example",
        ),
        (
            "grace@b\u{FC}cher.example",
            "grace@xn--bcher-kva.example",
            "Grace@XN--BCHER-KVA.example",
        ),
        (
            "grace@\u{4F8B}\u{3048}.\u{30C6}\u{30B9}\u{30C8}",
            "grace@xn--r8jz45g.xn--zckzah",
            "grace@\u{4F8B}\u{3048}.xn--zckzah",
        ),
        (
            "gr\u{E4}ce@mail.example",
            "gr\u{E4}ce@mail.example",
            "gra\u{308}ce@mail.example",
        ),
        (
            "\u{4F60}\u{597D}@mail.example",
            "\u{4F60}\u{597D}@mail.example",
            "\u{4F60}\u{597D}@MAIL.example",
        ),
        (longest.as_str(), longest.as_str(), &longest.to_uppercase()),
    ];
    for (address, mailbox, spelling) in addresses {
        let person = Person {
            email: address.into(),
            ..Person::new()
        };
        app.create(user_type, &person).await.expect(201);
        let mail = app.next_mail(mailbox).await;
        app.confirm(user_type, &mail.token()).await.expect(200);
        for email in [address, mailbox, spelling] {
            let answer = app.sign_in(user_type, email, &person.password).await.expect(200);
            let pair = Pair::of(app, &answer);
            let profile = app.profile(user_type, &pair.access).await.expect(200).json();
            assert_eq!(profile["email"], address, "in its owner's spelling, by {email}");
        }
    }
}

async fn what_is_no_address_is_refused(app: &TestApp, user_type: &str) {
    let too_long = format!("{}@mail.example", "l".repeat(65));
    for address in [
        "",
        "grace",
        "@mail.example",
        "grace@",
        "grace@mail",
        "grace@@mail.example",
        "gra ce@mail.example",
        " grace@mail.example",
        ".grace@mail.example",
        "gr..ace@mail.example",
        "grace@-mail.example",
        "grace@mail..example",
        "grace@[127.0.0.1]",
        "\"grace\"@mail.example",
        "Grace <grace@mail.example>",
        "grace@mail.example, eve@mail.example",
        "grace(comment)@mail.example",
        "gr\u{200B}ace@mail.example",
        "gr\u{202E}ace@mail.example",
        too_long.as_str(),
    ] {
        for path in ["create", "resend-verification"] {
            let mut body = if path == "create" {
                Person::new().json()
            } else {
                json!({})
            };
            body["email"] = address.into();
            let refused = app.post(&format!("/{user_type}/{path}")).json(&body).send().await;
            let refused = refused.expect_problem(422, "validation_failed");
            let fields: Vec<_> = refused.errors().into_iter().map(|(field, _)| field).collect();
            assert_eq!(fields, ["email"], "{address:?}");
        }
        app.sign_in(user_type, address, "any password")
            .await
            .expect_problem(401, "invalid_credentials");
    }
}
