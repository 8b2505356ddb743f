//! A Redis of the test's own, to be stopped and started.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use super::eventually;

/// It keeps nothing: started again it is empty.
#[derive(Debug)]
pub(crate) struct RedisServer {
    port: u16,
    process: Option<Child>,
}

impl RedisServer {
    pub(crate) async fn start() -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let mut server = Self { port, process: None };
        server.start_again().await;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://:test-password@127.0.0.1:{}", self.port)
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    pub(crate) async fn start_again(&mut self) {
        let process = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/redis-test-server"))
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
