//! Tries in Redis: one script a charge, so that any number of servers count as one.

use std::{sync::LazyLock, time::Duration};

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use redis::Script;

use crate::{
    domain::clock::Timestamp,
    storage::{
        StoreError,
        limits::LimitKey,
        redis::connection::Connection,
        throttle::{Charged, Pace, Throttle},
    },
};

/// [`Pace::charge`] in milliseconds over all keys, or none. Arguments: now, then of each key free tries, first and longest
/// pause, memory. A key holds `count:last`. Answers 0, or how long to wait, at least 1.
static CHARGE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local now, wait, next = tonumber(ARGV[1]), 0, {}
        for i, key in ipairs(KEYS) do
            local at = 2 + (i - 1) * 4
            local free, first, longest = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
            local memory = tonumber(ARGV[at + 3])
            local count, last = string.match(redis.call('GET', key) or '', '^(%d+):(%d+)$')
            count, last = tonumber(count or 0), tonumber(last or 0)
            if now >= last + memory then count = 0 end
            local pause = 0
            if count > 0 and count >= free then
                pause = math.min(first * 2 ^ math.min(count - free, 20), longest)
            end
            if now < last + pause then wait = math.max(wait, last + pause - now) end
            next[i] = {count + 1, memory}
        end
        if wait > 0 then return wait end
        for i, key in ipairs(KEYS) do
            redis.call('SET', key, string.format('%.0f:%.0f', next[i][1], now), 'PX', next[i][2])
        end
        return 0
        ",
    )
});

/// Arguments: how many of the keys are forgotten; the others are refunded one try.
static SUCCEED: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        for i, key in ipairs(KEYS) do
            if i <= tonumber(ARGV[1]) then
                redis.call('DEL', key)
            else
                local count, last = string.match(redis.call('GET', key) or '', '^(%d+):(%d+)$')
                if count and tonumber(count) > 0 then
                    redis.call('SET', key, string.format('%.0f:%s', tonumber(count) - 1, last), 'KEEPTTL')
                end
            end
        end
        return 0
        ",
    )
});

/// The adapter.
#[derive(Clone, Debug)]
pub struct RedisThrottle(Connection);

impl RedisThrottle {
    pub(super) const fn new(connection: Connection) -> Self {
        Self(connection)
    }

    fn key(&self, key: &LimitKey) -> String {
        self.0.key(&format!("th:{}", HEXLOWER.encode(&key.0)))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[async_trait]
impl Throttle for RedisThrottle {
    async fn charge(&self, keys: &[(LimitKey, Pace)], now: Timestamp) -> Result<Charged, StoreError> {
        let mut call = CHARGE.prepare_invoke();
        call.arg(now.as_millis());
        for (key, pace) in keys {
            call.key(self.key(key));
            call.arg(pace.free);
            for duration in [pace.first_pause, pace.longest_pause, pace.memory] {
                call.arg(millis(duration));
            }
        }
        Ok(match self.0.run(&call).await? {
            0_u64 => Charged::Admitted,
            wait => Charged::Refused {
                retry_after: Duration::from_millis(wait),
            },
        })
    }

    async fn succeed(&self, forgotten: &[LimitKey], refunded: &[LimitKey]) -> Result<(), StoreError> {
        let mut call = SUCCEED.prepare_invoke();
        call.arg(forgotten.len());
        for key in forgotten.iter().chain(refunded) {
            call.key(self.key(key));
        }
        self.0.run::<u64>(&call).await?;
        Ok(())
    }
}
