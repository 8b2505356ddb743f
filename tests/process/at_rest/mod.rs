//! Nothing of anybody can be read where it lies. Persons with marks in every field, and every secret that is made for
//! them, go through every operation of the document and every job, the failing ones too; then all that the service keeps
//! and says is searched for every mark in every form: files with their journals, collections, what Redis holds and was
//! ever told, logs at `trace`, spans, the audit's lines, metrics, claims, error bodies, acknowledgements, what commands print.
//! Where a mark may be is the folder of sent mails and texts, and nowhere else.
//!
//! - [`markers`]: the marks and their forms; [`places`]: where is looked.
//! - [`person`], [`story`], [`credentials`], [`administrators`], [`unheard`], [`driver`]: who does what, and whether that was everything.

mod administrators;
mod credentials;
mod driver;
mod email_sign_in;
mod installed;
mod markers;
mod person;
mod places;
mod searching;
mod second_factor;
mod story;
mod unheard;

use std::collections::BTreeSet;

use serde_json::Value;
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::method};

use self::{
    driver::Driver,
    installed::{Installed, MOCK_TOKEN},
    markers::Searcher,
    person::Person,
};
use crate::{installation::Installation, otlp::Collector, smtp::MailServer, stores::SharedStores, waiting::until};

const TYPES: [&str; 2] = ["User1", "User2"];
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(90);

#[tokio::test]
async fn nothing_of_anybody_can_be_read_in_the_embedded_store() {
    let installation = Installation::new();
    prove(Installed::embedded(&installation)).await;
}

#[tokio::test]
async fn nothing_of_anybody_can_be_read_in_mongodb_and_redis() {
    let (installation, stores) = (Installation::new(), SharedStores::new());
    prove(Installed::shared(&installation, &stores).await).await;
    stores.remove().await;
}

async fn prove(mut installed: Installed<'_>) {
    let mut driver = Driver::new(&installed.address, installed.outbox());
    let people: Vec<[Person; 3]> = TYPES
        .iter()
        .map(|user_type| ["ada", "ben", "carl"].map(|name| Person::new(&format!("{name} of {user_type}"))))
        .collect();
    let callers = ["dora", "emil"].map(Person::new);
    let staff: Vec<[Person; 2]> = TYPES
        .iter()
        .map(|user_type| ["chief", "guest"].map(|name| Person::new(&format!("{name} of {user_type}"))))
        .collect();
    for person in people.iter().flatten().chain(&callers).chain(staff.iter().flatten()) {
        driver.marks.extend(person.marks.iter().cloned());
    }

    let collector = Collector::listening().await;
    let url = collector.url();
    let exporting = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100000"),
    ];
    installed.start(&exporting).await;
    for (user_type, [ada, ben, _]) in TYPES.iter().zip(&people) {
        story::live(&mut driver, user_type, ada, ben).await;
        installed.look("of its own").await;
        story::leave(&mut driver, user_type, ben).await;
        installed.look("after somebody left").await;
    }
    for (user_type, [chief, guest]) in TYPES.iter().zip(&staff) {
        administrators::administer(&mut installed, &mut driver, user_type, chief, guest).await;
    }
    installed.look("after administrators").await;
    for caller in &callers {
        unheard::join(&mut driver, "User1", caller).await;
    }
    unheard::well_known(&mut driver, true).await;
    commands(&mut installed, &mut driver, &people[0][2]);
    installed.settle(&outbox_kinds()).await;
    installed.stop().await;

    fail(&mut installed, &mut driver, &people, &callers).await;
    installed.stop().await;
    exported(&mut installed, &collector).await;

    let missing = driver.not_driven();
    assert!(missing.is_empty(), "not driven:\n{}", missing.join("\n"));
    let everybody = people.iter().flatten().chain(&callers).chain(staff.iter().flatten());
    judge(&installed, &driver, everybody);
}

/// What the collector of traces was sent, of every process.
async fn exported(installed: &mut Installed<'_>, collector: &Collector) {
    let spans = collector.spans().await;
    for name in [
        "POST /User1/create",
        "POST /User2/login",
        "process messages",
        "send mail",
        "send text",
        "POST twilio",
    ] {
        assert!(spans.iter().any(|span| span.name == name), "no span {name}");
    }
    for posted in collector.posted().await {
        installed.saw("spans", posted);
    }
}

/// Every kind of message that a provider took, or was done without one.
fn outbox_kinds() -> BTreeSet<String> {
    [
        "confirm_address",
        "welcome",
        "reset_password",
        "password_changed",
        "change_address",
        "address_changed",
        "new_device",
        "refresh_token_reused",
        "phone_code",
        "email_sign_in",
        "second_factor_code",
        "invitation",
        "account_locked",
        "account_unlocked",
    ]
    .map(str::to_owned)
    .into()
}

/// What an operator types.
fn commands(installed: &mut Installed<'_>, driver: &mut Driver, person: &Person) {
    for arguments in [
        &["doctor"][..],
        &["audit", "verify"],
        &["keys", "list", "--json"],
        &["keys", "status"],
        &["texts", "status"],
        &["outbox", "list", "--json"],
        &["migrate", "--dry-run"],
    ] {
        let output = installed.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    // It prints the link; that is for the operator alone.
    let made = installed.run_unsearched(&["admin", "create", "User2", &person.other_email]);
    let said = String::from_utf8(made).expect("a text");
    let link = said.split_whitespace().find(|word| word.contains("?token="));
    driver.mark_token(
        "an administrator's token",
        link.expect("a link").split_once("?token=").expect("a token").1,
    );
    let again = installed.run(&["admin", "create", "User2", &person.other_email]);
    assert!(!again.status.success());
}

/// Providers that refuse, and repeat what they were told.
async fn fail(installed: &mut Installed<'_>, driver: &mut Driver, people: &[[Person; 3]], callers: &[Person; 2]) {
    let smtp = MailServer::refusing().await;
    smtp.refuse_for_now();
    let twilio = MockServer::start().await;
    let refuse = |request: &Request| {
        let told = String::from_utf8_lossy(&request.body).into_owned();
        ResponseTemplate::new(400)
            .set_body_json(serde_json::json!({ "code": 21211, "message": told, "more_info": told }))
    };
    let queued = ResponseTemplate::new(201).set_body_json(serde_json::json!({ "status": "queued" }));
    Mock::given(method("POST"))
        .respond_with(queued)
        .up_to_n_times(1)
        .mount(&twilio)
        .await;
    Mock::given(method("POST")).respond_with(refuse).mount(&twilio).await;
    let mock = twilio.uri();
    installed
        .start(&[
            ("MAIL_SERVER", "127.0.0.1"),
            ("MAIL_PORT", smtp.port.as_str()),
            ("MAIL_STARTTLS", "off"),
            ("MAIL_FROM", "no-reply@example.com"),
            ("TWILIO_SID", "AC00000000000000000000000000000001"),
            ("TWILIO_AUTH_TOKEN", MOCK_TOKEN),
            ("TWILIO_NUMBER", "+15005550006"),
            ("TWILIO_BASE_URL", mock.as_str()),
            ("TWILIO_STATUS_CALLBACK", "on"),
            ("SECURITY_CONTACT", ""),
            ("SECURITY_EXPIRES", ""),
        ])
        .await;
    unheard::well_known(driver, false).await;
    let mut messages = 0;
    for (user_type, [ada, _, carl]) in TYPES.iter().zip(people) {
        messages += unheard::unheard(driver, user_type, ada, carl).await;
    }
    until("every mail was tried", PATIENCE, async || smtp.asked() >= messages).await;
    installed.look("with mails that wait").await;

    // Twilio takes the first text, and tells what became of it; the second it refuses.
    unheard::ask_for_text(driver, "User1", &callers[0]).await;
    let told = async || twilio.received_requests().await.unwrap_or_default();
    until("a text leaves", PATIENCE, async || told().await.len() == 1).await;
    reported(driver, &told().await[0], &callers[0]).await;
    unheard::ask_for_text(driver, "User1", &callers[1]).await;
    until("another text is refused", PATIENCE, async || told().await.len() == 2).await;
    for request in told().await {
        let form = url::form_urlencoded::parse(&request.body).into_owned();
        let body = form.into_iter().find(|(name, _)| name == "Body").expect("a body").1;
        let code = body.split_whitespace().next().expect("a code").to_owned();
        driver.marks.push(markers::Mark::code("code of a text", &code));
    }

    smtp.refuse();
    installed
        .dead(&[
            "confirm_address",
            "change_address",
            "email_sign_in",
            "new_device",
            "password_changed",
            "phone_code",
            "refresh_token_reused",
            "reset_password",
        ])
        .await;
    installed.look("with dead letters").await;
    for arguments in [
        &["outbox", "retry", "--all"][..],
        &["outbox", "list"],
        &["outbox", "drop", "--all"],
    ] {
        let output = installed.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    let refused = installed.run(&["doctor"]);
    assert!(
        String::from_utf8_lossy(&refused.stdout).contains("mail provider"),
        "{refused:?}"
    );
}

/// What Twilio says of a text, with its number beside.
async fn reported(driver: &mut Driver, request: &Request, person: &Person) {
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&request.body).into_owned().collect();
    let (_, url) = form
        .iter()
        .find(|(name, _)| name == "StatusCallback")
        .expect("told where to");
    let path = url::Url::parse(url).expect("a URL").path().to_owned();
    let report = [
        ("MessageStatus", "delivered"),
        ("To", person.phone.as_str()),
        ("MessageSid", "SM1"),
    ];
    for (signature, status) in [
        (person.note.as_bytes(), 403),
        (unheard::sign(MOCK_TOKEN, url, &report).as_bytes(), 200),
    ] {
        let send = |request: reqwest::RequestBuilder| request.header("x-twilio-signature", signature).form(&report);
        driver.call("POST", &path, send).await.expect(status);
    }
}

/// Searches everything. The folder of sent mails shows that the search finds what there is.
fn judge<'p>(installed: &Installed<'_>, driver: &Driver, people: impl Iterator<Item = &'p Person>) {
    let searcher = Searcher::new(&driver.marks);
    let sent = places::files(&installed.outbox(), &|_| false);
    let found: BTreeSet<String> = sent
        .iter()
        .flat_map(|(place, hay)| searcher.search(place, hay))
        .map(|hit| hit.what)
        .collect();
    for person in people.filter(|person| !person.marks[0].what.starts_with("carl")) {
        let address = person
            .marks
            .iter()
            .find(|mark| mark.what.ends_with(": address"))
            .expect("a mark");
        assert!(found.contains(&address.what), "no mail was found to {}", address.what);
    }
    assert!(found.contains("code of a text"), "{found:?}");
    assert!(found.contains("code of a mail"), "{found:?}");

    let everything: Vec<places::Place> = installed
        .everything()
        .into_iter()
        .chain(driver.answers.clone())
        .collect();
    let measured = everything.iter().filter(|(place, _)| place.starts_with("metrics"));
    let measured =
        String::from_utf8_lossy(&measured.map(|(_, hay)| hay.as_slice()).collect::<Vec<_>>().concat()).into_owned();
    for part in [
        "sealgate_key_age_days{use=\"token\"} 0",
        "sealgate_key_age_days{use=\"kek\"} 0",
        "sealgate_keys_overdue 0",
    ] {
        assert!(measured.contains(part), "no {part}");
    }
    let mut hits: Vec<_> = everything
        .iter()
        .flat_map(|(place, hay)| searcher.search(place, hay))
        .collect();
    hits.sort();
    hits.dedup_by(|one, other| (&one.what, &one.form, &one.place) == (&other.what, &other.form, &other.place));
    let bytes: usize = everything.iter().map(|(_, hay)| hay.len()).sum();
    installed::say(&format!(
        "{} marks in {} places of {} MB: {} hits",
        driver.marks.len(),
        everything.len(),
        bytes / 1_000_000,
        hits.len()
    ));
    let shown: Vec<String> = hits.iter().take(40).map(|hit| format!("{hit:#?}")).collect();
    assert!(
        hits.is_empty(),
        "{} hits, of which the first:\n{}",
        hits.len(),
        shown.join("\n")
    );
}

/// The events that processes wrote to standard output.
fn audit_lines(lines: &[String]) -> impl Iterator<Item = Value> {
    lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok())
}
