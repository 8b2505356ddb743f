//! A proxy that does to TCP connections what networks do: slows, holds, cuts, loses answers, and shuffles what a
//! subscriber of Redis is told.
//!
//! Which answer is lost may be named: a write of MongoDB's, by its number. [`FaultProxy::hit`] says which one that was, so
//! that a test can lose one after the other until there are no more.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
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
    /// The write with that number, from 0 and from now on, is done; its answer is lost, and with it the connection.
    LoseWrite(u32),
    /// Questions that hold this text go no further; their connections stay.
    Hold(&'static str),
    /// Nothing is answered until there is another fault, or none; connections stay.
    Hang,
    /// Connections are cut, and refused.
    Gone,
    /// What subscribers of Redis are told is delayed, doubled, dropped, put in another order, or cut off.
    ShuffleFeed,
}

/// The proxy. It ends with this.
pub(crate) struct FaultProxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    seen: Arc<Seen>,
    accepting: JoinHandle<()>,
}

/// What passed since the fault was set.
#[derive(Default)]
struct Seen {
    writes: AtomicU32,
    hit: Mutex<Option<String>>,
}

/// One connection's view.
#[derive(Clone)]
struct Passing {
    fault: watch::Receiver<Fault>,
    seen: Arc<Seen>,
    subscribes: Arc<AtomicBool>,
    loses_next: Arc<AtomicBool>,
}

impl FaultProxy {
    /// Before the server at `target`.
    pub(crate) async fn before(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (fault, faults) = watch::channel(Fault::None);
        let seen = Arc::<Seen>::default();
        let accepting = tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                loop {
                    let Ok((client, _)) = listener.accept().await else {
                        continue;
                    };
                    if *faults.borrow() == Fault::Gone {
                        continue;
                    }
                    let passing = Passing {
                        fault: faults.clone(),
                        seen: Arc::clone(&seen),
                        subscribes: Arc::default(),
                        loses_next: Arc::default(),
                    };
                    if let Ok(server) = TcpStream::connect(target).await {
                        tokio::spawn(connection(client, server, passing));
                    }
                }
            }
        });
        Self {
            address,
            fault,
            seen,
            accepting,
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on.
    pub(crate) fn set(&self, fault: Fault) {
        self.seen.writes.store(0, Ordering::SeqCst);
        *self.seen.hit.lock().expect("whole") = None;
        self.fault.send_replace(fault);
    }

    /// The write whose answer was lost, or the text that was held, since the fault was set.
    pub(crate) fn hit(&self) -> Option<String> {
        self.seen.hit.lock().expect("whole").clone()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        // Those that are open end too.
        self.fault.send_replace(Fault::Gone);
    }
}

async fn connection(client: TcpStream, server: TcpStream, passing: Passing) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut gone = passing.fault.clone();
    tokio::select! {
        () = questions(from_client, to_server, passing.clone()) => {}
        () = answers(from_server, to_client, passing) => {}
        _ = gone.wait_for(|fault| *fault == Fault::Gone) => {}
    }
}

async fn questions(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, passing: Passing) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let chunk = &buffer[..read];
        if chunk.windows(9).any(|window| window == b"SUBSCRIBE") {
            passing.subscribes.store(true, Ordering::Relaxed);
        }
        let now = *passing.fault.borrow();
        match now {
            Fault::Hold(text) if chunk.windows(text.len()).any(|window| window == text.as_bytes()) => {
                *passing.seen.hit.lock().expect("whole") = Some(text.to_owned());
                continue;
            }
            Fault::LoseWrite(number) => {
                if let Some(write) = write(chunk)
                    && passing.seen.writes.fetch_add(1, Ordering::SeqCst) == number
                {
                    *passing.seen.hit.lock().expect("whole") = Some(write);
                    passing.loses_next.store(true, Ordering::SeqCst);
                }
            }
            _ => {}
        }
        if to.write_all(chunk).await.is_err() {
            return;
        }
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, passing: Passing) {
    let mut buffer = vec![0; 64 * 1024];
    let mut held: Vec<Vec<u8>> = Vec::new();
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let chunk = buffer[..read].to_vec();
        let now = *passing.fault.borrow();
        if passing.loses_next.load(Ordering::SeqCst) {
            return;
        }
        let mut outgoing = match now {
            Fault::LoseAnswers | Fault::Gone => return,
            Fault::Hang => {
                let mut fault = passing.fault.clone();
                let _ = fault.wait_for(|fault| *fault != Fault::Hang).await;
                vec![chunk]
            }
            Fault::Slow(delay) => {
                tokio::time::sleep(delay).await;
                vec![chunk]
            }
            // The answer to the subscription itself arrives, or nobody would listen.
            Fault::ShuffleFeed if passing.subscribes.load(Ordering::Relaxed) && !is_first(&chunk) => {
                let Some(shuffled) = shuffle(chunk, &mut held).await else {
                    return;
                };
                shuffled
            }
            Fault::None | Fault::ShuffleFeed | Fault::LoseWrite(_) | Fault::Hold(_) => vec![chunk],
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

/// The command and the collection, where a message of MongoDB's protocol begins with a write of the service's work: signs
/// of life and probes are none.
fn write(message: &[u8]) -> Option<String> {
    const OP_MSG: [u8; 4] = 2013_u32.to_le_bytes();
    // Header, flags, kind of section, length of the document, type of its first element: a text.
    let (head, body) = message.split_at_checked(26)?;
    if head[12..16] != OP_MSG || head[20] != 0 || head[25] != 2 {
        return None;
    }
    let end = body.iter().position(|byte| *byte == 0)?;
    let command = std::str::from_utf8(&body[..end]).ok()?;
    let collection = body.get(end + 5..)?.split(|byte| *byte == 0).next()?;
    let collection = std::str::from_utf8(collection).ok()?;
    let is_write = matches!(command, "insert" | "update" | "delete" | "findAndModify");
    (is_write && !matches!(collection, "heartbeats" | "probe")).then(|| format!("{command} {collection}"))
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
