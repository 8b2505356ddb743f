//! Names are kept byte for byte, and can do no harm where they are shown.

use crate::support::{Mail, Person, TestApp};

cases! {
    names_come_back_byte_for_byte_and_are_harmless_in_mails
    names_that_could_end_a_header_are_refused
    the_documented_example_registers
}

const NAMES: [(&str, &str); 8] = [
    ("O'Brien", "Tom & Jerry"),
    ("{{ 7*7 }}", "<script>alert(1)</script>"),
    ("<b>Zoe\u{308}</b>", "{% include \"pages/style.css\" %}"),
    (
        "\u{1F469}\u{200D}\u{1F469}\u{200D}\u{1F467}\u{200D}\u{1F466}",
        "\u{2764}\u{FE0F}",
    ),
    ("\u{645}\u{62D}\u{645}\u{62F}", "\u{200F}\u{5D3}\u{5D5}\u{5D3}"),
    (
        "\u{5C71}\u{7530}\u{3000}\u{592A}\u{90CE}",
        "Robert'); DROP TABLE accounts;--",
    ),
    ("%0d%0aBcc: eve", "=?utf-8?q?Bcc=3A_eve?="),
    ("\\r\\n\\\"quoted\\\"", "&lt;already&gt; &amp; escaped"),
];

async fn names_come_back_byte_for_byte_and_are_harmless_in_mails(app: &TestApp, user_type: &str) {
    for (first_name, last_name) in NAMES {
        let person = Person {
            first_name: first_name.into(),
            last_name: last_name.into(),
            ..Person::new()
        };
        app.create(user_type, &person).await.expect(201);
        let asked = app.next_mail(&person.email).await;
        app.confirm(user_type, &asked.token()).await.expect(200);
        let welcome = app.next_mail(&person.email).await;
        for mail in [&asked, &welcome] {
            is_harmless(mail, &person);
        }
        assert!(welcome.text.contains(first_name), "{first_name} in {}", welcome.text);

        let pair = app.login(user_type, &person).await;
        let profile = app.profile(user_type, &pair.access).await.expect(200).json();
        assert_eq!(profile["first_name"], first_name);
        assert_eq!(profile["last_name"], last_name);
    }
}

fn is_harmless(mail: &Mail, person: &Person) {
    assert_eq!(
        mail.to,
        std::slice::from_ref(&person.email),
        "one recipient: {}",
        mail.raw
    );
    let known = [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "MIME-Version",
        "Content-Type",
    ];
    let extra: Vec<_> = mail
        .headers
        .iter()
        .filter(|name| !known.contains(&name.as_str()))
        .collect();
    assert!(extra.is_empty(), "headers that nobody set: {extra:?} in {}", mail.raw);
    assert_eq!(mail.headers.len(), known.len(), "each header once: {}", mail.raw);
    for markup in ["<script", "<b>"] {
        assert!(!mail.html.contains(markup), "{markup} is not escaped in {}", mail.html);
    }
    if person.first_name == "{{ 7*7 }}" {
        assert!(mail.html.contains("{{ 7*7 }}"), "shown, not computed: {}", mail.html);
    }
}

async fn names_that_could_end_a_header_are_refused(app: &TestApp, user_type: &str) {
    let hostile = [
        "An\r\nBcc: eve@evil.example",
        "An\nna",
        "An\rna",
        "An\tna",
        "An\u{0}na",
        "An\u{85}na",
        "An\u{2028}na",
        "An\u{202E}na",
    ];
    for name in hostile {
        for member in ["first_name", "last_name"] {
            let mut body = Person::new().json();
            body[member] = name.into();
            let refused = app.post(&format!("/{user_type}/create")).json(&body).send().await;
            let refused = refused.expect_problem(422, "validation_failed");
            assert_eq!(
                refused.errors(),
                [(member.to_owned(), "name_forbidden_character".to_owned())],
                "{name:?}"
            );
        }
    }
    for address in [
        "grace@mail.example\r\nBcc: eve@evil.example",
        "grace@mail.example\n",
        "gr\u{0}ace@mail.example",
    ] {
        let mut body = Person::new().json();
        body["email"] = address.into();
        let refused = app.post(&format!("/{user_type}/create")).json(&body).send().await;
        let refused = refused.expect_problem(422, "validation_failed");
        let fields: Vec<_> = refused.errors().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["email"], "{address:?}");
    }
}

async fn the_documented_example_registers(app: &TestApp, user_type: &str) {
    let person = Person {
        first_name: "John".into(),
        last_name: "Doe".into(),
        email: "john.doe@example.com".into(),
        phone: "+1234567890".into(),
        country_code: "US".into(),
        password: "SecureP@ssw0rd123!".into(),
        username: None,
    };
    app.join(user_type, &person).await;
    let pair = app.login(user_type, &person).await;
    let profile = app.profile(user_type, &pair.access).await.expect(200).json();
    assert_eq!(profile["phone"], "+1234567890");
    assert_eq!(profile["country"], "United States of America");
}
