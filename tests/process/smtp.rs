//! A mail server of the tests: it takes mails, or refuses every address for good, as it is told.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
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
    refuses: Arc<AtomicBool>,
    taken: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl MailServer {
    /// One that refuses.
    pub(crate) async fn refusing() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port().to_string();
        let (refuses, taken) = (Arc::new(AtomicBool::new(true)), Arc::<Mutex<Vec<String>>>::default());
        let task = tokio::spawn({
            let (refuses, taken) = (Arc::clone(&refuses), Arc::clone(&taken));
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(converse(stream, Arc::clone(&refuses), Arc::clone(&taken)));
                }
            }
        });
        Self {
            port,
            refuses,
            taken,
            task,
        }
    }

    /// From now on it takes every mail.
    pub(crate) fn accept(&self) {
        self.refuses.store(false, Ordering::SeqCst);
    }

    /// The mails it took, as they came.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.taken.lock().expect("whole").clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(stream: TcpStream, refuses: Arc<AtomicBool>, taken: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 mail.test\r\n").await.ok()?;
    loop {
        let line = lines.next_line().await.ok()??;
        let answer: &[u8] = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "RCPT" if refuses.load(Ordering::SeqCst) => b"550 5.1.1 nobody here\r\n",
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
                taken.lock().expect("whole").push(mail);
                b"250 taken\r\n"
            }
            "QUIT" => {
                write.write_all(b"221 bye\r\n").await.ok()?;
                return Some(());
            }
            _ => b"250 ok\r\n",
        };
        write.write_all(answer).await.ok()?;
    }
}
