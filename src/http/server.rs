//! The listener: hyper, with what poem's own server lacks: a time-out for headers, one for the first byte, a cap on
//! connections, and an end that lets what is in flight finish.

use std::{
    convert::Infallible,
    io,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
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
        // Answers are written whole, and parts of long ones must not wait for the client's acknowledgement.
        let _ = socket.set_nodelay(true);
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
                let answer = Finishing::new(async move {
                    endpoint
                        .get_response((request, local, remote, Scheme::HTTP).into())
                        .await
                });
                async move {
                    // Panics have been made answers further in.
                    let response = AssertUnwindSafe(answer).catch_unwind().await;
                    let response = response.unwrap_or_else(|_| internal().into_response());
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

/// Work that runs to its end once it has begun: what a client hangs up on is not cut off between two writes. Dropped
/// before its end, it goes on as a task of its own; until then it costs none.
struct Finishing<T: Send + 'static>(Option<BoxFuture<'static, T>>);

impl<T: Send + 'static> Finishing<T> {
    fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Some(work.boxed()))
    }
}

impl<T: Send + 'static> Future for Finishing<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Taken out while it runs: what has panicked is not run again.
        let Some(mut work) = self.0.take() else {
            return Poll::Pending;
        };
        let polled = work.as_mut().poll(context);
        if polled.is_pending() {
            self.0 = Some(work);
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Finishing<T> {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

/// Whether the first byte comes in time: hyper's own time-out begins with it.
async fn is_talking(socket: &TcpStream, patience: Duration) -> bool {
    matches!(timeout(patience, socket.peek(&mut [0])).await, Ok(Ok(1)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn what_has_begun_ends_though_nobody_waits_for_it() {
        let (may_end, has_ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let mut work = Finishing::new({
            let (may_end, has_ended) = (Arc::clone(&may_end), Arc::clone(&has_ended));
            async move {
                may_end.notified().await;
                has_ended.notify_one();
            }
        });
        assert!(futures_util::poll!(&mut work).is_pending());
        drop(work);
        may_end.notify_one();
        timeout(Duration::from_secs(5), has_ended.notified())
            .await
            .expect("it ends");
    }

    #[tokio::test]
    async fn what_has_ended_or_panicked_does_not_run_again() {
        assert_eq!(Finishing::new(async { 7 }).await, 7);
        let runs_on = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&runs_on);
        let mut work = Finishing::new(async move {
            assert!(!seen.swap(true, Ordering::Relaxed), "the first poll panics");
            panic!("on purpose");
        });
        assert!(AssertUnwindSafe(&mut work).catch_unwind().await.is_err());
        assert!(work.0.is_none(), "nothing is left that a drop would run");
        assert!(runs_on.load(Ordering::Relaxed));
    }
}
