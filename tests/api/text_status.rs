//! What Twilio reports of a text, signed as Twilio documents it, or not.

use std::time::Duration;

use data_encoding::BASE64;
use sealgate::{domain::audit::AuditEvent, storage::audit::AuditRecord};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

use crate::support::{Answer, Pair, Person, Setup, StoreSet, TestApp, eventually};

cases_per_store! {
    what_twilio_signs_is_noted_of_its_message
}

cases_once! {
    what_nobody_signed_is_refused
    without_the_callback_nothing_is_believed
}

const TOKEN: &str = "twilio auth token";

async fn start(stores: &StoreSet, settings: &[(&str, &str)]) -> (TestApp, MockServer) {
    let mock = MockServer::start().await;
    let queued = ResponseTemplate::new(201).set_body_json(serde_json::json!({ "status": "queued" }));
    Mock::given(method("POST")).respond_with(queued).mount(&mock).await;
    let mut setup = Setup::new(stores)
        .set("TWILIO_SID", "AC00000000000000000000000000000001")
        .set("TWILIO_AUTH_TOKEN", TOKEN)
        .set("TWILIO_NUMBER", "+15005550006")
        .set("TWILIO_BASE_URL", mock.uri());
    for (name, value) in settings {
        setup = setup.set(name, *value);
    }
    (setup.spawn().await, mock)
}

/// Asks for a code; answers what Twilio was told to report to, if anything.
async fn ask_code(app: &TestApp, mock: &MockServer) -> Option<String> {
    let mut person = Person::new();
    person.phone = "+12015550123".into();
    app.join("User1", &person).await;
    let pair: Pair = app.login("User1", &person).await;
    app.ask_code("User1", &pair.access, &serde_json::json!({}))
        .await
        .expect(202);
    let request = eventually("a text", async || mock.received_requests().await?.into_iter().next()).await;
    let form = url::form_urlencoded::parse(&request.body).into_owned();
    let mut fields = form.filter(|(name, _)| name == "StatusCallback");
    fields.next().map(|(_, value)| value)
}

/// HMAC-SHA-1 as RFC 2104 has it, of code that is not the service's.
fn sign(token: &str, url: &str, form: &[(&str, &str)]) -> String {
    let mut fields = form.to_vec();
    fields.sort_unstable();
    let message = fields
        .iter()
        .fold(url.to_owned(), |text, (name, value)| text + name + value);
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
    BASE64.encode(aws_lc_rs::hmac::sign(&key, message.as_bytes()).as_ref())
}

fn report<'f>(status: &'f str, error: Option<&'f str>) -> Vec<(&'f str, &'f str)> {
    let mut form = vec![
        ("SmsSid", "SM1"),
        ("SmsStatus", status),
        ("MessageStatus", status),
        ("To", "+12015550123"),
        ("MessageSid", "SM1"),
        ("AccountSid", "AC00000000000000000000000000000001"),
        ("From", "+15005550006"),
        ("ApiVersion", "2010-04-01"),
    ];
    form.extend(error.map(|code| ("ErrorCode", code)));
    form
}

async fn post(app: &TestApp, path: &str, form: &[(&str, &str)], signature: &str) -> Answer {
    let call = app.post(path).header("x-twilio-signature", signature);
    call.form(form).send().await
}

/// What is noted of what became of texts.
async fn noted(app: &TestApp) -> Vec<AuditRecord> {
    let mut audit = app.audit("User1").await;
    audit.retain(|entry| {
        matches!(
            entry.event,
            AuditEvent::MessageDelivered | AuditEvent::MessageUndelivered
        )
    });
    audit
}

async fn what_twilio_signs_is_noted_of_its_message(stores: &StoreSet) {
    let (app, mock) = start(stores, &[("TWILIO_STATUS_CALLBACK", "on")]).await;
    let url = ask_code(&app, &mock).await.expect("a callback");
    let path = url
        .strip_prefix(&format!("http://{}", app.address))
        .expect("ours")
        .to_owned();
    let message = path.strip_prefix("/hooks/twilio/").expect("a message").to_owned();
    assert!(message.starts_with("msg_"), "nothing but the message's id: {url}");
    let sent = eventually("the text to be noted", async || {
        let mut audit = app.audit("User1").await;
        audit.retain(|entry| entry.details.get("kind") == Some("phone_code"));
        (!audit.is_empty()).then_some(audit)
    })
    .await;
    assert_eq!((sent.len(), sent[0].event), (1, AuditEvent::MessageSent));
    assert_eq!(sent[0].details.get("message_id"), Some(message.as_str()));

    for (status, error) in [
        ("queued", None),
        ("sent", None),
        ("undelivered", Some("30003")),
        ("failed", Some("30008")),
        ("delivered", None),
    ] {
        let form = report(status, error);
        // Ids sort by time.
        app.clock.advance(Duration::from_millis(1));
        post(&app, &path, &form, &sign(TOKEN, &url, &form)).await.expect(200);
    }
    let noted_now = noted(&app).await;
    let told: Vec<_> = noted_now
        .iter()
        .map(|entry| (entry.event, entry.details.get("reason"), entry.details.get("code")))
        .collect();
    assert_eq!(
        told,
        [
            (AuditEvent::MessageUndelivered, Some("undelivered"), Some("30003")),
            (AuditEvent::MessageUndelivered, Some("failed"), Some("30008")),
            (AuditEvent::MessageDelivered, None, None),
        ]
    );
    for entry in &noted_now {
        assert_eq!(entry.details.get("message_id"), Some(message.as_str()));
        assert_eq!(entry.account_id, sent[0].account_id);
    }
    let kept = serde_json::to_string(&app.audit("User1").await).expect("JSON");
    assert!(!kept.contains("5550123"), "no number");

    // Signed, and of a message that nobody asked for, or of none at all: nothing.
    let (known, form) = (noted(&app).await.len(), report("delivered", None));
    for other in ["msg_00000000000000000000000001", "msg_x", "usr_1", "%6dsg"] {
        let url = url.replace(&message, other);
        let path = path.replace(&message, other);
        post(&app, &path, &form, &sign(TOKEN, &url, &form)).await.expect(200);
    }
    assert_eq!(noted(&app).await.len(), known);
    app.shut_down().await;
}

async fn what_nobody_signed_is_refused(stores: &StoreSet) {
    let (app, mock) = start(stores, &[("TWILIO_STATUS_CALLBACK", "on")]).await;
    let url = ask_code(&app, &mock).await.expect("a callback");
    let path = url
        .strip_prefix(&format!("http://{}", app.address))
        .expect("ours")
        .to_owned();
    let form = report("delivered", None);
    let good = sign(TOKEN, &url, &form);
    let other_form = report("failed", None);
    for (form, signature) in [
        (&form, String::new()),
        (&form, "no base64".to_owned()),
        (&form, sign("another token", &url, &form)),
        (&form, sign(TOKEN, &url.replace("http:", "https:"), &form)),
        (&form, sign(TOKEN, &format!("{url}?a=b"), &form)),
        (&other_form, good.clone()),
    ] {
        post(&app, &path, form, &signature)
            .await
            .expect_problem(403, "signature_invalid");
    }
    // Without the header, and as something else than a form.
    app.post(&path)
        .form(&form)
        .send()
        .await
        .expect_problem(403, "signature_invalid");
    let json = app
        .post(&path)
        .header("x-twilio-signature", &good)
        .json(&serde_json::json!({}));
    json.send().await.expect_problem(415, "unsupported_media_type");
    let put = app.call("PUT", &path).send().await;
    assert_eq!(put.expect_problem(405, "method_not_allowed").header("allow"), "POST");
    assert_eq!(noted(&app).await, []);
    // A port that Twilio leaves out of what it signs does not matter; what else it signs does.
    let without_port = url.replace(&format!(":{}", app.address.port()), "");
    post(&app, &path, &form, &sign(TOKEN, &without_port, &form))
        .await
        .expect(200);
    let with_query = format!("{url}?a=b");
    post(&app, &format!("{path}?a=b"), &form, &sign(TOKEN, &with_query, &form))
        .await
        .expect(200);
    assert_eq!(noted(&app).await.len(), 2);
    app.shut_down().await;
}

async fn without_the_callback_nothing_is_believed(stores: &StoreSet) {
    let (app, mock) = start(stores, &[]).await;
    // Nobody out there reaches a loopback address.
    assert_eq!(ask_code(&app, &mock).await, None);
    let path = "/hooks/twilio/msg_00000000000000000000000001";
    let (url, form) = (format!("http://{}{path}", app.address), report("delivered", None));
    let signature = sign(TOKEN, &url, &form);
    post(&app, path, &form, &signature)
        .await
        .expect_problem(403, "signature_invalid");
    app.shut_down().await;
}
