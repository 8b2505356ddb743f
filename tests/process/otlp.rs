//! A collector of the tests: it takes what is posted to `/v1/traces` and reads it as the protocol says.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{Span, status::StatusCode},
};
use prost::Message as _;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{header, method, path},
};

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Collector(MockServer);

/// A span that it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Of the process that sent it.
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) has_failed: bool,
    pub(crate) attributes: BTreeMap<String, String>,
}

impl Collector {
    pub(crate) async fn listening() -> Self {
        let server = MockServer::start().await;
        let takes = Mock::given(method("POST"))
            .and(path("/v1/traces"))
            .and(header("content-type", "application/x-protobuf"))
            .respond_with(ResponseTemplate::new(200));
        takes.mount(&server).await;
        Self(server)
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        self.0.uri()
    }

    /// What was posted, byte for byte, headers too.
    pub(crate) async fn posted(&self) -> Vec<Vec<u8>> {
        let requests = self.0.received_requests().await.expect("recorded");
        let whole = |request: wiremock::Request| {
            let mut whole = format!("{} {:?}\n", request.url, request.headers).into_bytes();
            whole.extend(&request.body);
            whole
        };
        requests.into_iter().map(whole).collect()
    }

    /// Every span so far.
    pub(crate) async fn spans(&self) -> Vec<Seen> {
        let requests = self.0.received_requests().await.expect("recorded");
        requests.iter().flat_map(|request| read(&request.body)).collect()
    }
}

fn read(body: &[u8]) -> Vec<Seen> {
    let exported = ExportTraceServiceRequest::decode(body).expect("OTLP");
    let mut all = Vec::new();
    for of_process in exported.resource_spans {
        let resource = of_process.resource.expect("a resource");
        let service = attributes(resource.attributes)["service.name"].clone();
        let spans = of_process.scope_spans.into_iter().flat_map(|scope| scope.spans);
        all.extend(spans.map(|span| seen(&service, span)));
    }
    all
}

fn seen(service: &str, span: Span) -> Seen {
    let has_failed = span
        .status
        .as_ref()
        .is_some_and(|status| status.code() == StatusCode::Error);
    assert!(span.events.is_empty() && span.links.is_empty(), "{span:?}");
    Seen {
        service: service.to_owned(),
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        has_failed,
        attributes: attributes(span.attributes),
        name: span.name,
    }
}

fn attributes(all: Vec<KeyValue>) -> BTreeMap<String, String> {
    all.into_iter().map(|pair| (pair.key, shown(pair.value))).collect()
}

fn shown(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("neither text nor number: {other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
