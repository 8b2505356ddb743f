//! One multiplexed connection that is made again by itself.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use redis::{
    Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, ScriptInvocation, TlsCertificates,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

use crate::storage::{StoreError, redis::RedisOptions};

/// The connection, and what its key names begin with.
#[derive(Clone)]
pub(super) struct Connection {
    manager: Arc<RwLock<ConnectionManager>>,
    client: Client,
    patience: Duration,
    prefix: String,
}

/// Reads the URL; connects to nothing yet.
pub(super) fn client(options: &RedisOptions) -> Result<Client, StoreError> {
    let url = options.url.expose();
    let client = match &options.authority {
        None => Client::open(url),
        Some(pem) => {
            let certificates = TlsCertificates {
                client_tls: None,
                root_cert: Some(pem.clone()),
            };
            Client::build_with_tls(url, certificates)
        }
    };
    // The library's words may repeat the URL and with it the password.
    client.map_err(|_| StoreError::Unavailable("REDIS_URL is not a Redis URL, or REDIS_CA_FILE no certificate".into()))
}

/// Makes connections that are made again by themselves, and connects at their first use.
pub(super) fn lazily(client: &Client, patience: Duration) -> RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(Duration::from_secs(1)))
        .set_response_timeout(Some(patience))
        // Who asks is told at once; the next one to ask tries again.
        .set_number_of_retries(0)
        .set_pipeline_buffer_size(1024);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

impl Connection {
    /// Connects.
    pub(super) async fn open(client: &Client, prefix: &str, patience: Duration) -> Result<Self, StoreError> {
        let manager = lazily(client, patience).map_err(|error| unavailable(&error))?;
        let opened = Self {
            manager: Arc::new(RwLock::new(manager)),
            client: client.clone(),
            patience,
            prefix: prefix.to_owned(),
        };
        let () = opened.ask(&redis::cmd("PING")).await?;
        Ok(opened)
    }

    /// The whole name of a key.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let mut manager = self.manager();
        self.told(command.query_async(&mut manager).await)
    }

    pub(super) async fn ask_all<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, StoreError> {
        let mut manager = self.manager();
        self.told(commands.query_async(&mut manager).await)
    }

    pub(super) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        let mut manager = self.manager();
        self.told(script.invoke_async(&mut manager).await)
    }

    fn manager(&self) -> ConnectionManager {
        self.manager.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn told<T>(&self, answer: RedisResult<T>) -> Result<T, StoreError> {
        answer.map_err(|error| {
            // The library makes a broken connection again, and keeps one that was refused for ever: a password that was
            // wrong for a second would be wrong until the process ends.
            if !error.is_io_error()
                && is_refusal(&error)
                && let Ok(fresh) = lazily(&self.client, self.patience)
            {
                *self.manager.write().unwrap_or_else(PoisonError::into_inner) = fresh;
            }
            unavailable(&error)
        })
    }
}

/// Whether Redis does not know who asks, or does not let them.
fn is_refusal(error: &RedisError) -> bool {
    matches!(
        (error.kind(), error.code()),
        (ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig, _)
            | (_, Some("NOAUTH" | "WRONGPASS" | "NOPERM"))
    )
}

/// Never the library's whole text: it may quote what was sent.
pub(super) fn unavailable(error: &RedisError) -> StoreError {
    let mend = match (error.kind(), error.code()) {
        (ErrorKind::InvalidClientConfig, _) => "; check REDIS_URL",
        _ if is_refusal(error) => "; check the user and password of REDIS_URL",
        _ if error.is_io_error() => "; check that it runs where REDIS_URL says",
        _ => "",
    };
    StoreError::Unavailable(format!("Redis: {}{mend}", error.category()))
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}
