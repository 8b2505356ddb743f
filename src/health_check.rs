//! `sealgate health`: asks a server whether it is ready, for containers that hold neither a shell nor an HTTP client.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use url::Url;

/// How long connecting, and then each step of the exchange, may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// More than any status line has.
const LONGEST_LINE: u64 = 256;

/// Why a server does not count as well.
#[derive(Debug, thiserror::Error)]
pub enum HealthCheckError {
    /// Only plain HTTP is spoken: the check runs beside the server, behind whatever ends TLS.
    #[error("can only ask http:// addresses, for example `http://127.0.0.1:8000/readyz`")]
    Address,
    /// Nobody answers.
    #[error("no answer: {0}")]
    Silent(#[from] io::Error),
    /// Something answers that is not HTTP.
    #[error("the answer is not HTTP")]
    Garbled,
    /// The server says no.
    #[error("the answer is {0}")]
    Status(u16),
}

/// Where a server that listens on `address` is asked from the same machine.
#[must_use]
pub fn own_url(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}/readyz")
}

/// Asks `url`; well is a 200 and nothing else.
pub fn ask(url: &str) -> Result<(), HealthCheckError> {
    let url = Url::parse(url).map_err(|_| HealthCheckError::Address)?;
    let (Some(host), Some(port), "http") = (url.host_str(), url.port_or_known_default(), url.scheme()) else {
        return Err(HealthCheckError::Address);
    };
    let mut connection = connect(host, port)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    connection.take(LONGEST_LINE).read_to_end(&mut head)?;
    match status(&head) {
        Some(200) => Ok(()),
        Some(status) => Err(HealthCheckError::Status(status)),
        None => Err(HealthCheckError::Garbled),
    }
}

/// A name may have several addresses; the first that takes the connection is asked.
fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mut refusal = io::ErrorKind::NotFound.into();
    for address in (bare, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(connection) => return Ok(connection),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

fn status(head: &[u8]) -> Option<u16> {
    let line = head.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(line).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_on_loopback_wherever_it_listens() {
        for (address, url) in [
            ("0.0.0.0:8000", "http://127.0.0.1:8000/readyz"),
            ("[::]:8000", "http://[::1]:8000/readyz"),
            ("10.1.2.3:80", "http://10.1.2.3:80/readyz"),
        ] {
            assert_eq!(own_url(address.parse().expect("an address")), url);
        }
    }

    #[test]
    fn a_status_line_is_read_and_nothing_else() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 503 Service Unavailable\r\n"), Some(503));
        for garbled in [&b""[..], b"HTTP/1.1", b"HTTP/1.1 OK\r\n", b"SSH-2.0-OpenSSH", b"200"] {
            assert_eq!(status(garbled), None);
        }
    }

    #[test]
    fn only_plain_http_is_asked() {
        for url in ["https://127.0.0.1/readyz", "127.0.0.1:8000", "", "file:///etc/passwd"] {
            assert!(matches!(ask(url), Err(HealthCheckError::Address)), "{url}");
        }
    }
}
