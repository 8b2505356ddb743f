//! One connection: HTTP/1.1, or HTTP/2 where TLS agreed on it, with the same patience for either.
//!
//! HTTP/2 lets one connection ask for much at little cost; what bounds it:
//!
//! - requests that were begun and reset still count among the [`STREAMS`] of their connection until their work has ended,
//!   and who resets many before they are even begun is cut off (Rapid Reset, CVE-2023-44487; CVE-2023-26964);
//! - resets that a client provokes from this side are counted too (`MadeYouReset`, CVE-2025-8671);
//! - the size of a header list and, with it, the number of CONTINUATION frames are bounded (VU#421644), and for a client that
//!   does not read at most [`WAITING`] bytes a stream are buffered beside the answer itself (CVE-2019-9511, CVE-2019-9517);
//! - a connection without a request is closed as one of HTTP/1.1 is, whatever pings it sends, and who does not answer
//!   a ping is gone.

use std::{
    convert::Infallible,
    io,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::combinators::BoxBody;
use hyper::{
    Request,
    body::{Body, Frame, Incoming, SizeHint},
    header,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use poem::{
    Endpoint, IntoResponse as _, Response,
    http::uri::Scheme,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::http::{
    refusals::internal,
    server::{Finishing, Limits},
};

/// Bytes of a request's headers at most.
const LARGEST_HEADERS: u32 = 32 * 1024;
/// Requests at a time on one connection of HTTP/2.
const STREAMS: u32 = 100;
/// Of streams that the client reset before they were begun, those that may wait to be forgotten.
const RESETS: usize = 20;
/// Streams that were reset from this side because of what the client sent.
const OWN_RESETS: usize = 100;
/// Bytes of one answer, and of one body that arrives, that may wait.
const WAITING: u32 = 64 * 1024;
/// Bytes of all bodies of a connection that may arrive and wait.
const WAITING_OF_ALL: u32 = 1024 * 1024;
/// How long a connection that is being ended may bring what its client has sent before it heard.
pub(in crate::http) const GRACE: Duration = Duration::from_secs(1);

/// What both ends agreed to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Protocol {
    Http1,
    Http2,
}

/// Who is at the other end, and what answers.
pub(in crate::http) struct Peer<E> {
    pub(in crate::http) endpoint: Arc<E>,
    pub(in crate::http) local: LocalAddr,
    pub(in crate::http) remote: RemoteAddr,
    pub(in crate::http) scheme: Scheme,
}

impl<E> Clone for Peer<E> {
    fn clone(&self) -> Self {
        Self {
            endpoint: Arc::clone(&self.endpoint),
            local: self.local.clone(),
            remote: self.remote.clone(),
            scheme: self.scheme.clone(),
        }
    }
}

/// Serves one connection to its end, or until `stop`: what is in flight then is finished.
pub(in crate::http) async fn run<I, E>(
    io: I,
    protocol: Protocol,
    peer: Peer<E>,
    limits: Limits,
    stop: CancellationToken,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    E: Endpoint<Output = Response> + 'static,
{
    let (under_way, mut seen) = watch::channel(0);
    let under_way = Arc::new(under_way);
    let slots = Arc::new(Semaphore::new(STREAMS as usize));
    let service = service_fn(move |request| {
        let (peer, slots) = (peer.clone(), Arc::clone(&slots));
        let busy = Busy::begin(&under_way);
        async move {
            let answer = answer(request, peer, slots).await;
            let mut answer: hyper::Response<BoxBody<Bytes, io::Error>> = answer.into();
            // A field of HTTP/1.1: a connection of HTTP/2 carries others' requests too.
            if protocol == Protocol::Http2 {
                answer.headers_mut().remove(header::CONNECTION);
            }
            Ok::<_, Infallible>(answer.map(|body| Answered { body, _busy: busy }))
        }
    });
    let builder = builder(protocol, limits.header);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service));
    let mut is_ending = false;
    let ended = loop {
        let patience = if is_ending { GRACE } else { limits.header };
        tokio::select! {
            ended = connection.as_mut() => break ended,
            // HTTP/1.1 minds its own silence, and ends by itself once it is told to.
            () = silence(&mut seen, patience), if protocol == Protocol::Http2 => {
                if is_ending {
                    break Ok(());
                }
            }
            () = stop.cancelled(), if !is_ending => {}
        }
        connection.as_mut().graceful_shutdown();
        is_ending = true;
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn builder(protocol: Protocol, patience: Duration) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(LARGEST_HEADERS as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(LARGEST_HEADERS)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(OWN_RESETS)
        .initial_stream_window_size(WAITING)
        .initial_connection_window_size(WAITING_OF_ALL)
        .max_send_buf_size(WAITING as usize)
        .keep_alive_interval(patience)
        .keep_alive_timeout(patience);
    // What was agreed on, and nothing that the first bytes would have it be.
    match protocol {
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    }
}

async fn answer<E>(request: Request<Incoming>, peer: Peer<E>, slots: Arc<Semaphore>) -> Response
where
    E: Endpoint<Output = Response> + 'static,
{
    // Before anything is begun: a request that is reset while it waits costs nothing more.
    let slot = slots.acquire_owned().await;
    let request = as_http1(request);
    let work = Finishing::new(async move {
        let _slot = slot;
        let Peer {
            endpoint,
            local,
            remote,
            scheme,
        } = peer;
        endpoint.get_response((request, local, remote, scheme).into()).await
    });
    // Panics have been made answers further in.
    let response = AssertUnwindSafe(work).catch_unwind().await;
    response.unwrap_or_else(|_| internal().into_response())
}

/// HTTP/2 names the host in the request's target and knows no field for it; whatever reads requests here expects them as
/// HTTP/1.1 has them (RFC 9113, section 8.3.1).
fn as_http1(mut request: Request<Incoming>) -> Request<Incoming> {
    let uri = request.uri().clone();
    let (Some(authority), Some(path)) = (uri.authority(), uri.path_and_query()) else {
        return request;
    };
    if request.version() != hyper::Version::HTTP_2 {
        return request;
    }
    if !request.headers().contains_key(header::HOST)
        && let Ok(host) = authority.as_str().parse()
    {
        request.headers_mut().insert(header::HOST, host);
    }
    *request.uri_mut() = path.clone().into();
    request
}

/// A request whose answer has not left whole.
struct Busy(Arc<watch::Sender<usize>>);

impl Busy {
    fn begin(count: &Arc<watch::Sender<usize>>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(Arc::clone(count))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// An answer's body, which is under way until it is gone.
struct Answered {
    body: BoxBody<Bytes, io::Error>,
    _busy: Busy,
}

impl Body for Answered {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Ends once nothing has been under way for as long as `patience`.
async fn silence(under_way: &mut watch::Receiver<usize>, patience: Duration) {
    loop {
        // The sender lives in the connection's service; without it nothing can begin any more.
        if under_way.wait_for(|count| *count == 0).await.is_err() {
            return;
        }
        match timeout(patience, under_way.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests;
