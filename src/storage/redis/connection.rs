//! One multiplexed connection that is made again by itself.

use std::{fmt, time::Duration};

use redis::{
    Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, ScriptInvocation, TlsCertificates,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

use crate::storage::{StoreError, redis::RedisOptions};

/// The connection, and what its key names begin with.
#[derive(Clone)]
pub(super) struct Connection {
    manager: ConnectionManager,
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

impl Connection {
    pub(super) async fn open(client: &Client, prefix: &str, patience: Duration) -> Result<Self, StoreError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(1)))
            .set_response_timeout(Some(patience))
            // Who asks is told at once; the next one to ask tries again.
            .set_number_of_retries(0)
            .set_pipeline_buffer_size(1024);
        let manager = ConnectionManager::new_with_config(client.clone(), config)
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(Self {
            manager,
            prefix: prefix.to_owned(),
        })
    }

    pub(super) fn manager(&self) -> ConnectionManager {
        self.manager.clone()
    }

    /// The whole name of a key.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let mut manager = self.manager.clone();
        command
            .query_async(&mut manager)
            .await
            .map_err(|error| unavailable(&error))
    }

    pub(super) async fn ask_all<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, StoreError> {
        let mut manager = self.manager.clone();
        commands
            .query_async(&mut manager)
            .await
            .map_err(|error| unavailable(&error))
    }

    pub(super) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        let mut manager = self.manager.clone();
        script
            .invoke_async(&mut manager)
            .await
            .map_err(|error| unavailable(&error))
    }
}

/// Never the library's whole text: it may quote what was sent.
pub(super) fn unavailable(error: &RedisError) -> StoreError {
    let mend = match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS" | "NOPERM")) => {
            "; check the user and password of REDIS_URL"
        }
        (ErrorKind::InvalidClientConfig, _) => "; check REDIS_URL",
        _ => "",
    };
    StoreError::Unavailable(format!("Redis: {}{mend}", error.category()))
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}
