//! Mails through real SMTP servers: encrypted, refusing, hanging, hanging up.

use std::time::Duration;

use sealgate::{
    config::mail::{SmtpConfig, SmtpSecurity},
    domain::{clock::Timestamp, email::Email},
    jobs::{
        mailer::{Delivery, Mail, Mailer},
        smtp::Smtp,
    },
    templates::MailText,
};
use tokio::{net::TcpListener, time::Instant};

use crate::support::{MailServer, Person, Setup, StoreSet, eventually};

cases_once! {
    mails_go_encrypted_and_signed_in
    a_certificate_of_a_stranger_gets_no_mail_unless_told_so
    a_server_without_starttls_gets_no_mail
    wrong_credentials_are_tried_again_and_said
    refusals_for_good_and_for_now_are_told_apart
    a_server_that_hangs_is_given_up_in_time
    a_server_that_hangs_up_is_tried_again
    nobody_there_is_tried_again
    one_connection_serves_many_mails
    an_address_beyond_ascii_travels_as_it_is
    the_walk_begins_over_smtp
    a_mail_that_is_put_off_comes_later_under_the_same_id
    a_hanging_server_starves_nobody
}

const SUBJECT: &str = "Grüße";

fn config(server: &MailServer, security: SmtpSecurity) -> SmtpConfig {
    let (port, is_open) = match security {
        SmtpSecurity::Plain => (server.plain(), true),
        SmtpSecurity::StartTls => (server.starttls(), false),
        SmtpSecurity::Tls => (server.tls(), false),
    };
    let credentials = ("sealgate".to_owned(), secret("correct horse"));
    SmtpConfig {
        host: "localhost".into(),
        port,
        security,
        credentials: (!is_open).then_some(credentials),
        validates_certificates: true,
        authority: Some(std::fs::read(server.authority()).expect("the authority")),
        patience: Duration::from_secs(10),
    }
}

fn secret(text: &str) -> sealgate::domain::private::Private {
    sealgate::domain::private::Private::new(text.to_owned())
}

fn mailer(config: &SmtpConfig) -> Mailer {
    let smtp = Smtp::new(config, Some("id.example.com")).expect("settings");
    Mailer::smtp("Sealgate <no-reply@example.com>", smtp).expect("a sender")
}

fn mail(to: &str) -> Mail {
    Mail {
        id: "msg_00000000000000000000000001".parse().expect("an id"),
        to: Email::parse(to).expect("an address"),
        date: Timestamp::from_millis(1_764_000_000_000),
        text: MailText {
            subject: SUBJECT.into(),
            text: "Guten Tag".into(),
            html: "<p>Guten Tag</p>".into(),
        },
    }
}

async fn mails_go_encrypted_and_signed_in(_: &StoreSet) {
    let server = MailServer::start();
    for security in [SmtpSecurity::StartTls, SmtpSecurity::Tls] {
        let to = format!("{}@mail.example", format!("{security:?}").to_lowercase());
        assert_eq!(
            mailer(&config(&server, security)).send(&mail(&to)).await,
            Delivery::Accepted
        );
        let taken = server.next(&to, "Message-ID").await;
        assert!(taken.tls, "{security:?}");
        assert_eq!(
            (taken.from.as_str(), taken.user.as_deref()),
            ("no-reply@example.com", Some("sealgate"))
        );
        assert_eq!(taken.hello, "id.example.com");
        assert!(
            taken
                .content
                .contains("Message-ID: <msg_00000000000000000000000001@example.com>"),
            "{}",
            taken.content
        );
    }
    let to = "plain@mail.example";
    let plain = mailer(&config(&server, SmtpSecurity::Plain));
    assert_eq!(plain.send(&mail(to)).await, Delivery::Accepted);
    assert!(!server.next(to, "Message-ID").await.tls);
}

async fn a_certificate_of_a_stranger_gets_no_mail_unless_told_so(_: &StoreSet) {
    let server = MailServer::start();
    for security in [SmtpSecurity::StartTls, SmtpSecurity::Tls] {
        let mut unknown = config(&server, security);
        unknown.authority = None;
        let delivery = mailer(&unknown).send(&mail("ada@mail.example")).await;
        assert!(
            matches!(delivery, Delivery::Later(reason) if reason.contains("VALIDATE_CERTS")),
            "{delivery:?}"
        );
        // Of another name: the certificate is for localhost and 127.0.0.1.
        let mut other = config(&server, security);
        other.host = "127.0.0.2".into();
        if std::net::TcpStream::connect(("127.0.0.2", other.port)).is_ok() {
            let delivery = mailer(&other).send(&mail("ada@mail.example")).await;
            assert!(matches!(delivery, Delivery::Later(_)), "{delivery:?}");
        }
        assert!(server.taken().is_empty());
    }
    let mut told = config(&server, SmtpSecurity::StartTls);
    (told.authority, told.validates_certificates) = (None, false);
    assert_eq!(mailer(&told).send(&mail("ada@mail.example")).await, Delivery::Accepted);
}

async fn a_server_without_starttls_gets_no_mail(_: &StoreSet) {
    let server = MailServer::start();
    let mut stripped = config(&server, SmtpSecurity::StartTls);
    stripped.port = server.plain();
    let delivery = mailer(&stripped).send(&mail("ada@mail.example")).await;
    assert!(!matches!(delivery, Delivery::Accepted), "{delivery:?}");
    assert!(server.taken().is_empty(), "nothing went in the clear");
}

async fn wrong_credentials_are_tried_again_and_said(_: &StoreSet) {
    let server = MailServer::start();
    let mut wrong = config(&server, SmtpSecurity::StartTls);
    wrong.credentials = Some(("sealgate".into(), secret("wrong horse")));
    let mailer = mailer(&wrong);
    let delivery = mailer.send(&mail("ada@mail.example")).await;
    assert!(
        matches!(delivery, Delivery::Later(reason) if reason.contains("MAIL_USERNAME")),
        "{delivery:?}"
    );
    assert!(
        mailer
            .probe()
            .await
            .is_err_and(|reason| reason.contains("MAIL_USERNAME"))
    );
    wrong.credentials = Some(("sealgate".into(), secret("correct horse")));
    assert_eq!(self::mailer(&wrong).probe().await, Ok(()));
}

async fn refusals_for_good_and_for_now_are_told_apart(_: &StoreSet) {
    let server = MailServer::start();
    let mailer = mailer(&config(&server, SmtpSecurity::StartTls));
    for code in [421, 450, 451, 452] {
        for to in [
            format!("reject-{code}@mail.example"),
            format!("reject-data-{code}@mail.example"),
        ] {
            let delivery = mailer.send(&mail(&to)).await;
            assert!(matches!(delivery, Delivery::Later(_)), "{to}: {delivery:?}");
        }
    }
    for code in [550, 551, 552, 553, 554] {
        for to in [
            format!("reject-{code}@mail.example"),
            format!("reject-data-{code}@mail.example"),
        ] {
            let delivery = mailer.send(&mail(&to)).await;
            assert!(matches!(delivery, Delivery::Never(_)), "{to}: {delivery:?}");
        }
    }
    assert_eq!(
        mailer.send(&mail("ada@mail.example")).await,
        Delivery::Accepted,
        "and goes on"
    );
}

async fn a_server_that_hangs_is_given_up_in_time(_: &StoreSet) {
    let server = MailServer::start();
    let mut hasty = config(&server, SmtpSecurity::StartTls);
    hasty.patience = Duration::from_millis(700);
    let mut deliveries = Vec::new();
    for to in ["hang@mail.example", "hang-data@mail.example"] {
        deliveries.push(mailer(&hasty).send(&mail(to)).await);
    }
    // One that accepts the connection and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    for security in [SmtpSecurity::StartTls, SmtpSecurity::Tls] {
        (hasty.port, hasty.security) = (silent.local_addr().expect("an address").port(), security);
        deliveries.push(mailer(&hasty).send(&mail("ada@mail.example")).await);
    }
    assert!(
        deliveries.iter().all(|delivery| matches!(delivery, Delivery::Later(_))),
        "{deliveries:?}"
    );
}

async fn a_server_that_hangs_up_is_tried_again(_: &StoreSet) {
    let server = MailServer::start();
    let mailer = mailer(&config(&server, SmtpSecurity::StartTls));
    for to in ["drop@mail.example", "drop-data@mail.example"] {
        let delivery = mailer.send(&mail(to)).await;
        assert!(matches!(delivery, Delivery::Later(_)), "{to}: {delivery:?}");
    }
    // It had taken the second one: the other try brings it again, under the same Message-ID.
    assert_eq!(server.taken().len(), 1);
    assert_eq!(mailer.send(&mail("ada@mail.example")).await, Delivery::Accepted);

    // One that hangs up before its first word.
    let rude = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut config = config(&server, SmtpSecurity::StartTls);
    config.port = rude.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = rude.accept().await {
            drop(socket);
        }
    });
    let delivery = self::mailer(&config).send(&mail("ada@mail.example")).await;
    assert!(matches!(delivery, Delivery::Later(_)), "{delivery:?}");
}

async fn nobody_there_is_tried_again(_: &StoreSet) {
    let server = MailServer::start();
    let mut nobody = config(&server, SmtpSecurity::StartTls);
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    nobody.port = free.local_addr().expect("an address").port();
    drop(free);
    let delivery = mailer(&nobody).send(&mail("ada@mail.example")).await;
    assert!(matches!(delivery, Delivery::Later(_)), "{delivery:?}");
}

async fn one_connection_serves_many_mails(_: &StoreSet) {
    // A server that counts its connections stands before the real one.
    let server = MailServer::start();
    let front = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut config = config(&server, SmtpSecurity::Tls);
    let behind = config.port;
    config.port = front.local_addr().expect("an address").port();
    let connections = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counted = std::sync::Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = front.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            tokio::spawn(async move {
                let mut server = tokio::net::TcpStream::connect(("127.0.0.1", behind)).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    let mailer = mailer(&config);
    for number in 0..20 {
        let delivery = mailer.send(&mail(&format!("ada{number}@mail.example"))).await;
        assert_eq!(delivery, Delivery::Accepted);
    }
    // It lies in the pool again a moment after the mail was taken; the next may be quicker.
    let opened = connections.load(std::sync::atomic::Ordering::Relaxed);
    assert!(opened < 10, "{opened} connections for 20 mails");
}

async fn an_address_beyond_ascii_travels_as_it_is(_: &StoreSet) {
    let server = MailServer::start();
    let mailer = mailer(&config(&server, SmtpSecurity::StartTls));
    assert_eq!(mailer.send(&mail("josé@mail.example")).await, Delivery::Accepted);
    let taken = server.next("josé@mail.example", "Message-ID").await;
    assert!(taken.options.iter().any(|option| option == "SMTPUTF8"), "{taken:?}");
}

/// A service whose mails go to `server` with STARTTLS.
pub(crate) fn over_smtp(stores: &StoreSet, server: &MailServer) -> Setup {
    Setup::new(stores)
        .set("MAIL_SERVER", "localhost")
        .set("MAIL_PORT", server.starttls().to_string())
        .set("MAIL_FROM", "no-reply@example.com")
        .set("MAIL_FROM_NAME", "Sealgate")
        .set("MAIL_USERNAME", "sealgate")
        .set("MAIL_PASSWORD", "correct horse")
        .set("MAIL_CA_FILE", server.authority().to_string_lossy())
}

async fn the_walk_begins_over_smtp(stores: &StoreSet) {
    let server = MailServer::start();
    let app = over_smtp(stores, &server).spawn().await;
    let person = Person::new();
    app.create("User1", &person).await.expect(201);
    let taken = server.next(&person.email, "Confirm your address").await;
    assert!(taken.tls && taken.user.is_some());
    assert!(
        taken.content.contains("From: Sealgate <no-reply@example.com>"),
        "{}",
        taken.content
    );
    app.settle().await;
    assert_eq!(server.taken().len(), 1, "one mail, once");
    assert!(!app.outbox.exists(), "nothing beside the server");
    let health = eventually("a healthy provider", async || {
        let health = app.get("/health").send_unchecked().await.json();
        (health["services"]["email"] == "healthy").then_some(health)
    });
    health.await;
    app.shut_down().await;
}

async fn a_mail_that_is_put_off_comes_later_under_the_same_id(stores: &StoreSet) {
    let server = MailServer::start();
    let app = over_smtp(stores, &server).spawn().await;
    let mut person = Person::new();
    person.email = "later@mail.example".into();
    app.create("User1", &person).await.expect(201);
    eventually("the second try", async || {
        app.clock.advance(Duration::from_secs(1));
        (!server.taken().is_empty()).then_some(())
    })
    .await;
    app.settle().await;
    assert_eq!(server.taken().len(), 1);
    app.shut_down().await;
}

async fn a_hanging_server_starves_nobody(stores: &StoreSet) {
    let server = MailServer::start();
    let mut setup = over_smtp(stores, &server);
    setup.patience = Duration::from_secs(15);
    let app = setup.spawn().await;
    let mut unlucky = Person::new();
    unlucky.email = "hang@mail.example".into();
    app.create("User1", &unlucky).await.expect(201);
    let lucky = Person::new();
    app.create("User2", &lucky).await.expect(201);
    let began = Instant::now();
    server.next(&lucky.email, "Confirm your address").await;
    assert!(began.elapsed() < setup.patience, "it waited for the hanging one");
    drop(server);
    app.shut_down().await;
}

/// What a mail server must never see: a password on a connection that is not encrypted.
#[test]
fn a_password_never_goes_in_the_clear_to_another_machine() {
    let pairs = [
        ("MAIL_SERVER", "mail.example.com"),
        ("MAIL_STARTTLS", "off"),
        ("MAIL_FROM", "no-reply@example.com"),
        ("MAIL_USERNAME", "sealgate"),
        ("MAIL_PASSWORD", "correct horse"),
    ];
    let source = sealgate::config::Source::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let problems = sealgate::config::Config::load(&source).expect_err("refused");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].name, "MAIL_STARTTLS");
}
