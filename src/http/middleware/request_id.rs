//! Names every request, logs it without its query, and lets everything within know its name.

use std::sync::Arc;

use poem::{Endpoint, IntoResponse, Middleware, Request, Response, http::Method};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::{
    domain::{ids::RequestId, network::Network},
    http::{client_address::TrustedProxies, problem::INSTANCE},
    service::{
        Core,
        audit::{NETWORK, REQUEST_ID},
    },
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
        let span =
            tracing::info_span!("request", id = %id, %method, path = %path.chars().take(128).collect::<String>());
        let began = Instant::now();
        let inner = async {
            let mut response = match self.inner.call(request).await {
                Ok(response) => response.into_response(),
                Err(error) => error.into_response(),
            };
            if let Ok(value) = id.parse() {
                response.headers_mut().insert("x-request-id", value);
            }
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
            .await
    }
}
