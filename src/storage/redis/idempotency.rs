//! Remembered requests in Redis: a hash each, gone by itself when its time is over.

use std::sync::LazyLock;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use redis::Script;

use crate::{
    domain::clock::Timestamp,
    storage::{
        StoreError,
        idempotency::{Begun, Idempotency, IdempotencyKey, Remembered},
        redis::connection::Connection,
    },
};

/// Arguments: body digest, end, now, lifetime in milliseconds. Answers what was there, or nothing.
static BEGIN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local seen = redis.call('HMGET', KEYS[1], 'body', 'answer', 'end')
        if seen[1] and tonumber(seen[3]) > tonumber(ARGV[3]) then
            return seen
        end
        redis.call('DEL', KEYS[1])
        redis.call('HSET', KEYS[1], 'body', ARGV[1], 'end', ARGV[2])
        redis.call('PEXPIRE', KEYS[1], ARGV[4])
        return false
        ",
    )
});

/// A request that was forgotten meanwhile stays forgotten.
static FINISH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('EXISTS', KEYS[1]) == 1 then
            redis.call('HSET', KEYS[1], 'answer', ARGV[1])
        end
        ",
    )
});

/// The adapter.
#[derive(Clone, Debug)]
pub struct RedisIdempotency(Connection);

impl RedisIdempotency {
    pub(super) const fn new(connection: Connection) -> Self {
        Self(connection)
    }

    fn name(&self, key: IdempotencyKey) -> String {
        self.0.key(&format!("id:{}", HEXLOWER.encode(&key.0)))
    }
}

#[async_trait]
impl Idempotency for RedisIdempotency {
    async fn begin(&self, key: IdempotencyKey, request: &Remembered, now: Timestamp) -> Result<Begun, StoreError> {
        let name = self.name(key);
        let mut call = BEGIN.key(&name);
        call.arg(&request.body[..]);
        call.arg(request.expires_at.as_millis());
        call.arg(now.as_millis());
        call.arg(u64::try_from(request.expires_at.since(now).as_millis()).unwrap_or(u64::MAX));
        let seen: Option<(Vec<u8>, Option<String>, i64)> = self.0.run(&call).await?;
        Ok(match seen {
            None => Begun::First,
            Some((body, answer, end)) => Begun::Seen(Remembered {
                body: body
                    .try_into()
                    .map_err(|_| StoreError::Damaged("a remembered request".to_owned()))?,
                answer,
                expires_at: Timestamp::from_millis(end),
            }),
        })
    }

    async fn finish(&self, key: IdempotencyKey, answer: &str) -> Result<(), StoreError> {
        let mut call = FINISH.key(self.name(key));
        call.arg(answer);
        self.0.run(&call).await
    }

    async fn forget(&self, key: IdempotencyKey) -> Result<(), StoreError> {
        self.0.ask(redis::cmd("DEL").arg(self.name(key))).await
    }
}
