//! The listener: hyper, with what poem's own server lacks: a time-out for headers, one for the first byte, a cap on
//! connections, and an end that lets what is in flight finish.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use poem::{
    Addr, Endpoint, Response,
    http::uri::Scheme,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::http::{
    connection::{self, GRACE, Peer, Protocol},
    tls::{self, Tls},
};

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

/// Serves until `stop`, then finishes what is in flight; over TLS where there is a certificate.
pub async fn serve(
    listener: TcpListener,
    endpoint: impl Endpoint<Output = Response> + 'static,
    limits: Limits,
    tls: Option<Tls>,
    stop: CancellationToken,
) -> io::Result<()> {
    let endpoint = Arc::new(endpoint);
    let local = LocalAddr(Addr::from(listener.local_addr()?));
    let slots = Arc::new(Semaphore::new(limits.connections));
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
        let (socket, remote) = match accepted {
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
        let peer = Peer {
            endpoint: Arc::clone(&endpoint),
            local: local.clone(),
            remote: RemoteAddr(Addr::from(remote)),
            scheme: if tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP },
        };
        let (tls, stop) = (tls.clone(), stop.clone());
        tokio::spawn(async move {
            let _slot = slot;
            // Who has said nothing yet is not waited for: browsers open connections that they may never use.
            let first = tokio::select! {
                biased;
                first = first_byte(&socket, limits.header) => first,
                () = stop.cancelled() => None,
            };
            match (first, tls) {
                (None, _) => {}
                (Some(_), None) => connection::run(socket, Protocol::Http1, peer, limits, stop).await,
                (Some(first), Some(tls)) => over_tls(first, socket, &tls, peer, limits, stop).await,
            }
        });
    }
    drop(listener);
    // Every connection that is served holds one of them.
    let all = slots.acquire_many(u32::try_from(limits.connections).unwrap_or(u32::MAX));
    if timeout(limits.shutdown, all).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
    Ok(())
}

/// Comes to terms with a client that has begun to speak, and serves it.
async fn over_tls<E: Endpoint<Output = Response> + 'static>(
    first: u8,
    socket: TcpStream,
    tls: &Tls,
    peer: Peer<E>,
    limits: Limits,
    stop: CancellationToken,
) {
    if first != tls::HANDSHAKE && first.is_ascii_uppercase() {
        let _ = timeout(limits.header, tls::refuse_plain(socket)).await;
        return;
    }
    // Whoever has come as far as this means to ask something, and may have asked it by the time that the end is heard.
    let end = async {
        stop.cancelled().await;
        sleep(GRACE).await;
    };
    let mut end = std::pin::pin!(end);
    let agreed = tokio::select! {
        agreed = timeout(limits.header, tls.accept(socket)) => agreed,
        () = &mut end => return,
    };
    let stream = match agreed {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a client and this server did not come to terms");
            return;
        }
        Err(_) => {
            tracing::debug!("a handshake took too long");
            return;
        }
    };
    let protocol = if tls::is_http2(&stream) {
        Protocol::Http2
    } else {
        Protocol::Http1
    };
    let mut stream = BufReader::new(stream);
    let is_talking = tokio::select! {
        begun = timeout(limits.header, stream.fill_buf()) => matches!(begun, Ok(Ok(bytes)) if !bytes.is_empty()),
        () = &mut end => false,
    };
    if is_talking {
        connection::run(stream, protocol, peer, limits, stop.clone()).await;
    } else {
        let _ = timeout(GRACE, stream.shutdown()).await;
    }
}

/// Work that runs to its end once it has begun: what a client hangs up on is not cut off between two writes. Dropped
/// before its end, it goes on as a task of its own; until then it costs none.
pub(in crate::http) struct Finishing<T: Send + 'static>(Option<BoxFuture<'static, T>>);

impl<T: Send + 'static> Finishing<T> {
    pub(in crate::http) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
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

/// The first byte, if it comes in time: hyper's own time-out begins with it.
async fn first_byte(socket: &TcpStream, patience: Duration) -> Option<u8> {
    let mut first = [0];
    match timeout(patience, socket.peek(&mut first)).await {
        Ok(Ok(1)) => Some(first[0]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::AssertUnwindSafe,
        sync::atomic::{AtomicBool, Ordering},
    };

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
