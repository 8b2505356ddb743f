//! Texts through Twilio's Messages API, spoken by a mock that takes only what Twilio documents.

use std::time::Duration;

use sealgate::{
    config::sms::TwilioConfig,
    domain::{clock::Timestamp, country::CountryCode, phone::Phone, private::Private},
    jobs::{
        sms::{Sms, SmsDelivery, Text},
        twilio::Twilio,
    },
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{basic_auth, body_string_contains, header, method, path},
};

use crate::{
    mail_over_smtp::over_smtp,
    support::{MailServer, Person, Setup, StoreSet, eventually},
};

cases_once! {
    a_text_is_asked_for_as_twilio_documents_it
    a_messaging_service_may_be_the_sender
    what_twilio_says_decides_whether_it_is_tried_again
    a_hanging_twilio_leaves_it_unknown_and_nobody_there_does_not
    taken_and_hung_up_is_taken_if_the_status_arrived
    doctor_asks_twilio_without_sending
    a_code_travels_to_the_phone_and_nowhere_else
    a_text_of_unknown_fate_is_not_sent_again
    without_a_provider_no_code_is_promised
}

const SID: &str = "AC00000000000000000000000000000001";
const TOKEN: &str = "twilio auth token";
const MESSAGES: &str = "/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json";

fn twilio(base_url: &str, sender: &str) -> Sms {
    let config = TwilioConfig {
        account_sid: SID.into(),
        auth_token: Private::new(TOKEN.into()),
        sender: sender.into(),
        base_url: base_url.parse().expect("a URL"),
        has_status_callback: false,
        patience: Duration::from_millis(900),
    };
    Sms::Twilio(Box::new(Twilio::new(&config, None).expect("settings")))
}

fn text() -> Text {
    let country = CountryCode::parse("US").expect("a country");
    Text {
        id: "msg_00000000000000000000000001".parse().expect("an id"),
        to: Phone::parse("+12015550123", Some(&country)).expect("a number"),
        body: "Your code & more: 012345".into(),
        date: Timestamp::from_millis(1_764_000_000_000),
    }
}

/// Whether what became of a text is as it should be.
type IsRight = fn(SmsDelivery) -> bool;

/// What Twilio answers when it takes a text.
fn queued() -> ResponseTemplate {
    ResponseTemplate::new(201).set_body_json(json!({
        "sid": "SM00000000000000000000000000000001",
        "status": "queued",
        "error_code": null,
    }))
}

fn refusal(status: u16, code: u32) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({
        "code": code,
        "message": "The number +12015550123 can't be used",
        "more_info": format!("https://www.twilio.com/docs/errors/{code}"),
        "status": status,
    }))
}

async fn a_text_is_asked_for_as_twilio_documents_it(_: &StoreSet) {
    let mock = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path(MESSAGES))
        .and(basic_auth(SID, TOKEN))
        .and(header("content-type", "application/x-www-form-urlencoded"))
        .respond_with(queued())
        .expect(1)
        .mount(&mock)
        .await;
    assert_eq!(
        twilio(&mock.uri(), "+15005550006").send(&text()).await,
        SmsDelivery::Accepted
    );
    assert_eq!(
        form(&mock.received_requests().await.expect("recorded")[0]),
        [
            ("To", "+12015550123"),
            ("From", "+15005550006"),
            ("Body", "Your code & more: 012345")
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

fn form(request: &Request) -> Vec<(String, String)> {
    url::form_urlencoded::parse(&request.body).into_owned().collect()
}

async fn a_messaging_service_may_be_the_sender(_: &StoreSet) {
    let mock = MockServer::start().await;
    Mock::given(body_string_contains("MessagingServiceSid=MG0123"))
        .respond_with(queued())
        .mount(&mock)
        .await;
    // A path of a proxy stays before Twilio's own.
    let sms = twilio(&format!("{}/proxy/", mock.uri()), "MG0123");
    assert_eq!(sms.send(&text()).await, SmsDelivery::Accepted);
    let requests = mock.received_requests().await.expect("recorded");
    assert_eq!(requests[0].url.path(), format!("/proxy{MESSAGES}"));
    assert!(form(&requests[0]).iter().all(|(name, _)| name != "From"));
}

async fn what_twilio_says_decides_whether_it_is_tried_again(_: &StoreSet) {
    let again = |delivery| matches!(delivery, SmsDelivery::NotSent(_));
    let never = |delivery| matches!(delivery, SmsDelivery::Refused(_));
    let unknown = |delivery| matches!(delivery, SmsDelivery::Unknown(_));
    let cases: [(ResponseTemplate, IsRight); 11] = [
        (refusal(429, 20429), again),
        (ResponseTemplate::new(429).set_body_string("slow down"), again),
        (refusal(401, 20003), again),
        (refusal(400, 21211), never),
        (refusal(400, 21610), never),
        (refusal(400, 21614), never),
        (refusal(400, 21408), never),
        (refusal(400, 99999), never),
        (refusal(500, 20500), unknown),
        (ResponseTemplate::new(503), unknown),
        (
            ResponseTemplate::new(307).insert_header("location", "/elsewhere"),
            unknown,
        ),
    ];
    for (number, (answer, is_right)) in cases.into_iter().enumerate() {
        let mock = MockServer::start().await;
        Mock::given(method("POST")).respond_with(answer).mount(&mock).await;
        let delivery = twilio(&mock.uri(), "+15005550006").send(&text()).await;
        assert!(is_right(delivery), "case {number}: {delivery:?}");
        let (SmsDelivery::NotSent(said) | SmsDelivery::Refused(said) | SmsDelivery::Unknown(said)) = delivery else {
            panic!("{delivery:?}")
        };
        assert!(!said.contains("+1201"), "no number in what is kept: {said}");
        assert_eq!(
            mock.received_requests().await.expect("recorded").len(),
            1,
            "case {number}: asked once"
        );
    }
}

async fn a_hanging_twilio_leaves_it_unknown_and_nobody_there_does_not(_: &StoreSet) {
    let mock = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(queued().set_delay(Duration::from_secs(30)))
        .mount(&mock)
        .await;
    let delivery = twilio(&mock.uri(), "+15005550006").send(&text()).await;
    assert!(matches!(delivery, SmsDelivery::Unknown(_)), "{delivery:?}");

    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let delivery = twilio(&format!("http://{address}"), "+15005550006").send(&text()).await;
    assert!(matches!(delivery, SmsDelivery::NotSent(_)), "{delivery:?}");
}

/// Reads one request and answers `answer`, then hangs up.
async fn rude(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"012345") {
                if socket.read_buf(&mut request).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            let _ = socket.write_all(answer).await;
            let _ = socket.shutdown().await;
        }
    });
    format!("http://{address}")
}

async fn taken_and_hung_up_is_taken_if_the_status_arrived(_: &StoreSet) {
    let cut =
        rude(b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{\"sid\": \"SM")
            .await;
    assert_eq!(twilio(&cut, "+15005550006").send(&text()).await, SmsDelivery::Accepted);
    for answer in [&b""[..], b"HTTP/1.1 20"] {
        let dropped = rude(answer).await;
        let delivery = twilio(&dropped, "+15005550006").send(&text()).await;
        assert!(matches!(delivery, SmsDelivery::Unknown(_)), "{delivery:?}");
    }
}

async fn doctor_asks_twilio_without_sending(_: &StoreSet) {
    let mock = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path(MESSAGES.replace("/Messages", "")))
        .and(basic_auth(SID, TOKEN))
        .respond_with(ResponseTemplate::new(200))
        .mount(&mock)
        .await;
    assert_eq!(twilio(&mock.uri(), "+15005550006").probe().await, Ok(()));
    let elsewhere = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(refusal(401, 20003))
        .mount(&elsewhere)
        .await;
    let said = twilio(&elsewhere.uri(), "+15005550006").probe().await;
    assert!(said.is_err_and(|said| said.contains("TWILIO_AUTH_TOKEN")));
}

fn over_twilio(stores: &StoreSet, mock: &MockServer) -> Setup {
    Setup::new(stores)
        .set("TWILIO_SID", SID)
        .set("TWILIO_AUTH_TOKEN", TOKEN)
        .set("TWILIO_NUMBER", "+15005550006")
        .set("TWILIO_BASE_URL", mock.uri())
}

/// Somebody with a number that takes texts.
fn reachable() -> Person {
    let mut person = Person::new();
    person.phone = "+12015550123".into();
    person
}

async fn a_code_travels_to_the_phone_and_nowhere_else(stores: &StoreSet) {
    let mock = MockServer::start().await;
    Mock::given(method("POST")).respond_with(queued()).mount(&mock).await;
    let app = over_twilio(stores, &mock).spawn().await;
    let person = reachable();
    app.join("User1", &person).await;
    let pair = app.login("User1", &person).await;
    let sent = app
        .post("/User1/otp_phone")
        .bearer(&pair.access)
        .send()
        .await
        .expect(202);
    let request = eventually("a text", async || mock.received_requests().await?.into_iter().next()).await;
    let fields = form(&request);
    assert_eq!(fields[0], ("To".to_owned(), "+12015550123".to_owned()));
    let digits: String = fields[2].1.chars().filter(char::is_ascii_digit).collect();
    let code = &digits[..6];
    assert!(!sent.text().contains(code));
    let verified = app
        .post("/User1/verify_otp_phone")
        .bearer(&pair.access)
        .json(&json!({ "token": sent.member("otp"), "otp": code }))
        .send()
        .await;
    verified.expect(200);
    assert_eq!(
        app.profile("User1", &pair.access).await.json()["is_phone_verified"],
        true
    );
    app.shut_down().await;
}

async fn a_text_of_unknown_fate_is_not_sent_again(stores: &StoreSet) {
    let mock = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(refusal(500, 20500))
        .mount(&mock)
        .await;
    let app = over_twilio(stores, &mock).spawn().await;
    let person = reachable();
    app.join("User1", &person).await;
    let pair = app.login("User1", &person).await;
    app.post("/User1/otp_phone")
        .bearer(&pair.access)
        .send()
        .await
        .expect(202);
    app.settle().await;
    app.clock.advance(Duration::from_mins(2));
    app.settle().await;
    assert_eq!(mock.received_requests().await.expect("recorded").len(), 1);
    app.shut_down().await;
}

async fn without_a_provider_no_code_is_promised(stores: &StoreSet) {
    let server = MailServer::start();
    let apart = tempfile::tempdir().expect("a folder");
    let app = over_smtp(stores, &server)
        .set("ENVIRONMENT", "production")
        .set("PUBLIC_URL", "https://id.example.com")
        .set("RATE_LIMITS", "on")
        .set("KEK_FILE", apart.path().join("kek.keys").to_string_lossy())
        .set("ERASURE_JOURNAL", apart.path().join("erasures.jsonl").to_string_lossy())
        .spawn()
        .await;
    let person = reachable();
    app.create("User1", &person).await.expect(201);
    let mail = server.next(&person.email, "Confirm your address").await;
    app.confirm("User1", &mail.parsed().token()).await.expect(200);
    let pair = app.login("User1", &person).await;
    let refused = app.post("/User1/otp_phone").bearer(&pair.access).send().await;
    refused.expect_problem(422, "phone_not_textable");
    eventually("a worker that says so", async || {
        let health = app.get("/health").send_unchecked().await.json();
        (health["services"]["sms"] == "disabled").then_some(())
    })
    .await;
    app.shut_down().await;
}
