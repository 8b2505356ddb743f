//! Headers that every answer carries (OWASP secure headers).

use poem::{Endpoint, IntoResponse, Middleware, Request, Response, http::HeaderValue, http::header};

/// The middleware.
#[derive(Clone, Debug)]
pub struct SecurityHeaders {
    /// Of pages; every other answer has the strictest.
    pub page_policy: String,
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

const STRICTEST: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

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
        let policy = if is_page {
            self.headers.page_policy.as_str()
        } else {
            STRICTEST
        };
        let mut fallbacks = vec![
            (header::CONTENT_SECURITY_POLICY, policy),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            // Links carry tokens in their query.
            (header::REFERRER_POLICY, "no-referrer"),
            (header::CACHE_CONTROL, "no-store"),
            (
                header::HeaderName::from_static("cross-origin-resource-policy"),
                "same-origin",
            ),
        ];
        if self.headers.is_https {
            fallbacks.push((header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains"));
        }
        for (name, value) in fallbacks {
            if let (false, Ok(value)) = (response.headers().contains_key(&name), HeaderValue::from_str(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        Ok(response)
    }
}
