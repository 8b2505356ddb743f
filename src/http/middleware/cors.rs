//! Which browser apps may call the service: configured origins; in development any localhost port. No credentials: the
//! token goes into a header, not a cookie.
//!
//! poem's own middleware refuses a request from an origin that is not listed. A form on one of our own pages sends its
//! origin too; here an origin that is not listed only gets no headers, and the browser keeps the answer from the app.

use std::sync::Arc;

use poem::{
    Endpoint, IntoResponse, Middleware, Request, Response,
    http::{HeaderValue, Method, StatusCode, header},
};
use url::Url;

const METHODS: &str = "GET, POST, PUT, DELETE";
const HEADERS: &str =
    "Authorization, Content-Type, Idempotency-Key, X-Device-Token, X-Request-ID, Traceparent, Tracestate";
const EXPOSED: &str = "X-Request-ID, Retry-After, RateLimit, RateLimit-Policy, WWW-Authenticate, X-Device-Token";
const MAX_AGE: &str = "600";

/// The middleware.
#[derive(Clone, Debug)]
pub struct AllowOrigins {
    /// As configured.
    pub origins: Arc<[String]>,
    /// Whether any port of localhost may too.
    pub any_localhost: bool,
}

impl AllowOrigins {
    fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed == origin)
            || (self.any_localhost
                && Url::parse(origin).is_ok_and(|url| {
                    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
                        && url.origin().ascii_serialization() == origin
                }))
    }
}

impl<E: Endpoint> Middleware<E> for AllowOrigins {
    type Output = Allowing<E>;
    fn transform(&self, inner: E) -> Allowing<E> {
        Allowing {
            inner,
            allow: self.clone(),
        }
    }
}

/// The endpoint.
#[derive(Debug)]
pub struct Allowing<E> {
    inner: E,
    allow: AllowOrigins,
}

impl<E: Endpoint> Endpoint for Allowing<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let origin = request
            .header(header::ORIGIN)
            .filter(|origin| self.allow.allows(origin));
        let origin = origin.and_then(|origin| HeaderValue::from_str(origin).ok());
        let is_preflight =
            request.method() == Method::OPTIONS && request.headers().contains_key("access-control-request-method");
        let mut response = match &origin {
            Some(_) if is_preflight => Response::builder()
                .status(StatusCode::NO_CONTENT)
                .header("access-control-allow-methods", METHODS)
                .header("access-control-allow-headers", HEADERS)
                .header("access-control-max-age", MAX_AGE)
                .finish(),
            _ => match self.inner.call(request).await {
                Ok(response) => response.into_response(),
                Err(error) => error.into_response(),
            },
        };
        let headers = response.headers_mut();
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = origin {
            headers.insert("access-control-allow-origin", origin);
            headers.insert("access-control-expose-headers", HeaderValue::from_static(EXPOSED));
            headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
        }
        Ok(response)
    }
}
