//! Where something could lie: files, every collection, every key and value of Redis.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use futures_util::TryStreamExt as _;
use redis::{AsyncCommands as _, aio::MultiplexedConnection};

/// A name, and what lies there.
pub(crate) type Place = (String, Vec<u8>);

/// Every file of the folder and of those in it, but what `is_left_out`.
pub(crate) fn files(folder: &Path, is_left_out: &dyn Fn(&Path) -> bool) -> Vec<Place> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .flat_map(|entry| {
            let path = entry.expect("an entry").path();
            if is_left_out(&path) {
                return Vec::new();
            }
            if path.is_dir() {
                return files(&path, is_left_out);
            }
            // A journal of SQLite's may go while this looks.
            let read = fs::read(&path).unwrap_or_default();
            let name = path.display().to_string();
            // A name tells as well.
            let named = name.clone().into_bytes();
            vec![(name, [named, read].concat())]
        })
        .collect()
}

/// Every document of every collection of `database`, as it is stored, with names and indexes.
pub(crate) async fn collections(database: &mongodb::Database) -> Vec<Place> {
    let mut places = Vec::new();
    for name in database.list_collection_names().await.expect("listed") {
        let collection = database.collection::<bson::RawDocumentBuf>(&name);
        let documents = collection.find(bson::doc! {}).await.expect("read");
        let documents: Vec<bson::RawDocumentBuf> = documents.try_collect().await.expect("read");
        let indexes: Vec<_> = collection
            .list_indexes()
            .await
            .expect("read")
            .try_collect()
            .await
            .expect("read");
        let mut bytes = format!("{name} {indexes:?}").into_bytes();
        for document in &documents {
            bytes.extend_from_slice(document.as_bytes());
        }
        places.push((
            format!("{} {name}, {} documents", database.name(), documents.len()),
            bytes,
        ));
    }
    places
}

/// Every key of every database of the Redis at `url`, and its value.
pub(crate) async fn redis_values(url: &str) -> Vec<Place> {
    let client = redis::Client::open(url).expect("a client");
    let mut redis = client.get_multiplexed_async_connection().await.expect("Redis answers");
    let keys: Vec<Vec<u8>> = redis.keys("*").await.expect("keys");
    let mut places = Vec::new();
    for key in keys {
        let mut bytes = key.clone();
        bytes.push(b'\n');
        value_of(&mut redis, &key, &mut bytes).await;
        places.push((format!("Redis {}", key.escape_ascii()), bytes));
    }
    places
}

async fn value_of(redis: &mut MultiplexedConnection, key: &[u8], bytes: &mut Vec<u8>) {
    let kind: String = redis.key_type(key).await.expect("a type");
    let command = |name: &str| redis::cmd(name).arg(key).to_owned();
    let command = match kind.as_str() {
        // It was gone before it was asked for.
        "none" => return,
        "string" => command("GET"),
        "hash" => command("HGETALL"),
        "set" => command("SMEMBERS"),
        "list" => command("LRANGE").arg(0).arg(-1).to_owned(),
        "zset" => command("ZRANGE").arg(0).arg(-1).arg("WITHSCORES").to_owned(),
        "stream" => command("XRANGE").arg("-").arg("+").to_owned(),
        other => panic!("nobody looks into a {other}"),
    };
    let value: redis::Value = command.query_async(redis).await.expect("a value");
    collect(&value, bytes);
}

fn collect(value: &redis::Value, bytes: &mut Vec<u8>) {
    match value {
        redis::Value::BulkString(text) => bytes.extend_from_slice(text),
        redis::Value::Array(values) | redis::Value::Set(values) => {
            for value in values {
                collect(value, bytes);
            }
        }
        redis::Value::Map(pairs) => pairs.iter().for_each(|(name, value)| {
            collect(name, bytes);
            collect(value, bytes);
        }),
        redis::Value::SimpleString(text) => bytes.extend_from_slice(text.as_bytes()),
        redis::Value::Nil | redis::Value::Int(_) | redis::Value::Double(_) | redis::Value::Boolean(_) => {}
        other => panic!("nobody looks into {other:?}"),
    }
    bytes.push(b'\n');
}

/// Every command that a Redis is sent, so that what lives there for a moment only is seen too.
#[derive(Debug)]
pub(crate) struct Monitor(Arc<Mutex<Vec<u8>>>);

impl Monitor {
    /// `address` is `host:port`.
    pub(crate) fn of(address: &str) -> Self {
        let mut connection = TcpStream::connect(address).expect("Redis answers");
        connection.write_all(b"MONITOR\r\n").expect("asked");
        let seen = Arc::<Mutex<Vec<u8>>>::default();
        thread::spawn({
            let seen = Arc::clone(&seen);
            move || {
                let mut buffer = vec![0; 64 * 1024];
                // Until that Redis ends.
                while let Ok(length @ 1..) = connection.read(&mut buffer) {
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.extend_from_slice(&buffer[..length]);
                }
            }
        });
        Self(seen)
    }

    pub(crate) fn seen(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
