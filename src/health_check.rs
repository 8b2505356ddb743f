//! `sealgate health`: asks a server whether it is ready, for containers that hold neither a shell nor an HTTP client.

use std::{
    io::{self, Read as _},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{self, CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use url::Url;

/// How long connecting, and then each step of the exchange, may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// More than any status line has.
const LONGEST_LINE: u64 = 256;

/// Why a server does not count as well.
#[derive(Debug, thiserror::Error)]
pub enum HealthCheckError {
    /// Not what a server can be asked at.
    #[error("can only ask http:// and https:// addresses, for example `http://127.0.0.1:8000/readyz`")]
    Address,
    /// Something answers that does not speak TLS.
    #[error("no TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The answer was none of TLS.
    #[error("no TLS is spoken there; if that is meant, ask http://")]
    Plain,
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
pub fn own_url(mut address: SocketAddr, has_tls: bool) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let scheme = if has_tls { "https" } else { "http" };
    format!("{scheme}://{address}/readyz")
}

/// Asks `url`; well is a 200 and nothing else.
pub fn ask(url: &str) -> Result<(), HealthCheckError> {
    let url = Url::parse(url).map_err(|_| HealthCheckError::Address)?;
    let (Some(host), Some(port), "http" | "https") = (url.host_str(), url.port_or_known_default(), url.scheme()) else {
        return Err(HealthCheckError::Address);
    };
    let connection = connect(host, port)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    let head = if url.scheme() == "https" {
        exchange(StreamOwned::new(unjudging(host)?, connection), &request).map_err(plain)?
    } else {
        exchange(connection, &request)?
    };
    match status(&head) {
        Some(200) => Ok(()),
        Some(status) => Err(HealthCheckError::Status(status)),
        None => Err(HealthCheckError::Garbled),
    }
}

/// Sends the request; the first of the answer.
fn exchange(mut connection: impl io::Read + io::Write, request: &str) -> io::Result<Vec<u8>> {
    connection.write_all(request.as_bytes())?;
    connection.flush()?;
    let mut head = Vec::new();
    connection.take(LONGEST_LINE).read_to_end(&mut head)?;
    Ok(head)
}

/// What is no TLS is read as damage.
fn plain(error: io::Error) -> HealthCheckError {
    match error.kind() {
        io::ErrorKind::InvalidData => HealthCheckError::Plain,
        _ => error.into(),
    }
}

/// TLS with whoever answers: it is told nothing, and asked for nothing but whether it is ready. The server's certificate
/// is not for the loopback address that it is asked at.
fn unjudging(host: &str) -> Result<ClientConnection, HealthCheckError> {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer(provider)))
        .with_no_client_auth();
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(bare).map_err(|_| HealthCheckError::Address)?;
    Ok(ClientConnection::new(Arc::new(config), name)?)
}

#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
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
            let address = address.parse().expect("an address");
            assert_eq!(own_url(address, false), url);
            assert_eq!(own_url(address, true), url.replace("http:", "https:"));
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
    fn only_servers_of_http_are_asked() {
        for url in ["ftp://127.0.0.1/readyz", "127.0.0.1:8000", "", "file:///etc/passwd"] {
            assert!(matches!(ask(url), Err(HealthCheckError::Address)), "{url}");
        }
    }
}
