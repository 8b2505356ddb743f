//! Logs, and a collector that does not do its part.

use std::{fs::File, io::Read as _, process::Command, time::Duration};

use tokio::time::Instant;

use crate::{client::registration, installation::Installation};

/// Much more than a pipe holds (64 KiB) and the service keeps.
const REQUESTS: usize = 1200;

#[tokio::test]
async fn defect_23_a_collector_that_reads_nothing_stops_nobody() {
    let installation = Installation::new();
    // Where the first process logs to: a pipe that is open, and that nobody reads.
    let pipe = installation.path().join("00-sealgate.log");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let mut silent = File::options().read(true).write(true).open(&pipe).expect("a pipe");

    let mut server = installation.serve(&[("LOG_LEVEL", "sealgate=trace,info")]).await;
    server.ready().await;
    for _ in 0..REQUESTS {
        server.client.get("/livez").await.expect(200);
    }
    // What is logged by then does not fit; whoever registers and signs in waits for nobody.
    let began = Instant::now();
    let body = registration("ada@example.com");
    server.client.post("/User1/create", &body).await.expect(201);
    server.client.try_login("User1", "ada@example.com").await.expect(403);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    // It ends when it is asked to, too.
    server.process.terminate();
    let ended = server.process.wait(Duration::from_secs(15)).await;
    assert!(ended.success(), "{ended:?}");
    // The pipe was full, up to what lines leave of its pages.
    let mut logged = vec![0; 32 * 1024];
    silent.read_exact(&mut logged).expect("a full pipe");
}
