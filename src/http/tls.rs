//! TLS in the server itself, for those without a proxy before it: versions 1.2 and 1.3, HTTP/2 where a client agrees to it,
//! and a certificate that is replaced while connections go on.
//!
//! What is agreed with clients is one value, made whole from the two files and swapped whole: a connection is served with
//! what stood there when it came. Sessions can be resumed under the certificate alone that they began with.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rustls::{
    Error, InconsistentKeys, ServerConfig, crypto,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    server::ParsedCertificate,
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use zeroize::Zeroizing;

use crate::{config::tls::TlsConfig, domain::clock::Timestamp};

/// An operator is warned when a certificate has less than this left: authorities renew earlier.
const SOON: Duration = Duration::from_hours(14 * 24);
const DAY_MILLIS: i64 = 86_400_000;
/// As ALPN names it.
const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";
/// The first byte of a TLS connection: a record that holds a handshake.
pub(in crate::http) const HANDSHAKE: u8 = 0x16;
/// What is said to who speaks HTTP without TLS. No redirection: what was sent has been sent in the clear, and should show.
const NOT_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 35\r\n\r\nThis port speaks TLS: use https://\n";
/// Of that, what is still read, so that closing does not take the answer back.
const READ_OF_IT: u64 = 64 * 1024;

/// Why a certificate can't be served, and how to mend it. Repeats nothing of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file that isn't there, or isn't ours to read.
    #[error("{0} names a file that can't be read ({1}). Check the path and its permissions")]
    Unreadable(&'static str, io::ErrorKind),
    /// No certificate, or one that is damaged.
    #[error(
        "TLS_CERT_FILE holds no certificate that can be read. Write PEM: the server's own certificate first, then those \
         that lead to its authority"
    )]
    NoCertificate,
    /// No key, or one that is damaged.
    #[error("TLS_KEY_FILE holds no private key that can be read. Write PEM: PKCS#8, SEC1 or RSA")]
    NoKey,
    /// Nobody is there to type a passphrase.
    #[error(
        "TLS_KEY_FILE is encrypted with a passphrase. Take it off: `openssl pkey -in KEY -out PLAIN`, and chmod 600 PLAIN"
    )]
    EncryptedKey,
    /// Of a kind that nobody signs with.
    #[error(
        "TLS_KEY_FILE is of a kind that TLS does not take. Use ECDSA (P-256, P-384), Ed25519, or RSA of 2048 bits or more"
    )]
    OtherKey,
    /// Of another certificate.
    #[error(
        "TLS_KEY_FILE is not the key of the first certificate in TLS_CERT_FILE. Name the pair that was made together; the \
         server's own certificate comes first, its authority's after it"
    )]
    WrongKey,
}

/// A certificate with its key, checked, and what is agreed with clients under it.
#[derive(Clone, Debug)]
pub struct Certificate {
    agreed: Arc<ServerConfig>,
    own: CertificateDer<'static>,
    begins: Timestamp,
    ends: Timestamp,
    is_key_open: bool,
}

impl Certificate {
    /// Reads and checks both files.
    pub fn load(config: &TlsConfig) -> Result<Self, TlsError> {
        let chain = chain(&read("TLS_CERT_FILE", &config.certificate)?)?;
        let key = key(&read("TLS_KEY_FILE", &config.key)?)?;
        let own = chain.first().ok_or(TlsError::NoCertificate)?.clone();
        let (begins, ends) = validity(&own)?;
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let pair = CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::WrongKey,
            Error::InvalidCertificate(_) => TlsError::NoCertificate,
            _ => TlsError::OtherKey,
        })?;
        let mut agreed = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|_| TlsError::OtherKey)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair)));
        agreed.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
        Ok(Self {
            agreed: Arc::new(agreed),
            own,
            begins,
            ends,
            is_key_open: is_open_to_all(&config.key),
        })
    }

    /// Whole days until it ends; below zero once it has.
    #[must_use]
    pub fn days_left(&self, now: Timestamp) -> i64 {
        (self.ends.as_millis() - now.as_millis()).div_euclid(DAY_MILLIS)
    }

    /// When it ends.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        self.ends
    }

    /// What clients will refuse, or soon will, though it can be served; and who may read the key.
    #[must_use]
    pub fn warnings(&self, now: Timestamp, host: Option<&str>) -> Vec<String> {
        let mut warnings = Vec::new();
        if now > self.ends {
            warnings.push(format!("the certificate has expired on {}; renew it", self.ends));
        } else if now.plus(SOON) > self.ends {
            let days = self.days_left(now);
            warnings.push(format!(
                "the certificate expires in {days} day(s), on {}; renew it",
                self.ends
            ));
        }
        if now < self.begins {
            let begins = self.begins;
            warnings.push(format!(
                "the certificate is not valid before {begins}; look at the machine's clock"
            ));
        }
        if let Some(host) = host.filter(|host| !self.is_for(host)) {
            warnings.push(format!("the certificate is not for {host}, the host of PUBLIC_URL"));
        }
        if self.is_key_open {
            warnings.push("TLS_KEY_FILE can be read by every user of this machine: chmod 600".to_owned());
        }
        warnings
    }

    fn is_for(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let (Ok(name), Ok(own)) = (ServerName::try_from(bare), ParsedCertificate::try_from(&self.own)) else {
            return false;
        };
        rustls::client::verify_server_name(&own, &name).is_ok()
    }
}

fn read(name: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let text = fs::read(path).map_err(|error| TlsError::Unreadable(name, error.kind()))?;
    Ok(Zeroizing::new(text))
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    chain.map_err(|_| TlsError::NoCertificate)
}

fn key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    let has = |mark: &[u8]| pem.windows(mark.len()).any(|part| part == mark);
    // PKCS#8 says so in its label, the older forms in a header.
    if has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED") {
        return Err(TlsError::EncryptedKey);
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| TlsError::NoKey)
}

fn validity(certificate: &CertificateDer<'_>) -> Result<(Timestamp, Timestamp), TlsError> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| TlsError::NoCertificate)?;
    let moment = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
    let validity = parsed.validity();
    Ok((
        moment(validity.not_before.timestamp()),
        moment(validity.not_after.timestamp()),
    ))
}

fn is_open_to_all(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
}

/// What is agreed with clients from now on. Cheap to clone: all clones see a replacement.
#[derive(Clone, Debug)]
pub struct Tls(Arc<RwLock<Arc<ServerConfig>>>);

impl Tls {
    /// Serves `certificate`.
    #[must_use]
    pub fn new(certificate: &Certificate) -> Self {
        Self(Arc::new(RwLock::new(Arc::clone(&certificate.agreed))))
    }

    /// Serves another to who comes from now on.
    pub fn replace(&self, certificate: &Certificate) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&certificate.agreed);
    }

    /// Comes to terms with a client; takes as long as the client does.
    pub(in crate::http) async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let agreed = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        TlsAcceptor::from(agreed).accept(socket).await
    }
}

/// Whether HTTP/2 was agreed on. Who names no protocol speaks HTTP/1.1.
pub(in crate::http) fn is_http2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP_2)
}

/// Tells a client that speaks plain HTTP so.
pub(in crate::http) async fn refuse_plain(mut socket: TcpStream) -> io::Result<()> {
    let mut begun = [0; 4096];
    let _ = socket.read(&mut begun).await?;
    socket.write_all(NOT_TLS).await?;
    socket.shutdown().await?;
    let mut rest = socket.take(READ_OF_IT);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_plain_http_is_as_long_as_it_says() {
        let text = std::str::from_utf8(NOT_TLS).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("head and body");
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
    }

    #[test]
    fn keys_that_nobody_can_use_are_told_apart() {
        let pem = |label: &str, text: &str| format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n");
        for (text, error) in [
            (pem("ENCRYPTED PRIVATE KEY", "AAAA"), TlsError::EncryptedKey),
            (
                pem(
                    "EC PRIVATE KEY",
                    "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA",
                ),
                TlsError::EncryptedKey,
            ),
            (pem("CERTIFICATE", "AAAA"), TlsError::NoKey),
            (String::new(), TlsError::NoKey),
        ] {
            assert_eq!(key(text.as_bytes()).expect_err("no key"), error);
        }
        assert_eq!(chain(b"").expect("nothing").len(), 0);
        assert_eq!(
            validity(&CertificateDer::from(vec![0x30, 0])).expect_err("none"),
            TlsError::NoCertificate
        );
    }
}
