//! Where reads go: a **mock** of a replica set's primary, which answers the documented commands with nothing and keeps what it was
//! sent. The server of the other tests has no replica set, and the driver sends it no read preference.

use std::sync::{Arc, Mutex};

use bson::{Document, doc};
use sealgate::{
    domain::private::Private,
    storage::mongo::{self, MongoOptions},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    harness::runtime,
    records::{Person, audit_entry, user_type},
};

const OP_REPLY: i32 = 1;
const OP_QUERY: i32 = 2004;
const OP_MSG: i32 = 2013;

type Sent = Arc<Mutex<Vec<Document>>>;

async fn listen() -> (String, Sent) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let sent = Sent::default();
    let (me, kept) = (address.clone(), Arc::clone(&sent));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, me.clone(), Arc::clone(&kept)));
        }
    });
    (address, sent)
}

/// Until the client hangs up.
async fn serve(mut stream: TcpStream, me: String, sent: Sent) -> std::io::Result<()> {
    loop {
        let length = stream.read_i32_le().await?;
        let request = stream.read_i32_le().await?;
        stream.read_i32_le().await?;
        let opcode = stream.read_i32_le().await?;
        let mut body = vec![0; usize::try_from(length).expect("a length") - 16];
        stream.read_exact(&mut body).await?;
        // Behind flags and the kind of the first section; in a query, behind flags, name, and how many to skip and return.
        let begin = match opcode {
            OP_MSG => 5,
            OP_QUERY => 4 + body[4..].iter().position(|byte| *byte == 0).expect("a name") + 9,
            other => panic!("operation {other}"),
        };
        let command = Document::from_reader(&body[begin..]).expect("a command");
        let answer = answer(&command, &me);
        sent.lock().expect("whole").push(command);
        let answer = answer.to_vec().expect("BSON");
        let (opcode, head) = match opcode {
            OP_MSG => (OP_MSG, vec![0; 5]),
            // Flags, cursor, where it starts; one document.
            _ => (OP_REPLY, [&[0; 16][..], &1_i32.to_le_bytes()].concat()),
        };
        let length = i32::try_from(16 + head.len() + answer.len()).expect("short");
        let fields = [length, 0, request, opcode].map(i32::to_le_bytes).concat();
        stream.write_all(&[fields, head, answer].concat()).await?;
    }
}

fn answer(command: &Document, me: &str) -> Document {
    let name = command.keys().next().map(String::as_str).unwrap_or_default();
    if name.eq_ignore_ascii_case("isMaster") || name == "hello" {
        return doc! { "ok": 1, "helloOk": true, "isWritablePrimary": true, "ismaster": true, "setName": "rs0",
        "setVersion": 1, "hosts": [me], "primary": me, "me": me, "minWireVersion": 0, "maxWireVersion": 21,
        "maxBsonObjectSize": 16_777_216, "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000,
        "logicalSessionTimeoutMinutes": 30, "localTime": bson::DateTime::from_millis(1_764_000_000_000) };
    }
    let database = command.get_str("$db").unwrap_or_default();
    let of = command.get_str(name).unwrap_or_default();
    doc! { "ok": 1, "n": 0, "nModified": 0,
    "cursor": { "id": 0_i64, "ns": format!("{database}.{of}"), "firstBatch": [] } }
}

fn mode(command: &Document) -> Option<&str> {
    command.get_document("$readPreference").ok()?.get_str("mode").ok()
}

#[test]
fn lists_of_the_audit_go_where_the_url_prefers_and_nothing_else_does() {
    runtime().block_on(async {
        let (address, sent) = listen().await;
        let url = format!("mongodb://{address}/?replicaSet=rs0&readPreference=secondaryPreferred");
        let types = vec![user_type("User1")];
        let opened = mongo::open(&MongoOptions::new(Private::new(url), types))
            .await
            .expect("opens");
        let stores = opened.stores();
        let begun = std::mem::take(&mut *sent.lock().expect("whole"));
        // Opening asks once whether the server reads by majority, wherever that is answered.
        let elsewhere = begun
            .iter()
            .filter(|command| mode(command).is_some_and(|mode| mode != "primary"));
        let elsewhere: Vec<_> = elsewhere.map(|command| command.get_str("find").ok()).collect();
        assert_eq!(elsewhere, [Some("probe")]);
        let taken = || -> Vec<(String, Option<String>)> {
            let commands = std::mem::take(&mut *sent.lock().expect("whole"));
            let named = commands.iter().map(|command| {
                let name = command.keys().next().expect("a name").clone();
                (name, mode(command).map(ToOwned::to_owned))
            });
            named
                .filter(|(name, _)| !["hello", "isMaster", "ping"].contains(&name.as_str()))
                .collect()
        };

        let person = Person::new(1);
        let (user_type, account) = (user_type("User1"), person.key().id);
        let preferred = [("find".to_owned(), Some("secondaryPreferred".to_owned()))];
        for of in [None, Some(&account)] {
            assert!(
                stores
                    .audit
                    .list(&user_type, of, None, 10)
                    .await
                    .expect("answers")
                    .is_empty()
            );
            assert_eq!(taken(), preferred, "as administrators and exports list them");
        }
        let decides: [(&str, Result<(), _>); 9] = [
            ("an account", stores.accounts.find(&person.key()).await.map(drop)),
            (
                "by address",
                stores
                    .accounts
                    .find_by_email(&user_type, &person.email_candidates())
                    .await
                    .map(drop),
            ),
            (
                "accounts",
                stores.accounts.versions(&user_type, None, 10).await.map(drop),
            ),
            (
                "sessions",
                stores.sessions.of_account(&person.key(), 10).await.map(drop),
            ),
            ("data keys", stores.deks.find(&person.key()).await.map(drop)),
            ("root keys", stores.keyring.list().await.map(drop)),
            (
                "what the chain vouches for",
                stores.audit.page(None, 10).await.map(drop),
            ),
            ("the last checkpoint", stores.audit.last_checkpoint().await.map(drop)),
            ("counts of texts", stores.text_counts.list().await.map(drop)),
        ];
        for (what, answered) in decides {
            answered.unwrap_or_else(|error| panic!("{what}: {error}"));
        }
        let all = taken();
        assert!(all.len() >= 9, "{all:?}");
        assert!(
            all.iter()
                .all(|(_, mode)| mode.as_deref().is_none_or(|mode| mode == "primary")),
            "{all:?}"
        );
        stores.audit.append(&audit_entry(1, None)).await.expect("answers");
        assert!(taken().iter().all(|(_, mode)| mode.is_none()), "a write has none");
    });
}
