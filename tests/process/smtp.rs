//! A mail server of the tests: it takes mails, refuses every address for good or for now, repeating it as some servers do,
//! or says nothing, as it is told.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU8, AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct MailServer {
    pub(crate) port: String,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    does: AtomicU8,
    asked: AtomicUsize,
    taken: Mutex<Vec<String>>,
}

const REFUSES: u8 = 0;
const ACCEPTS: u8 = 1;
const HANGS: u8 = 2;
const REFUSES_FOR_NOW: u8 = 3;

impl MailServer {
    /// One that refuses.
    pub(crate) async fn refusing() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port().to_string();
        let state = Arc::<State>::default();
        let task = tokio::spawn({
            let state = Arc::clone(&state);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(converse(stream, Arc::clone(&state)));
                }
            }
        });
        Self { port, state, task }
    }

    /// From now on it takes every mail.
    pub(crate) fn accept(&self) {
        self.state.does.store(ACCEPTS, Ordering::SeqCst);
    }

    /// From now on it refuses every address for good.
    pub(crate) fn refuse(&self) {
        self.state.does.store(REFUSES, Ordering::SeqCst);
    }

    /// From now on it refuses every address, and may take it later.
    pub(crate) fn refuse_for_now(&self) {
        self.state.does.store(REFUSES_FOR_NOW, Ordering::SeqCst);
    }

    /// From now on it does not answer whoever names an address.
    pub(crate) fn hang(&self) {
        self.state.does.store(HANGS, Ordering::SeqCst);
    }

    /// How often an address was named.
    pub(crate) fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    /// The mails it took, as they came.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.state.taken.lock().expect("whole").clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(stream: TcpStream, state: Arc<State>) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 mail.test\r\n").await.ok()?;
    loop {
        let line = lines.next_line().await.ok()??;
        let repeated = |text: &str| format!("{text} {}\r\n", line.get(8..).unwrap_or_default()).into_bytes();
        let answer: Vec<u8> = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "RCPT" => {
                state.asked.fetch_add(1, Ordering::SeqCst);
                match state.does.load(Ordering::SeqCst) {
                    REFUSES => repeated("550 5.1.1 nobody here:"),
                    REFUSES_FOR_NOW => repeated("451 4.3.0 not now:"),
                    HANGS => std::future::pending().await,
                    _ => b"250 ok\r\n".into(),
                }
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await.ok()?;
                let mut mail = String::new();
                loop {
                    let line = lines.next_line().await.ok()??;
                    if line == "." {
                        break;
                    }
                    mail.push_str(&line);
                    mail.push('\n');
                }
                state.taken.lock().expect("whole").push(mail);
                b"250 taken\r\n".into()
            }
            "QUIT" => {
                write.write_all(b"221 bye\r\n").await.ok()?;
                return Some(());
            }
            _ => b"250 ok\r\n".into(),
        };
        write.write_all(&answer).await.ok()?;
    }
}
