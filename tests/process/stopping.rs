//! SIGTERM: what is under way is finished, nothing new is begun, and the process ends.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::Instant,
};

use crate::{
    client::registration,
    installation::{Installation, Server},
    waiting::until,
};

/// A request whose head the server has read, and which waits for the body.
struct UnderWay {
    connection: TcpStream,
    body: String,
}

impl UnderWay {
    /// Begins to register; the server's `100 Continue` shows that the request is in the handler's hands.
    async fn begin(server: &Server, email: &str) -> Self {
        let body = registration(email).to_string();
        let mut connection = TcpStream::connect(&server.address).await.expect("connected");
        let head = format!(
            "POST /User1/create HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Expect: 100-continue\r\n\r\n",
            server.address,
            body.len(),
        );
        connection.write_all(head.as_bytes()).await.expect("sent");
        let mut line = [0; 25];
        connection.read_exact(&mut line).await.expect("an answer");
        assert_eq!(&line, b"HTTP/1.1 100 Continue\r\n\r\n");
        Self { connection, body }
    }

    /// Sends the rest; the answer's status line.
    async fn finish(mut self) -> String {
        self.connection.write_all(self.body.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        self.connection
            .read_to_end(&mut answer)
            .await
            .expect("an answer, then the end");
        let answer = String::from_utf8_lossy(&answer);
        answer.lines().next().unwrap_or_default().to_owned()
    }
}

#[tokio::test]
async fn requests_under_way_are_answered_and_then_the_port_is_closed() {
    const HELD: usize = 8;
    let installation = Installation::new();
    let mut server = installation.serve(&[]).await;
    server.ready().await;

    let mut held = Vec::new();
    for n in 0..HELD {
        held.push(UnderWay::begin(&server, &format!("held{n}@example.com")).await);
    }
    // One connection that says nothing, one that is kept after its answer, and a load that goes on.
    let silent = TcpStream::connect(&server.address).await.expect("connected");
    server.client.get("/livez").await.expect(200);
    let mut load = JoinSet::new();
    for n in 0..8 {
        let client = server.client.clone();
        load.spawn(async move {
            let mut created = Vec::new();
            for round in 0.. {
                let email = format!("load{n}-{round}@example.com");
                match client.try_post("/User1/create", &registration(&email)).await {
                    Some(answer) => {
                        answer.expect(201);
                        created.push(email);
                    }
                    None => break,
                }
            }
            created
        });
    }
    let outbox = installation.outbox();
    until("the load is served", Duration::from_secs(20), async || {
        !outbox.mails().is_empty()
    })
    .await;

    let began = Instant::now();
    server.process.terminate();
    let closed = async || TcpStream::connect(&server.address).await.is_err();
    until("the port is closed", Duration::from_secs(5), closed).await;
    assert_eq!(server.process.ended(), None, "requests are under way");
    let mut answers = JoinSet::new();
    for request in held {
        answers.spawn(request.finish());
    }
    assert_eq!(answers.join_all().await, vec!["HTTP/1.1 201 Created"; HELD]);
    let ended = server.process.wait(Duration::from_secs(10)).await;
    let took = began.elapsed();
    assert!(ended.success(), "{ended}: {}", server.process.logged());
    assert!(took < Duration::from_secs(10), "{took:?}");
    drop(silent);

    // What was answered was stored, and its mail is not lost.
    let mut created: Vec<String> = load.join_all().await.concat();
    created.extend((0..HELD).map(|n| format!("held{n}@example.com")));
    let server = installation.serve(&[]).await;
    until("every mail arrives", Duration::from_secs(90), async || {
        let mails = outbox.mails();
        created.iter().all(|email| mails.iter().any(|mail| mail.to == *email))
    })
    .await;
    server.ready().await;
}
