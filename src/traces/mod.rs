//! Spans for the operator's OpenTelemetry collector: what took how long, and what came of it. Of nobody in particular.
//!
//! A span is exported only when it is of the target [`SPANS`], and all of those are made here: with names of routes and
//! operations, statuses, ids of messages, and nothing that anybody sent. Lines of the log are not exported, nor is what
//! libraries would tell. Without an exporter none is made, at the cost of one look at a flag.
//!
//! To add one: a function here, whose arguments are `&'static str`, numbers and ids.

mod export;

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

pub use self::export::TraceGuard;
pub(crate) use self::export::{layer, start};
use crate::domain::trace_context::TraceParent;

/// The target of spans that are exported; of no other.
pub const SPANS: &str = "sealgate::spans";

/// The header that names the caller's span (W3C Trace Context).
pub const TRACEPARENT: &str = "traceparent";
/// The header with what tracing systems on the way remember.
pub const TRACESTATE: &str = "tracestate";

/// What the recommendation asks to be passed on at least.
const LONGEST_STATE: usize = 512;

/// The span that a caller names.
#[derive(Clone, Debug)]
pub struct Caller(SpanContext);

impl Caller {
    /// By a `traceparent` that was read.
    #[must_use]
    pub fn of(parent: TraceParent) -> Self {
        Self::with(parent, TraceState::NONE)
    }

    /// By headers: exactly one `traceparent`, and a `tracestate` that is sane; otherwise without.
    #[must_use]
    pub fn of_headers<'h>(
        mut parents: impl Iterator<Item = &'h [u8]>,
        states: impl Iterator<Item = &'h [u8]>,
    ) -> Option<Self> {
        let parent = TraceParent::of_header(parents.next()?)?;
        let is_single = parents.next().is_none();
        is_single.then(|| Self::with(parent, state(states).unwrap_or_default()))
    }

    fn with(parent: TraceParent, state: TraceState) -> Self {
        let flags = if parent.is_sampled() {
            TraceFlags::SAMPLED
        } else {
            TraceFlags::default()
        };
        let trace = TraceId::from_bytes(parent.trace().to_be_bytes());
        let span = SpanId::from_bytes(parent.span().to_be_bytes());
        Self(SpanContext::new(trace, span, flags, true, state))
    }
}

/// Lines of one header, of printable characters, not longer than has to be passed on.
fn state<'h>(lines: impl Iterator<Item = &'h [u8]>) -> Option<TraceState> {
    let mut whole = String::new();
    for line in lines {
        let is_sane = |byte: &u8| (b' '..=b'~').contains(byte);
        if whole.len() + line.len() >= LONGEST_STATE || !line.iter().all(is_sane) {
            return None;
        }
        if !whole.is_empty() {
            whole.push(',');
        }
        whole += std::str::from_utf8(line).ok()?;
    }
    whole.parse().ok()
}

/// Of a request that is served, from its first byte to its answer. The rest is said by [`answered`].
#[must_use]
pub fn request(method: &'static str, caller: Option<Caller>) -> Span {
    let span = tracing::info_span!(
        target: SPANS,
        "request",
        otel.name = method,
        otel.kind = "server",
        otel.status_code = Empty,
        "http.request.method" = method,
        "http.route" = Empty,
        "http.response.status_code" = Empty,
        "error.type" = Empty,
        "url.scheme" = "http",
    );
    continued(span, caller)
}

/// What came of a request. `route` is the template of its path, where one fits.
pub fn answered(span: &Span, method: &'static str, route: Option<&str>, status: u16) {
    if span.is_disabled() {
        return;
    }
    if let Some(route) = route {
        span.record("http.route", route);
        // A field of that meaning is only heard before the span has begun.
        span.context().span().update_name(format!("{method} {route}"));
    }
    span.record("http.response.status_code", i64::from(status));
    if status >= 500 {
        span.record("error.type", status.to_string());
        span.record("otel.status_code", "ERROR");
    }
}

/// Of a message that a worker delivers.
#[must_use]
pub fn delivery(message_id: &str, caller: Option<TraceParent>) -> Span {
    let span = tracing::info_span!(
        target: SPANS,
        "delivery",
        otel.name = "process messages",
        otel.kind = "consumer",
        otel.status_code = Empty,
        "messaging.system" = "sealgate",
        "messaging.operation.name" = "process",
        "messaging.operation.type" = "process",
        "messaging.destination.name" = "messages",
        "messaging.message.id" = message_id,
        "error.type" = Empty,
    );
    continued(span, caller.map(Caller::of))
}

/// Of a mail or text that is given to its provider: `send mail`, `send text`.
#[must_use]
pub fn sending(what: &'static str) -> Span {
    tracing::info_span!(
        target: SPANS,
        "sending",
        otel.name = what,
        otel.kind = "client",
        otel.status_code = Empty,
        "error.type" = Empty,
    )
}

/// Of a request to another service, which is called `peer` here. What is said of where it goes is its host.
#[must_use]
pub fn call(method: &'static str, peer: &'static str, host: Option<&str>) -> Span {
    tracing::info_span!(
        target: SPANS,
        "call",
        otel.name = format!("{method} {peer}"),
        otel.kind = "client",
        otel.status_code = Empty,
        "http.request.method" = method,
        "http.response.status_code" = Empty,
        "error.type" = Empty,
        "peer.service" = peer,
        "server.address" = host,
    )
}

/// What came of a call: the status of the answer, or that none came.
pub fn called(span: &Span, status: Option<u16>) {
    if let Some(status) = status {
        span.record("http.response.status_code", i64::from(status));
    }
    match status {
        Some(status) if status < 400 => {}
        Some(status) => failed(span, &status.to_string()),
        None => failed(span, "no_answer"),
    }
}

/// That the work of a span failed, by a word of ours.
pub fn failed(span: &Span, kind: &str) {
    span.record("error.type", kind);
    span.record("otel.status_code", "ERROR");
}

/// The span that is being worked in, for whoever goes on with its work; nothing where there is none.
#[must_use]
pub fn current() -> Option<TraceParent> {
    let context = Context::current();
    let span = context.span();
    named(span.span_context())
}

/// The trace that a span is part of, as lines of the log name it.
#[must_use]
pub fn trace_id(span: &Span) -> Option<String> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let span = context.span();
    let context = span.span_context();
    context.is_valid().then(|| context.trace_id().to_string())
}

fn named(context: &SpanContext) -> Option<TraceParent> {
    let trace = u128::from_be_bytes(context.trace_id().to_bytes());
    let span = u64::from_be_bytes(context.span_id().to_bytes());
    TraceParent::new(trace, span, context.is_sampled())
}

fn continued(span: Span, caller: Option<Caller>) -> Span {
    if let Some(Caller(caller)) = caller.filter(|_| !span.is_disabled()) {
        // Fails where nobody exports: then there is nothing to go on with.
        let _ = span.set_parent(Context::new().with_remote_span_context(caller));
    }
    span
}

#[cfg(test)]
mod tests;
