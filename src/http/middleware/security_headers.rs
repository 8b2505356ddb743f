//! Headers that every answer carries (OWASP secure headers).

use poem::{
    Endpoint, IntoResponse, Middleware, Request, Response,
    http::{HeaderName, HeaderValue, header},
};

/// The middleware.
#[derive(Clone, Debug)]
pub struct SecurityHeaders {
    /// Of pages; every other answer has the strictest.
    pub page_policy: HeaderValue,
    /// Whether browsers should come back by https only.
    pub is_https: bool,
}

impl<E: Endpoint> Middleware<E> for SecurityHeaders {
    type Output = Secured<E>;
    fn transform(&self, inner: E) -> Secured<E> {
        Secured {
            inner,
            headers: self.clone(),
        }
    }
}

/// The endpoint.
#[derive(Debug)]
pub struct Secured<E> {
    inner: E,
    headers: SecurityHeaders,
}

const STRICTEST: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");

/// What an answer gets unless it has its own.
const FALLBACKS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // Links carry tokens in their query.
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");

impl<E: Endpoint> Endpoint for Secured<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let mut response = match self.inner.call(request).await {
            Ok(response) => response.into_response(),
            Err(error) => error.into_response(),
        };
        let is_page = response
            .content_type()
            .is_some_and(|text| text.starts_with("text/html"));
        let headers = response.headers_mut();
        headers.reserve(FALLBACKS.len() + 6);
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert_with(|| {
            if is_page {
                self.headers.page_policy.clone()
            } else {
                STRICTEST
            }
        });
        for (name, value) in FALLBACKS {
            headers.entry(name).or_insert(value);
        }
        if self.headers.is_https {
            headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(HTTPS_ONLY);
        }
        Ok(response)
    }
}
