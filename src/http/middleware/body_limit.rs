//! No body over 64 KiB, counted as it arrives, and none that takes too long.
//!
//! poem's own limit trusts Content-Length: it refuses requests without one and does not count chunked bodies.

use std::{io, time::Duration};

use poem::{Body, Endpoint, Middleware, Request, Result, http::header};
use tokio::io::AsyncReadExt as _;

use crate::http::{error_code::ErrorCode, problem::Problem};

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

/// A client that is still sending reads no answer: most of them would see the connection break instead. What is too
/// much is therefore read on and thrown away, up to here and no longer than any body may take.
const MOST_DISCARDED: u64 = 16 * 1024 * 1024;

fn too_large() -> Problem {
    // Where something is still under way, the connection can't be used again.
    Problem::new(ErrorCode::BodyTooLarge).with_header("connection", "close")
}

/// The whole body; `None` when it is too large.
async fn read(body: Body, is_expected: bool) -> io::Result<Option<Vec<u8>>> {
    let mut body = body.into_async_read();
    let mut bytes = Vec::new();
    if is_expected {
        let more_than_all = LARGEST as u64 + 1;
        (&mut body).take(more_than_all).read_to_end(&mut bytes).await?;
        if bytes.len() <= LARGEST {
            return Ok(Some(bytes));
        }
    }
    // Whether it ends well makes no difference any more.
    let _ = tokio::io::copy(&mut body.take(MOST_DISCARDED), &mut tokio::io::sink()).await;
    Ok(None)
}

impl<E: Endpoint> Endpoint for Limited<E> {
    type Output = E::Output;

    async fn call(&self, mut request: Request) -> Result<E::Output> {
        if request
            .headers()
            .get(header::CONTENT_LENGTH)
            .is_none_or(|length| length == "0")
            && !request.headers().contains_key(header::TRANSFER_ENCODING)
        {
            // No body (RFC 9112 section 6.3): there is nothing to wait for.
            return self.inner.call(request).await;
        }
        let announced = request
            .header(header::CONTENT_LENGTH)
            .and_then(|length| length.parse::<usize>().ok());
        let is_expected = announced.is_none_or(|length| length <= LARGEST);
        if !is_expected && request.headers().contains_key(header::EXPECT) {
            // It asked first, and is not sending.
            return Err(too_large().into());
        }
        let read = read(request.take_body(), is_expected);
        match tokio::time::timeout(self.patience, read).await {
            Ok(Ok(Some(bytes))) => {
                request.set_body(bytes);
                self.inner.call(request).await
            }
            Ok(Ok(None)) => Err(too_large().into()),
            Ok(Err(_)) => {
                let detail = "The body broke off before its end.";
                Err(Problem::new(ErrorCode::MalformedBody).with_detail(detail).into())
            }
            Err(_) if !is_expected => Err(too_large().into()),
            Err(_) => {
                let problem = Problem::new(ErrorCode::BodyTimeout);
                Err(problem.with_header("connection", "close").into())
            }
        }
    }
}
