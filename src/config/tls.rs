//! TLS in the server itself: where its certificate and key lie. What is in the files is looked at where they are served
//! (`http/tls.rs`): a worker has no use for them, and may not be let near the key.

use std::path::PathBuf;

use crate::config::source::Reader;

/// Two PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// The server's certificate, then those that lead to its authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl TlsConfig {
    /// Both or neither.
    pub(in crate::config) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let [certificate, key] = ["TLS_CERT_FILE", "TLS_KEY_FILE"].map(|name| reader.text(name).map(PathBuf::from));
        match (certificate, key) {
            (Some(certificate), Some(key)) => Some(Self { certificate, key }),
            (None, None) => None,
            (certificate, _) => {
                let (missing, there) = if certificate.is_some() {
                    ("TLS_KEY_FILE", "TLS_CERT_FILE")
                } else {
                    ("TLS_CERT_FILE", "TLS_KEY_FILE")
                };
                reader.report(
                    missing,
                    format!("must be set beside {there}"),
                    "Name a PEM file, or unset both",
                );
                None
            }
        }
    }
}
