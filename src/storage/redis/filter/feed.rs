//! Keeps the copy: loads it, takes what the feed brings, compares it with the shared counter by period.

use std::time::Duration;

use data_encoding::HEXLOWER;
use futures_util::StreamExt as _;
use redis::Msg;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    crypto::filter_item::FilterItem,
    storage::{
        StoreError,
        redis::{
            connection::{Connection, unavailable},
            filter::{
                Found, RedisFilter,
                draft::CHUNK,
                replica::{Replica, Seen},
            },
        },
    },
};

/// So many times in the time that a "no" may be old is the shared counter looked at.
const LOOKS: u32 = 4;
/// The whole copy is read again that often, though nothing is missing.
const READ_AGAIN: Duration = Duration::from_mins(10);
/// Between two tries to reach Redis.
const PAUSE: Duration = Duration::from_millis(250);
/// For connecting, and for every piece of the bitmap.
const PATIENCE: Duration = Duration::from_secs(5);

impl RedisFilter {
    /// Keeps the copy until `stop`. While Redis is away, every answer is "maybe".
    pub async fn follow(&self, stop: CancellationToken) {
        let mut was_lost = false;
        while !stop.is_cancelled() {
            let result = tokio::select! {
                () = stop.cancelled() => return,
                result = self.follow_once() => result,
            };
            if let Err(error) = result {
                if !was_lost {
                    tracing::warn!(%error, "the e-mail filter's feed is lost; every address is looked up until it is back");
                }
                was_lost = true;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// One connection's life. Subscribes first: what is added while the bitmap is read waits on the feed.
    async fn follow_once(&self) -> Result<(), StoreError> {
        let subscribed = timeout(PATIENCE, async {
            let mut feed = self
                .client
                .get_async_pubsub()
                .await
                .map_err(|error| unavailable(&error))?;
            feed.subscribe(self.key("feed"))
                .await
                .map_err(|error| unavailable(&error))?;
            Ok(feed)
        });
        let cut = || StoreError::Unavailable("Redis: the feed was cut".into());
        let feed = subscribed.await.map_err(|_| cut())??;
        let mut messages = feed.into_on_message();
        // Whatever was missed while there was no feed.
        self.change(|state| state.replica = None);
        let mut read_at = Instant::now();
        let mut looks = interval(self.options.freshness / LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = messages.next() => {
                    if self.take(&message.ok_or_else(cut)?) == Seen::Lost {
                        self.change(|state| state.replica = None);
                    }
                }
                _ = looks.tick() => {
                    if read_at.elapsed() >= READ_AGAIN {
                        self.change(|state| state.replica = None);
                    }
                    if self.compare().await? {
                        read_at = Instant::now();
                    }
                }
            }
        }
    }

    fn take(&self, message: &Msg) -> Seen {
        let Some((generation, counter, items)) = parse(message.get_payload_bytes()) else {
            tracing::warn!("the e-mail filter's feed brought something else");
            return Seen::Lost;
        };
        self.change(|state| match &mut state.replica {
            Some(replica) if replica.shape.id == generation => replica.take(counter, &items),
            _ => Seen::Following,
        })
    }

    /// Compares the copy with the shared counter, and reads the bitmap where the copy is of another generation or lacks
    /// something. Answers whether it read it.
    async fn compare(&self) -> Result<bool, StoreError> {
        let asked_at = Instant::now();
        let Some(found) = self.look().await? else {
            self.change(|state| state.replica = None);
            return Ok(false);
        };
        let is_trusted = self.run().await? == found.run;
        let basis = found.basis.parse().unwrap_or_default();
        let seen = self.change(|state| match &mut state.replica {
            Some(replica) if replica.shape == found.shape => {
                replica.cover(basis);
                replica.observe(found.counter, is_trusted, asked_at)
            }
            _ => Seen::Lost,
        });
        if seen == Seen::Following {
            return Ok(false);
        }
        let mut replica = self.read(&found).await?;
        // A bitmap that was replaced while it was read may have ended early.
        let is_still_there = self.look().await?.is_some_and(|now| now.shape == found.shape);
        replica.observe(found.counter, is_trusted, asked_at);
        self.change(|state| state.replica = is_still_there.then_some(replica));
        Ok(is_still_there)
    }

    /// Reads the bitmap: at least everything that the counter counted when it was looked at.
    async fn read(&self, found: &Found) -> Result<Replica, StoreError> {
        let connection = Connection::open(&self.client, "", PATIENCE).await?;
        let (key, size) = (self.key(&format!("{}:bits", found.shape.id)), found.shape.bytes);
        let mut stored = Vec::with_capacity(size);
        while stored.len() < size {
            let (from, to) = (stored.len(), (stored.len() + CHUNK).min(size) - 1);
            let piece: Vec<u8> = connection
                .ask(redis::cmd("GETRANGE").arg(&key).arg(from).arg(to))
                .await?;
            if piece.is_empty() {
                break;
            }
            stored.extend_from_slice(&piece);
        }
        let bits = found.shape.read_redis(&self.seed, &stored)?;
        let basis = found.basis.parse().unwrap_or_default();
        Ok(Replica::new(found.shape.clone(), bits, basis, found.counter))
    }
}

/// Generation, counter, items in hex.
fn parse(message: &[u8]) -> Option<(&str, u64, Vec<FilterItem>)> {
    let mut parts = std::str::from_utf8(message).ok()?.split(' ');
    let (generation, counter, items) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
    let items = items.split(',').map(|hex| {
        let bytes = HEXLOWER.decode(hex.as_bytes()).ok()?;
        bytes.try_into().ok().map(FilterItem::from_bytes)
    });
    Some((generation, counter, items.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_none_is_refused() {
        let item = "07".repeat(32);
        let message = format!("g 12 {item},{item}");
        let (generation, counter, items) = parse(message.as_bytes()).expect("a message");
        assert_eq!((generation, counter, items.len()), ("g", 12, 2));
        assert!(items.iter().all(|item| *item == FilterItem::from_bytes([7; 32])));
        for broken in ["", "g", "g 1", "g x 07", "g 1 07", "g 1 zz", "g -1 07"] {
            assert_eq!(parse(broken.as_bytes()), None, "{broken}");
        }
    }
}
