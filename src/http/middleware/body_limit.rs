//! No body over 64 KiB, counted as it arrives, and none that takes longer than ten seconds.
//!
//! poem's own limit trusts Content-Length: it refuses requests without one and does not count chunked bodies.

use std::time::Duration;

use poem::{
    Endpoint, Middleware, Request, Result,
    error::ReadBodyError,
    http::{StatusCode, header},
};

use crate::http::problem::Problem;

/// The most a body may have, in bytes.
pub const LARGEST: usize = 64 * 1024;

/// The middleware.
#[derive(Clone, Copy, Debug)]
pub struct LimitBodies {
    /// How long a body may take to arrive.
    pub patience: Duration,
}

impl<E: Endpoint> Middleware<E> for LimitBodies {
    type Output = Limited<E>;
    fn transform(&self, inner: E) -> Limited<E> {
        Limited {
            inner,
            patience: self.patience,
        }
    }
}

/// The endpoint.
#[derive(Debug)]
pub struct Limited<E> {
    inner: E,
    patience: Duration,
}

fn too_large() -> Problem {
    let detail = format!("The body may have {LARGEST} bytes at most.");
    // What is still under way is not read: the connection can't be used again.
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail).with_header("connection", "close")
}

impl<E: Endpoint> Endpoint for Limited<E> {
    type Output = E::Output;

    async fn call(&self, mut request: Request) -> Result<E::Output> {
        let announced = request
            .header(header::CONTENT_LENGTH)
            .and_then(|length| length.parse::<usize>().ok());
        if announced.is_some_and(|length| length > LARGEST) {
            return Err(too_large().into());
        }
        let read = request.take_body().into_bytes_limit(LARGEST);
        match tokio::time::timeout(self.patience, read).await {
            Ok(Ok(bytes)) => {
                request.set_body(bytes);
                self.inner.call(request).await
            }
            Ok(Err(ReadBodyError::PayloadTooLarge)) => Err(too_large().into()),
            Ok(Err(_)) => {
                let detail = "The body broke off before its end.";
                Err(Problem::new(StatusCode::BAD_REQUEST, "malformed_body", detail).into())
            }
            Err(_) => {
                let detail = "The body did not arrive in time. Send it again.";
                let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail);
                Err(problem.with_header("connection", "close").into())
            }
        }
    }
}
