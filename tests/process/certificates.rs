//! Certificates of a test, made with the openssl command.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A pair on disk.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Pair {
    /// For `localhost` and the loopback address, for 90 days, under `name`.
    pub(crate) fn make(folder: &Path, name: &str) -> Self {
        Self::make_with(
            folder,
            name,
            &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
        )
    }

    /// With a key of another kind.
    pub(crate) fn make_with(folder: &Path, name: &str, kind: &[&str]) -> Self {
        let pair = Self {
            certificate: folder.join(format!("{name}.crt")),
            key: folder.join(format!("{name}.key")),
        };
        let (key, certificate) = (text(&pair.key), text(&pair.certificate));
        let config = folder.join(format!("{name}.cnf"));
        let said = format!(
            "[req]\nprompt=no\ndistinguished_name=name\nx509_extensions=more\n[name]\nCN={name}\n[more]\n\
             basicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n"
        );
        fs::write(&config, said).expect("written");
        let config = text(&config);
        let made = [
            "req",
            "-x509",
            "-nodes",
            "-days",
            "90",
            "-config",
            &config,
            "-keyout",
            &key,
            "-out",
            &certificate,
        ];
        openssl(&[&made[..], kind].concat());
        pair
    }

    /// As settings.
    pub(crate) fn settings(&self) -> [(String, String); 2] {
        [
            ("TLS_CERT_FILE".to_owned(), text(&self.certificate)),
            ("TLS_KEY_FILE".to_owned(), text(&self.key)),
        ]
    }

    /// Put in the place of another pair, as an operator does it: by renaming.
    pub(crate) fn put_in_place_of(&self, other: &Self) {
        for (from, to) in [(&self.key, &other.key), (&self.certificate, &other.certificate)] {
            fs::rename(from, to).expect("renamed");
        }
    }

    /// What a client trusts.
    pub(crate) fn authority(&self) -> reqwest::Certificate {
        reqwest::Certificate::from_pem(&fs::read(&self.certificate).expect("a certificate")).expect("PEM")
    }
}

/// Runs the command; it succeeds.
pub(crate) fn openssl(arguments: &[&str]) {
    let done = Command::new("openssl").args(arguments).output().expect("openssl");
    assert!(
        done.status.success(),
        "openssl {arguments:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// A path as text.
pub(crate) fn text(path: &Path) -> String {
    path.to_str().expect("plain").to_owned()
}
