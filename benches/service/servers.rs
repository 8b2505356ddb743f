//! The production stores that `MONGO_URL` and `REDIS_URL` name.

use std::{
    io::{self, Write as _},
    path::Path,
};

use anyhow::Context as _;
use mongodb::bson::doc;
use redis::aio::MultiplexedConnection;
use sealgate::config::{Config, Source, stores::ProductionStores};

/// The environment's configuration, which names them.
pub(crate) fn config() -> anyhow::Result<Config> {
    let config = crate::load(Source::from_environment(Path::new(".")))?;
    production(&config)?;
    Ok(config)
}

/// Where they are.
pub(crate) fn production(config: &Config) -> anyhow::Result<&ProductionStores> {
    let production = config.stores.production.as_ref();
    production.context("set MONGO_URL and REDIS_URL to servers to measure with")
}

/// A connection for what no port asks.
pub(crate) async fn redis(stores: &ProductionStores) -> anyhow::Result<MultiplexedConnection> {
    let client = redis::Client::open(stores.redis.url.expose())?;
    Ok(client.get_multiplexed_async_connection().await?)
}

/// Every key of this run.
pub(crate) async fn keys(stores: &ProductionStores) -> anyhow::Result<Vec<String>> {
    let pattern = format!("{}*", stores.redis.prefix);
    let mut connection = redis(stores).await?;
    Ok(redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await?)
}

/// Prints what answers. mongo-java-server calls itself MongoDB 7; only a `mongod` has storage engines.
pub(crate) async fn name() -> anyhow::Result<()> {
    let config = config()?;
    let stores = production(&config)?;
    let client = mongodb::Client::with_uri_str(stores.mongo.url.expose()).await?;
    let built = client.database("admin").run_command(doc! { "buildInfo": 1 }).await?;
    let mongo = if built.contains_key("storageEngines") {
        let version = built.get_str("version")?;
        let said = client.database("admin").run_command(doc! { "hello": 1 }).await?;
        let set = if said.contains_key("setName") {
            "a replica set"
        } else {
            "standalone"
        };
        format!("mongod {version}, {set}")
    } else {
        "no mongod, but mongo-java-server or its like".to_owned()
    };
    let mut connection = redis(stores).await?;
    let told: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await?;
    let version = told.lines().find_map(|line| line.strip_prefix("redis_version:"));
    let version = version.unwrap_or("of an unknown version").trim();
    writeln!(io::stdout(), "MongoDB's protocol: {mongo}; Redis {version}")?;
    Ok(())
}

/// Removes what the run put into them.
pub(crate) async fn forget() -> anyhow::Result<()> {
    let config = config()?;
    let stores = production(&config)?;
    let client = mongodb::Client::with_uri_str(stores.mongo.url.expose()).await?;
    for database in [&stores.mongo.database, &stores.mongo.keys_database] {
        client.database(database).drop().await?;
    }
    let keys = keys(stores).await?;
    if !keys.is_empty() {
        let mut connection = redis(stores).await?;
        let () = redis::cmd("UNLINK").arg(keys).query_async(&mut connection).await?;
    }
    Ok(())
}
