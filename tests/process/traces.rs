//! Traces and logs as the operator has them.

use std::{collections::BTreeMap, net::TcpListener, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use crate::{
    client::registration,
    installation::Installation,
    otlp::{Collector, Seen},
    waiting::eventually,
};

const PATIENCE: Duration = Duration::from_secs(30);
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// The span of that name, once there is one that `fits`.
async fn find(collector: &Collector, name: &str, fits: impl Fn(&Seen) -> bool) -> Seen {
    eventually(name, PATIENCE, async || {
        let spans = collector.spans().await;
        spans.into_iter().find(|span| span.name == name && fits(span))
    })
    .await
}

/// Registers as a client that is traced does.
async fn create_traced(address: &str, email: &str) -> u16 {
    let request = reqwest::Client::new()
        .post(format!("http://{address}/User1/create?note=of-nobody"))
        .header("traceparent", format!("00-{TRACE}-{CALLER}-01"))
        .header("x-request-id", "asked-by-ada")
        .json(&registration(email));
    request.send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn a_registration_is_one_trace_from_the_client_to_its_mail() {
    let (installation, collector) = (Installation::new(), Collector::listening().await);
    let url = collector.url();
    let settings = [
        ("WORKER", "off"),
        ("LOG_FORMAT", "json"),
        ("LOG_LEVEL", "sealgate=debug,warn"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=tests"),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ];
    let server = installation.serve(&settings).await;
    let worker = installation.work(&settings).await;
    assert_eq!(create_traced(&server.address, "ada@example.com").await, 201);

    let served = find(&collector, "POST /User1/create", |_| true).await;
    assert_eq!((served.trace.as_str(), served.parent.as_str()), (TRACE, CALLER));
    assert_eq!(served.service, "sealgate");
    assert!(!served.has_failed);
    let said = [
        ("http.request.method", "POST"),
        ("http.response.status_code", "201"),
        ("http.route", "/User1/create"),
        ("url.scheme", "http"),
    ];
    let said = said.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(served.attributes, BTreeMap::from(said), "and nothing else");

    let delivered = find(&collector, "process messages", |_| true).await;
    assert_eq!((&delivered.trace, &delivered.parent), (&served.trace, &served.id));
    assert_eq!(delivered.service, "sealgate-worker");
    let sent = find(&collector, "send mail", |_| true).await;
    assert_eq!((&sent.trace, &sent.parent), (&served.trace, &delivered.id));

    // A route with a parameter, and one that is none, without what the client wrote into the path.
    server.client.get("/User1/sessions/of-ada").await;
    server.client.get("/of/ada@example.com").await.expect(404);
    find(&collector, "GET", |span| !span.attributes.contains_key("http.route")).await;
    let exported = format!("{:?}", collector.spans().await);
    assert!(!exported.contains("of-ada") && !exported.contains("ada@"), "{exported}");

    // Both logs name the trace; the server's the request too, the worker's the message.
    let message = &delivered.attributes["messaging.message.id"];
    for (process, id) in [(&server.process, "asked-by-ada"), (&worker.process, message.as_str())] {
        eventually("a line of its work", PATIENCE, async || {
            let logged = process.logged();
            let mut lines = logged
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.find(|line| {
                let spans = line["spans"].as_array().cloned().unwrap_or_default();
                spans.iter().any(|span| span["id"] == id && span["trace_id"] == TRACE)
            })
        })
        .await;
    }

    // What stands in the records is as good as before.
    let examined = installation.run(&["doctor", "--records"], &settings);
    assert!(examined.status.success(), "{examined:?}");
}

/// One is not there, one says nothing.
#[tokio::test]
async fn a_collector_that_is_away_or_silent_costs_nobody_anything() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (silent_at, away_at) = (silent.local_addr().expect("bound"), free.local_addr().expect("bound"));
    drop(free);
    for (address, is_told) in [(away_at, true), (silent_at, false)] {
        let installation = Installation::new();
        let url = format!("http://{address}");
        let settings = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
            ("OTEL_BSP_SCHEDULE_DELAY", "10"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "16"),
        ];
        let mut server = installation.serve(&settings).await;
        let began = Instant::now();
        for _ in 0..100 {
            server.client.get("/livez").await.expect(200);
        }
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        let told = |logged: &str| logged.matches("takes no spans").count();
        if is_told {
            let is_logged = async || (told(&server.process.logged()) > 0).then_some(());
            eventually("it is said", PATIENCE, is_logged).await;
        }
        server.process.terminate();
        let ended = server.process.wait(Duration::from_secs(15)).await;
        assert!(ended.success(), "{ended:?}");
        assert!(told(&server.process.logged()) <= 1, "{}", server.process.logged());
    }
}

#[tokio::test]
async fn the_last_spans_are_exported_at_the_end() {
    let (installation, collector) = (Installation::new(), Collector::listening().await);
    let url = collector.url();
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_SERVICE_NAME", "of-the-test"),
        ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
    ];
    let mut server = installation.serve(&settings).await;
    server.client.get("/livez").await.expect(200);
    assert!(collector.spans().await.is_empty(), "they wait");
    server.process.terminate();
    assert!(server.process.wait(Duration::from_secs(15)).await.success());
    let spans = collector.spans().await;
    let asked = spans.iter().find(|span| span.name == "GET /livez");
    assert_eq!(asked.expect("exported").service, "of-the-test");
}

#[tokio::test]
async fn what_is_not_sampled_or_disabled_is_not_exported() {
    for more in [("OTEL_TRACES_SAMPLER", "always_off"), ("OTEL_SDK_DISABLED", "true")] {
        let (installation, collector) = (Installation::new(), Collector::listening().await);
        let url = collector.url();
        let mut server = installation
            .serve(&[("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()), more])
            .await;
        assert_eq!(create_traced(&server.address, "ada@example.com").await, 201);
        server.process.terminate();
        assert!(server.process.wait(Duration::from_secs(15)).await.success());
        assert!(collector.posted().await.is_empty(), "{more:?}");
    }
}
