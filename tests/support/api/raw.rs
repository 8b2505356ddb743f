//! HTTP byte by byte, for what no decent client would send.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// How long the service may take for anything, but for what a test gives it to wait for.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection.
#[derive(Debug)]
pub(crate) struct RawConnection {
    stream: TcpStream,
    read: Vec<u8>,
}

/// An answer as it came over the wire.
#[derive(Clone, Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    /// By lower-case name; the last of a name.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl RawConnection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.expect("connects"),
            read: Vec::new(),
        }
    }

    /// Sends bytes. Whether they arrive, the answer tells: a server may close before it has read all.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Reads one answer; `None` when the connection is closed before one came.
    pub(crate) async fn answer(&mut self) -> Option<RawAnswer> {
        loop {
            if let Some((answer, used)) = parse(&self.read) {
                self.read.drain(..used);
                return Some(answer);
            }
            if self.read_more().await == 0 {
                return None;
            }
        }
    }

    /// The answer, if it is there already.
    pub(crate) fn answer_so_far(&mut self) -> Option<RawAnswer> {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = self.stream.try_read(&mut bytes) {
            self.read.extend_from_slice(&bytes[..count]);
        }
        let (answer, used) = parse(&self.read)?;
        self.read.drain(..used);
        Some(answer)
    }

    /// Waits until the other side closes; answers what it sent before.
    pub(crate) async fn until_closed(mut self) -> Vec<u8> {
        while self.read_more().await > 0 {}
        self.read
    }

    async fn read_more(&mut self) -> usize {
        let mut bytes = [0; 4096];
        let read = timeout(PATIENCE, self.stream.read(&mut bytes)).await;
        // A reset is a close, too.
        let count = read.expect("an answer or a close in time").unwrap_or(0);
        self.read.extend_from_slice(&bytes[..count]);
        count
    }
}

/// One answer and how many bytes it had, if it is there whole.
fn parse(bytes: &[u8]) -> Option<(RawAnswer, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).expect("ASCII headers");
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .map_or(0, |text| text.parse().expect("a length"));
    assert!(!headers.contains_key("transfer-encoding"), "answers have a length");
    let body = bytes.get(end..end + length)?;
    let answer = RawAnswer {
        status,
        body: String::from_utf8_lossy(body).into_owned(),
        headers,
    };
    Some((answer, end + length))
}
