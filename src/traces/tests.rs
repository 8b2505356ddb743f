use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;

#[derive(Clone, Debug, Default)]
struct Collected(Arc<Mutex<Vec<SpanData>>>);

impl Collected {
    fn spans(&self) -> Vec<SpanData> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl SpanExporter for Collected {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(batch);
        Ok(())
    }
}

/// The spans of `work`.
fn exported(work: impl FnOnce()) -> Vec<SpanData> {
    let collected = Collected::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(collected.clone());
    let guard = TraceGuard::of(provider.build());
    let subscriber = tracing_subscriber::registry().with(vec![layer(&guard)]);
    tracing::subscriber::with_default(subscriber, work);
    collected.spans()
}

fn caller(text: &str) -> Option<Caller> {
    Caller::of_headers([text.as_bytes()].into_iter(), std::iter::empty())
}

const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn a_request_goes_on_with_the_trace_of_its_caller() {
    let spans = exported(|| {
        let span = request("POST", caller(EXAMPLE));
        assert_eq!(trace_id(&span).as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
        answered(&span, "POST", Some("/User1/create"), 201);
    });
    let [span] = spans.as_slice() else {
        panic!("one span: {spans:?}");
    };
    assert_eq!(span.name, "POST /User1/create");
    assert_eq!(span.span_kind, SpanKind::Server);
    assert_eq!(span.status, Status::Unset);
    assert_eq!(span.parent_span_id.to_string(), "b7ad6b7169203331");
    let mut attributes: Vec<_> = span
        .attributes
        .iter()
        .map(|said| format!("{}={}", said.key, said.value))
        .collect();
    attributes.sort();
    assert_eq!(
        attributes,
        [
            "http.request.method=POST",
            "http.response.status_code=201",
            "http.route=/User1/create",
            "url.scheme=http",
        ],
        "and nothing else"
    );
}

#[test]
fn what_fails_says_so() {
    let spans = exported(|| {
        answered(&request("GET", None), "GET", None, 503);
        called(&call("POST", "twilio", Some("api.example.com")), None);
        called(&call("POST", "twilio", None), Some(429));
        failed(&sending("send mail"), "later");
        failed(&delivery("msg_1", None), "waits");
    });
    let said: Vec<_> = spans.iter().map(|span| (&*span.name, error_of(span))).collect();
    assert_eq!(
        said,
        [
            ("GET", "503".to_owned()),
            ("POST twilio", "no_answer".to_owned()),
            ("POST twilio", "429".to_owned()),
            ("send mail", "later".to_owned()),
            ("process messages", "waits".to_owned()),
        ]
    );
    assert!(
        spans.iter().all(|span| matches!(span.status, Status::Error { .. })),
        "{spans:?}"
    );
}

fn error_of(span: &SpanData) -> String {
    let said = span.attributes.iter().find(|said| said.key.as_str() == "error.type");
    said.expect("a kind of failure").value.to_string()
}

#[test]
fn work_that_is_handed_on_stays_in_its_trace() {
    let spans = exported(|| {
        assert_eq!(current(), None);
        let parent = request("POST", None).in_scope(current);
        delivery("msg_1", parent).in_scope(|| call("POST", "twilio", None).in_scope(|| assert!(current().is_some())));
    });
    let names: Vec<_> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["POST", "POST twilio", "process messages"]);
    let trace = spans[0].span_context.trace_id();
    assert!(
        spans.iter().all(|span| span.span_context.trace_id() == trace),
        "{spans:?}"
    );
    assert_eq!(spans[2].parent_span_id, spans[0].span_context.span_id());
    assert_eq!(spans[1].parent_span_id, spans[2].span_context.span_id());
}

#[test]
fn nothing_else_is_exported() {
    let spans = exported(|| {
        let span = request("POST", None);
        let work = tracing::info_span!(target: crate::logs::WORK, "request", path = "secret");
        work.in_scope(|| {
            span.in_scope(|| {
                tracing::info!(target: SPANS, "a secret");
                tracing::error!(error = "secret", "a secret");
                tracing::info_span!("of a library", secret = "secret").in_scope(|| tracing::warn!("secret"));
            });
        });
    });
    assert_eq!(spans.len(), 1);
    assert!(!format!("{spans:?}").contains("secret"), "{spans:?}");
}

#[test]
fn headers_that_are_not_sane_begin_a_trace_of_their_own() {
    let of = |parents: &[&str], states: &[&[u8]]| {
        let parents = parents.iter().map(|text| text.as_bytes());
        Caller::of_headers(parents, states.iter().copied())
    };
    assert!(of(&[], &[]).is_none());
    assert!(of(&[EXAMPLE, EXAMPLE], &[]).is_none(), "two of them");
    assert!(of(&["nonsense"], &[]).is_none());
    let state_of = |states: &[&[u8]]| of(&[EXAMPLE], states).expect("a caller").0.trace_state().header();
    assert_eq!(state_of(&[b"one=1", b"two=2"]), "one=1,two=2");
    let long = format!("one={}", "x".repeat(LONGEST_STATE));
    for wrong in [&[b"\xff=1".as_slice()], &[b"one".as_slice()], &[long.as_bytes()]] {
        assert_eq!(state_of(wrong), "", "{wrong:?}");
    }
}

#[test]
fn without_an_exporter_there_are_no_spans() {
    tracing::subscriber::with_default(
        tracing_subscriber::registry().with(Vec::<crate::logs::BoxedLayer>::new()),
        || {
            let span = request("POST", caller(EXAMPLE));
            assert_eq!(trace_id(&span), None);
            assert_eq!(span.in_scope(current), None);
        },
    );
}
