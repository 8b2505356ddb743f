//! Connections that a test holds in its hand: HTTP/1.1 by hand, over TLS or without.

use std::{sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::certificates::Pair;

const PATIENCE: Duration = Duration::from_secs(20);

/// A connection, and what it sends and reads.
pub(crate) struct Wire<S>(pub(crate) S);

impl Wire<TcpStream> {
    pub(crate) async fn plain(address: &str) -> Self {
        Self(TcpStream::connect(address).await.expect("connected"))
    }
}

impl Wire<TlsStream<TcpStream>> {
    /// Over TLS, trusting `pair` alone.
    pub(crate) async fn secure(address: &str, pair: &Pair) -> Self {
        Self::try_secure(address, pair).await.expect("they come to terms")
    }

    pub(crate) async fn try_secure(address: &str, pair: &Pair) -> std::io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(pair.der()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let socket = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await?;
        Ok(Self(stream))
    }

    /// What the server showed.
    pub(crate) fn shown(&self) -> Vec<u8> {
        let shown = self.0.get_ref().1.peer_certificates().expect("a certificate");
        shown[0].to_vec()
    }
}

impl Pair {
    pub(crate) fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(&self.certificate).expect("PEM")
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("sent");
        self.0.flush().await.expect("sent");
    }

    /// Asks for a path; the answer's status.
    pub(crate) async fn get(&mut self, path: &str) -> u16 {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            .await;
        self.status().await
    }

    /// Signs in with a wrong password; the answer's status.
    pub(crate) async fn sign_in(&mut self, name: &str) -> u16 {
        let body = format!("username={name}&password=nobodys");
        let head = "POST /User1/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded";
        self.send(&format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
            .await;
        self.status().await
    }

    /// The status of the next answer, which is read whole.
    pub(crate) async fn status(&mut self) -> u16 {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = timeout(PATIENCE, self.0.read_u8()).await.expect("in time");
            head.push(byte.expect("an answer"));
        }
        let head = String::from_utf8(head).expect("text");
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        timeout(PATIENCE, self.0.read_exact(&mut body))
            .await
            .expect("in time")
            .expect("a body");
        head[9..12].parse().expect("a status")
    }

    /// What comes until the server closes.
    pub(crate) async fn until_closed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end too.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut rest))
            .await
            .expect("closed in time");
        rest
    }
}
