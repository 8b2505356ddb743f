//! A proxy that does to TCP connections what networks do: slows, cuts, loses answers, and shuffles what a subscriber of
//! Redis is told.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// What happens to what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Every answer comes that much later.
    Slow(Duration),
    /// Questions arrive; their answers are lost, and with them the connection.
    LoseAnswers,
    /// Connections are cut, and refused.
    Gone,
    /// What subscribers of Redis are told is delayed, doubled, dropped, put in another order, or cut off.
    ShuffleFeed,
}

/// The proxy. It ends with this.
pub(crate) struct FaultProxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    accepting: JoinHandle<()>,
}

impl FaultProxy {
    /// Before the server at `target`.
    pub(crate) async fn before(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (fault, seen) = watch::channel(Fault::None);
        let accepting = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else {
                    continue;
                };
                if *seen.borrow() == Fault::Gone {
                    continue;
                }
                if let Ok(server) = TcpStream::connect(target).await {
                    tokio::spawn(connection(client, server, seen.clone()));
                }
            }
        });
        Self {
            address,
            fault,
            accepting,
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on.
    pub(crate) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        // Those that are open end too.
        self.fault.send_replace(Fault::Gone);
    }
}

async fn connection(client: TcpStream, server: TcpStream, fault: watch::Receiver<Fault>) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let subscribes = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut gone = fault.clone();
    tokio::select! {
        () = questions(from_client, to_server, Arc::clone(&subscribes)) => {}
        () = answers(from_server, to_client, fault, subscribes) => {}
        _ = gone.wait_for(|fault| *fault == Fault::Gone) => {}
    }
}

async fn questions(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, subscribes: Arc<std::sync::atomic::AtomicBool>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let chunk = &buffer[..read];
        if chunk.windows(9).any(|window| window == b"SUBSCRIBE") {
            subscribes.store(true, Ordering::Relaxed);
        }
        if to.write_all(chunk).await.is_err() {
            return;
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    fault: watch::Receiver<Fault>,
    subscribes: Arc<std::sync::atomic::AtomicBool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    let mut held: Vec<Vec<u8>> = Vec::new();
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let chunk = buffer[..read].to_vec();
        let now = *fault.borrow();
        let mut outgoing = match now {
            Fault::LoseAnswers | Fault::Gone => return,
            Fault::Slow(delay) => {
                tokio::time::sleep(delay).await;
                vec![chunk]
            }
            // The answer to the subscription itself arrives, or nobody would listen.
            Fault::ShuffleFeed if subscribes.load(Ordering::Relaxed) && !is_first(&chunk) => {
                let Some(shuffled) = shuffle(chunk, &mut held).await else {
                    return;
                };
                shuffled
            }
            Fault::None | Fault::ShuffleFeed => vec![chunk],
        };
        if !outgoing.is_empty() && now != Fault::ShuffleFeed {
            outgoing.append(&mut held);
        }
        for chunk in outgoing {
            if to.write_all(&chunk).await.is_err() {
                return;
            }
        }
    }
}

/// What of a feed comes on now; `None` where it is cut off.
async fn shuffle(chunk: Vec<u8>, held: &mut Vec<Vec<u8>>) -> Option<Vec<Vec<u8>>> {
    match dice() % 12 {
        0 => {
            tokio::time::sleep(Duration::from_millis(dice() % 120)).await;
            Some(vec![chunk])
        }
        1 | 2 => Some(Vec::new()),
        3 => Some(vec![chunk.clone(), chunk]),
        4 | 5 => {
            held.push(chunk);
            Some(Vec::new())
        }
        6 if dice().is_multiple_of(20) => None,
        _ => {
            let mut late = std::mem::take(held);
            late.insert(0, chunk);
            Some(late)
        }
    }
}

fn is_first(chunk: &[u8]) -> bool {
    chunk.windows(9).any(|window| window == b"subscribe")
}

/// Unpredictable enough for a network (Knuth's multiplier over a counter).
fn dice() -> u64 {
    static STATE: AtomicU64 = AtomicU64::new(88_172_645_463_325_252);
    let state = STATE.fetch_add(6_364_136_223_846_793_005, Ordering::Relaxed);
    let mixed = (state ^ (state >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed ^ (mixed >> 32)) >> 8
}
