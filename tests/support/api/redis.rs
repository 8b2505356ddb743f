//! A Redis of the test's own, to be stopped and started.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::eventually;

/// It keeps nothing: started again it is empty.
#[derive(Debug)]
pub(crate) struct RedisServer {
    port: u16,
    process: Option<Child>,
    tls: Option<Authority>,
}

/// A certificate authority, and a certificate of 127.0.0.1 by it.
#[derive(Debug)]
pub(crate) struct Authority(TempDir);

impl Authority {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let openssl = |arguments: &str| {
            let made = Command::new("openssl")
                .args(arguments.split(' '))
                .current_dir(folder.path())
                .output()
                .expect("openssl runs");
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        };
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        openssl(&format!(
            "req -x509 {key} -days 2 -subj /CN=authority -keyout ca.key -out ca.pem"
        ));
        openssl(&format!("req {key} -subj /CN=redis -keyout server.key -out server.csr"));
        std::fs::write(folder.path().join("names"), "subjectAltName=IP:127.0.0.1\n").expect("written");
        openssl(
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
        );
        Self(folder)
    }

    /// Its own certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.0.path().join("ca.pem")
    }

    fn folder(&self) -> &Path {
        self.0.path()
    }
}

impl RedisServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(None).await
    }

    /// One that speaks TLS alone.
    pub(crate) async fn start_tls(authority: Authority) -> Self {
        Self::start_with(Some(authority)).await
    }

    async fn start_with(tls: Option<Authority>) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let mut server = Self {
            port,
            process: None,
            tls,
        };
        server.start_again().await;
        server
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://:test-password@127.0.0.1:{}", self.port)
    }

    /// Of its certificate.
    pub(crate) fn authority(&self) -> String {
        let authority = self.tls.as_ref().expect("it speaks TLS");
        authority.certificate().to_string_lossy().into_owned()
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    pub(crate) async fn start_again(&mut self) {
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/redis-test-server"));
        if let Some(authority) = &self.tls {
            command.arg("--tls").arg(authority.folder());
        }
        let process = command
            .arg(self.port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.process = Some(process.expect("scripts/redis-test-server runs"));
        eventually("Redis to answer", async || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok().map(drop)
        })
        .await;
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}
