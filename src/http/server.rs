//! The listener: hyper, with what poem's own server lacks: a time-out for headers, one for the first byte, a cap on
//! connections, and an end that lets what is in flight finish.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use poem::{
    Addr, Endpoint, IntoResponse as _, Response,
    http::uri::Scheme,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::http::refusals::internal;

/// Limits of the listener.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long the first byte, the headers, and the next request on a kept connection may take.
    pub header: Duration,
    /// How long a body may take to arrive.
    pub body: Duration,
    /// How long requests in flight may take once the server stops.
    pub shutdown: Duration,
    /// Connections at a time; more wait to be accepted.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(5),
            body: Duration::from_secs(10),
            shutdown: Duration::from_secs(10),
            connections: 10_000,
        }
    }
}

/// Bytes of a request's headers at most.
const LARGEST_HEADERS: usize = 32 * 1024;

/// Serves until `stop`, then finishes what is in flight.
pub async fn serve(
    listener: TcpListener,
    endpoint: impl Endpoint<Output = Response> + 'static,
    limits: Limits,
    stop: CancellationToken,
) -> io::Result<()> {
    let endpoint = Arc::new(endpoint);
    let local = LocalAddr(Addr::from(listener.local_addr()?));
    let slots = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    loop {
        // The end is heard also while every slot is taken.
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (Ok(slot), accepted) = (tokio::select! {
            next = next => next,
            () = stop.cancelled() => break,
        }) else {
            break;
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: a moment for others to close theirs.
                tracing::warn!(%error, "a connection was not accepted");
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (endpoint, local, remote) = (Arc::clone(&endpoint), local.clone(), RemoteAddr(Addr::from(peer)));
        let (watcher, stop) = (graceful.watcher(), stop.clone());
        tokio::spawn(async move {
            let _slot = slot;
            // Who has said nothing yet is not waited for: browsers open connections that they may never use.
            let is_talking = tokio::select! {
                biased;
                is_talking = is_talking(&socket, limits.header) => is_talking,
                () = stop.cancelled() => false,
            };
            if !is_talking {
                return;
            }
            let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let (endpoint, local, remote) = (Arc::clone(&endpoint), local.clone(), remote.clone());
                // A task of its own: what a client has begun and hung up on is not cut off between two writes.
                let answer = tokio::spawn(async move {
                    endpoint
                        .get_response((request, local, remote, Scheme::HTTP).into())
                        .await
                });
                async move {
                    // Panics have been made answers further in.
                    let response = answer.await.unwrap_or_else(|_| internal().into_response());
                    Ok::<hyper::Response<http_body_util::combinators::BoxBody<bytes::Bytes, io::Error>>, Infallible>(
                        response.into(),
                    )
                }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.header)
                .max_buf_size(LARGEST_HEADERS)
                .serve_connection(TokioIo::new(socket), service);
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if timeout(limits.shutdown, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
    Ok(())
}

/// Whether the first byte comes in time: hyper's own time-out begins with it.
async fn is_talking(socket: &TcpStream, patience: Duration) -> bool {
    matches!(timeout(patience, socket.peek(&mut [0])).await, Ok(Ok(1)))
}
