//! Names every request, logs it without its query, and lets everything within know its name: every line of the log that is
//! written for it says it, and the trace, where there is one. Its span says less: the template of the path and not the path.

use std::sync::Arc;

use poem::{
    Endpoint, IntoResponse, Middleware, PathPattern, Request, Response,
    http::{HeaderMap, Method},
};
use tokio::time::Instant;
use tracing::{Instrument as _, field::Empty};

use crate::{
    domain::{ids::RequestId, network::Network},
    http::{client_address::TrustedProxies, problem::INSTANCE},
    logs::WORK,
    service::{
        Core,
        audit::{NETWORK, REQUEST_ID},
    },
    traces::{self, Caller, TRACEPARENT, TRACESTATE},
};

/// The request came as HEAD; poem calls GET's endpoint for it.
#[derive(Clone, Copy, Debug)]
pub struct WasHead;

/// The middleware.
#[derive(Clone, Debug)]
pub struct NameRequests {
    /// The service.
    pub core: Arc<Core>,
    /// Who may say where a request comes from.
    pub proxies: TrustedProxies,
}

impl<E: Endpoint> Middleware<E> for NameRequests {
    type Output = Named<E>;
    fn transform(&self, inner: E) -> Named<E> {
        Named {
            inner,
            core: Arc::clone(&self.core),
            proxies: self.proxies.clone(),
        }
    }
}

/// The endpoint.
#[derive(Debug)]
pub struct Named<E> {
    inner: E,
    core: Arc<Core>,
    proxies: TrustedProxies,
}

/// A client's own id is taken when it can do no harm in a log line or a header.
fn is_sane(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

impl<E: Endpoint> Endpoint for Named<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let given = request
            .header("x-request-id")
            .filter(|id| is_sane(id))
            .map(str::to_owned);
        let id = given.unwrap_or_else(|| RequestId::make(self.core.clock.now(), &*self.core.entropy).to_string());
        let network = self.proxies.client(&request).map(Network::of);
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        if method == Method::HEAD {
            request.extensions_mut().insert(WasHead);
        }
        let known = known(&method);
        // Anybody may name a trace; only who stands before the service for others says what else they remember.
        let believed = self.proxies.is_proxy(&request);
        let span = traces::request(known, caller(request.headers(), believed));
        let work = tracing::info_span!(
            target: WORK,
            "request",
            id = %id,
            %method,
            path = %path.chars().take(128).collect::<String>(),
            trace_id = Empty,
        );
        if let Some(trace_id) = traces::trace_id(&span) {
            work.record("trace_id", trace_id);
        }
        let answered = span.clone();
        let began = Instant::now();
        let inner = async {
            let mut response = match self.inner.call(request).await {
                Ok(response) => response.into_response(),
                Err(error) => error.into_response(),
            };
            if let Ok(value) = id.parse() {
                response.headers_mut().insert("x-request-id", value);
            }
            let route = response.data::<PathPattern>().map(|pattern| template(&pattern.0));
            traces::answered(&answered, known, route.as_deref(), response.status().as_u16());
            tracing::info!(
                status = response.status().as_u16(),
                ms = began.elapsed().as_millis(),
                "answered"
            );
            Ok(response)
        };
        REQUEST_ID
            .scope(id.clone(), NETWORK.scope(network, INSTANCE.scope(path, inner)))
            .instrument(span)
            .instrument(work)
            .await
    }
}

/// As a span says it: what a client made up is no name of anything.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

fn caller(headers: &HeaderMap, is_believed: bool) -> Option<Caller> {
    let lines = |name: &str| headers.get_all(name).iter().map(poem::http::HeaderValue::as_bytes);
    let states = lines(TRACESTATE).filter(|_| is_believed);
    Caller::of_headers(lines(TRACEPARENT), states)
}

/// As the document writes it: `/User1/sessions/{id}`.
fn template(pattern: &str) -> String {
    let segment = |segment: &str| match segment.strip_prefix(':') {
        Some(name) => format!("{{{name}}}"),
        None => segment.to_owned(),
    };
    pattern.split('/').map(segment).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_written_as_in_the_document() {
        for (pattern, route) in [
            ("/User1/create", "/User1/create"),
            ("/User1/sessions/:id", "/User1/sessions/{id}"),
            ("/User1/", "/User1/"),
        ] {
            assert_eq!(template(pattern), route);
        }
    }
}
