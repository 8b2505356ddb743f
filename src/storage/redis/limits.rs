//! Buckets in Redis: one script a spend, so that any number of servers share each limit exactly.
//!
//! The time is the server's own, as in every other adapter: two servers whose clocks differ by `d` let up to
//! `d / interval` more through. Servers keep their clocks by NTP.

use std::{sync::LazyLock, time::Duration};

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use redis::Script;

use crate::{
    domain::clock::Timestamp,
    storage::{
        StoreError,
        limits::{LimitKey, Limits, Quota, Spent},
        redis::connection::Connection,
    },
};

/// [`gcra`](crate::storage::limits::gcra) in microseconds. Arguments: now, interval, burst. Answers whether it is
/// allowed, and the time until one more is, or until the bucket is full.
static SPEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local now, interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
        local arrival = tonumber(redis.call('GET', KEYS[1]) or now)
        if arrival < now then arrival = now end
        if arrival > now + interval * burst then arrival = now + interval * burst end
        local next = arrival + interval
        local allowed_at = next - interval * burst
        if allowed_at > now then
            return {0, allowed_at - now, 0}
        end
        redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000))
        return {1, next - now, math.floor((now - allowed_at) / interval)}
        ",
    )
});

/// The adapter.
#[derive(Clone, Debug)]
pub struct RedisLimits(Connection);

impl RedisLimits {
    pub(super) const fn new(connection: Connection) -> Self {
        Self(connection)
    }
}

#[async_trait]
impl Limits for RedisLimits {
    async fn spend(&self, key: LimitKey, quota: Quota, now: Timestamp) -> Result<Spent, StoreError> {
        let interval = quota.period / quota.burst.max(1);
        let mut call = SPEND.key(self.0.key(&format!("rl:{}", HEXLOWER.encode(&key.0))));
        call.arg(now.as_millis() * 1000);
        call.arg(u64::try_from(interval.as_micros()).unwrap_or(u64::MAX));
        call.arg(quota.burst);
        let (allowed, wait, remaining): (u8, u64, u32) = self.0.run(&call).await?;
        let wait = Duration::from_micros(wait);
        Ok(if allowed == 1 {
            Spent::Allowed {
                remaining,
                reset_after: wait,
            }
        } else {
            Spent::Refused { retry_after: wait }
        })
    }
}
