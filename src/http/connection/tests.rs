//! What one connection of HTTP/2 may cost, asked by a client of the same library.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use h2::{Ping, client};
use poem::{Addr, EndpointExt as _, endpoint::make};
use tokio::{io::duplex, task::JoinHandle};

use super::*;

const LONG: Duration = Duration::from_mins(1);

/// An endpoint whose answers wait until they are let go.
#[derive(Clone)]
struct Held {
    begun: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

/// A client's end, and what becomes of its connection.
struct Client {
    requests: client::SendRequest<Bytes>,
    pings: h2::PingPong,
    ended: JoinHandle<Result<(), h2::Error>>,
}

impl Held {
    fn new() -> Self {
        Self {
            begun: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
        }
    }

    async fn serve(&self, patience: Duration, stop: &CancellationToken) -> Client {
        let held = self.clone();
        let endpoint = make(move |request: poem::Request| {
            let held = held.clone();
            async move {
                held.begun.fetch_add(1, Ordering::Relaxed);
                let _passed = held.gate.acquire().await;
                request.header("host").unwrap_or_default().to_owned()
            }
        });
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let peer = Peer {
            endpoint: Arc::new(endpoint.map_to_response()),
            local: LocalAddr(Addr::from(nowhere)),
            remote: RemoteAddr(Addr::from(nowhere)),
            scheme: Scheme::HTTPS,
        };
        let limits = Limits {
            header: patience,
            ..Limits::default()
        };
        let (near, far) = duplex(1024 * 1024);
        tokio::spawn(run(far, Protocol::Http2, peer, limits, stop.clone()));
        let (requests, mut connection) = client::handshake(near).await.expect("a handshake");
        let pings = connection.ping_pong().expect("once");
        Client {
            requests,
            pings,
            ended: tokio::spawn(connection),
        }
    }
}

impl Client {
    fn ask(&mut self) -> client::ResponseFuture {
        let request = Request::get("https://id.example.com/livez")
            .body(())
            .expect("a request");
        self.requests.send_request(request, true).expect("sent").0
    }

    /// Until the server has seen all that was sent.
    async fn settle(&mut self) {
        // A ping may overtake what was sent before it, but not what the one before it followed.
        for _ in 0..2 {
            self.pings.ping(Ping::opaque()).await.expect("a pong");
        }
    }
}

async fn text(answer: client::ResponseFuture) -> Bytes {
    let mut body = answer.await.expect("an answer").into_body();
    body.data().await.expect("a body").expect("whole")
}

#[tokio::test]
async fn what_is_reset_counts_until_its_work_has_ended() {
    let (held, stop) = (Held::new(), CancellationToken::new());
    let mut client = held.serve(LONG, &stop).await;
    for _ in 0..3 * STREAMS {
        let answer = client.ask();
        client.settle().await;
        drop(answer);
        client.settle().await;
    }
    assert_eq!(held.begun.load(Ordering::Relaxed), STREAMS as usize);
    held.gate.add_permits(1);
    assert_eq!(
        text(client.ask()).await,
        "id.example.com",
        "the host stands where HTTP/1.1 has it"
    );
    assert_eq!(held.begun.load(Ordering::Relaxed), STREAMS as usize + 1);
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let (held, stop) = (Held::new(), CancellationToken::new());
    let patience = Duration::from_millis(200);
    let mut busy = held.serve(patience, &stop).await;
    let answer = busy.ask();
    let idle = held.serve(patience, &stop).await;
    let ended = timeout(LONG, idle.ended).await.expect("in time").expect("no panic");
    assert!(ended.is_ok(), "told, not cut off: {ended:?}");
    held.gate.add_permits(1);
    assert_eq!(text(answer).await, "id.example.com", "who has a request is not idle");
    timeout(LONG, busy.ended)
        .await
        .expect("in time")
        .expect("no panic")
        .expect("told");
}

#[tokio::test]
async fn at_the_end_what_is_under_way_is_answered() {
    let (held, stop) = (Held::new(), CancellationToken::new());
    let mut client = held.serve(LONG, &stop).await;
    let answer = client.ask();
    client.settle().await;
    stop.cancel();
    client.settle().await;
    held.gate.add_permits(1);
    assert_eq!(text(answer).await, "id.example.com");
    timeout(LONG, client.ended)
        .await
        .expect("in time")
        .expect("no panic")
        .expect("told");
}
