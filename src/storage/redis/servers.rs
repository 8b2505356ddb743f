//! Which servers live: each says so, and reads how many do. While Redis is away, each takes its share of every limit.

use crate::storage::{StoreError, redis::connection::Connection};

/// A server that said nothing for so long is not counted.
const SILENCE_MS: u64 = 30_000;

/// Notes that `server` lives, by Redis's own clock, and answers how many do.
pub(super) async fn count_servers(connection: &Connection, server: &str) -> Result<u32, StoreError> {
    let (seconds, micros): (u64, u64) = connection.ask(&redis::cmd("TIME")).await?;
    let now = seconds * 1000 + micros / 1000;
    let key = connection.key("servers");
    let mut commands = redis::pipe();
    commands
        .atomic()
        .cmd("ZADD")
        .arg(&key)
        .arg(now)
        .arg(server)
        .ignore()
        .cmd("ZREMRANGEBYSCORE")
        .arg(&key)
        .arg(0)
        .arg(now.saturating_sub(SILENCE_MS))
        .ignore()
        .cmd("PEXPIRE")
        .arg(&key)
        .arg(SILENCE_MS * 2)
        .ignore()
        .cmd("ZCARD")
        .arg(&key);
    let (count,): (u32,) = connection.ask_all(&commands).await?;
    Ok(count)
}
