//! A real SMTP server beside the service (`scripts/smtp-test-server`).

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde::Deserialize;
use tempfile::TempDir;

use super::{Mail, eventually};

/// Servers in the clear, with STARTTLS and with TLS, behind one mailbox; they end with the test.
#[derive(Debug)]
pub(crate) struct MailServer {
    process: Child,
    folder: TempDir,
    said: Said,
}

#[derive(Debug, Deserialize)]
struct Said {
    plain: u16,
    starttls: u16,
    tls: u16,
    authority: PathBuf,
}

/// A mail that was taken, and what the client said when it handed it over.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct TakenMail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) options: Vec<String>,
    pub(crate) hello: String,
    pub(crate) tls: bool,
    pub(crate) user: Option<String>,
    pub(crate) content: String,
}

impl TakenMail {
    /// As its reader's program takes it apart.
    pub(crate) fn parsed(&self) -> Mail {
        Mail::parse(String::new(), self.content.as_bytes())
    }
}

impl MailServer {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut process = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/smtp-test-server"))
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It complains of every client that misbehaves, which is what most tests do.
            .stderr(Stdio::null())
            .spawn()
            .expect("scripts/smtp-test-server runs");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("its output"))
            .read_line(&mut line)
            .expect("a line");
        let said = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no SMTP server: python3 is needed"));
        Self { process, folder, said }
    }

    pub(crate) const fn plain(&self) -> u16 {
        self.said.plain
    }

    pub(crate) const fn starttls(&self) -> u16 {
        self.said.starttls
    }

    pub(crate) const fn tls(&self) -> u16 {
        self.said.tls
    }

    /// The file with the authority that signed the servers' certificates.
    pub(crate) fn authority(&self) -> &Path {
        &self.said.authority
    }

    /// What was taken so far.
    pub(crate) fn taken(&self) -> Vec<TakenMail> {
        let files = std::fs::read_dir(self.folder.path()).expect("a folder");
        files
            .map(|file| file.expect("an entry").path())
            .filter(|path| {
                path.file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with("MAIL-"))
            })
            .map(|path| serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("a mail"))
            .collect()
    }

    /// Waits for a mail to `address` whose content has `part`.
    pub(crate) async fn next(&self, address: &str, part: &str) -> TakenMail {
        eventually(&format!("a mail to {address} with {part:?}"), async || {
            let mut taken = self.taken().into_iter();
            taken.find(|mail| mail.to.iter().any(|to| to == address) && mail.content.contains(part))
        })
        .await
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // Its own standard input ends too; this is quicker.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
