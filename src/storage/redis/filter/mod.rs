//! The e-mail filter: a bitmap in Redis that all servers share, and each server's copy of it.
//!
//! Redis 7 has no Bloom commands; a bitmap and scripts do. The copy is loaded at start, fed by the feed, compared by
//! period, and read again whenever something is missing; see [`replica`] for what lets it say "no". A generation that
//! another Redis process built, or that lost its last second when Redis was restarted, is not trusted: every answer is
//! "maybe" until it is rebuilt.
//!
//! Growing, forgetting what expired and following another index key are one thing: a rebuild. While it goes on,
//! additions go into both generations; at its end a pointer moves.

mod draft;
mod feed;
mod replica;
mod scripts;
mod shape;

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use redis::Client;
use tokio::time::Instant;

use self::{draft::RedisDraft, replica::Replica, shape::Shape};
use crate::{
    crypto::filter_item::FilterItem,
    domain::{
        clock::Timestamp,
        entropy::{Entropy, make_bytes},
    },
    storage::{
        StoreError,
        email_filter::{Added, BeginError, Draft, EmailFilter, GenerationStatus, Lookup},
        redis::{connection::Connection, info},
    },
};

/// How large, and how often what.
#[derive(Clone, Copy, Debug)]
pub struct FilterOptions {
    /// Items that a generation is for, at least.
    pub capacity: u64,
    /// Of look-ups of unknown addresses, the share that goes to the database all the same, when it is full.
    pub false_positive_rate: f64,
    /// How old a "no" may be.
    pub freshness: Duration,
}

impl Default for FilterOptions {
    fn default() -> Self {
        Self {
            capacity: 1_000_000,
            false_positive_rate: 0.001,
            freshness: Duration::from_secs(1),
        }
    }
}

/// How often an addition looks again when generations change under it.
const ATTEMPTS: u32 = 8;

/// What was seen at the last look.
#[derive(Default)]
struct State {
    current: Option<Shape>,
    building: Option<Shape>,
    replica: Option<Replica>,
}

/// The adapter.
pub struct RedisFilter {
    connection: Connection,
    client: Client,
    seed: [u8; 32],
    options: FilterOptions,
    entropy: Arc<dyn Entropy>,
    state: RwLock<State>,
}

/// A generation as the last look found it.
struct Found {
    shape: Shape,
    counter: u64,
    run: String,
    basis: String,
}

impl RedisFilter {
    pub(super) fn new(
        connection: Connection,
        client: Client,
        seed: [u8; 32],
        options: FilterOptions,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            connection,
            client,
            seed,
            options,
            entropy,
            state: RwLock::default(),
        }
    }

    fn key(&self, name: &str) -> String {
        self.connection.key(&format!("f:{name}"))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn known(&self) -> [Option<Shape>; 2] {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        [state.current.clone(), state.building.clone()]
    }

    /// Which generations there are.
    async fn look(&self) -> Result<Option<Found>, StoreError> {
        let mut call = scripts::LOOK.key(self.key("current"));
        call.key(self.key("building")).arg(self.key(""));
        let told: Vec<String> = self.connection.run(&call).await?;
        let mut found = told.chunks_exact(6).map(|told| match told {
            [id, capacity, bytes, counter, run, basis] if !id.is_empty() => Some(Found {
                shape: Shape {
                    id: id.clone(),
                    capacity: capacity.parse().ok()?,
                    bytes: bytes.parse().ok()?,
                },
                counter: counter.parse().unwrap_or(0),
                run: run.clone(),
                basis: basis.clone(),
            }),
            _ => None,
        });
        let (current, building) = (found.next().flatten(), found.next().flatten());
        self.change(|state| {
            state.current = current.as_ref().map(|found| found.shape.clone());
            state.building = building.map(|found| found.shape);
        });
        Ok(current)
    }

    /// Which Redis process answers. Asked after what it is compared with: what an older process told counts as told by
    /// the younger.
    async fn run(&self) -> Result<String, StoreError> {
        let run = info(&self.connection, "server", "run_id").await?;
        run.ok_or_else(|| StoreError::Unavailable("Redis tells no run_id".into()))
    }

    async fn try_add(&self, known: &[Option<Shape>; 2], items: &[FilterItem]) -> Result<i8, StoreError> {
        let mut call = scripts::ADD.key(self.key("current"));
        call.key(self.key("building"));
        let hex: Vec<String> = items.iter().map(|item| HEXLOWER.encode(item.as_bytes())).collect();
        call.arg(self.key("")).arg(self.key("feed"));
        call.arg(hex.join(",")).arg(items.len());
        for shape in known {
            let Some(shape) = shape else {
                call.arg("").arg(0);
                continue;
            };
            let offsets: Vec<u64> = items.iter().flat_map(|item| shape.offsets(&self.seed, item)).collect();
            call.arg(&shape.id).arg(offsets.len()).arg(offsets);
        }
        self.connection.run(&call).await
    }

    /// A generation to build; `None` where somebody else builds it.
    async fn begin_shape(&self, expected: u64, now: Timestamp, is_builder: bool) -> Result<Option<Shape>, StoreError> {
        let id = HEXLOWER.encode(&make_bytes::<8>(&*self.entropy));
        let shape = Shape::new(
            id,
            expected.max(self.options.capacity),
            self.options.false_positive_rate,
        );
        let mut call = scripts::BEGIN.key(self.key("building"));
        call.arg(self.key(""))
            .arg(&shape.id)
            .arg(shape.capacity)
            .arg(shape.bytes);
        call.arg(now.as_millis())
            .arg(scripts::HELD_SECONDS)
            .arg(u8::from(is_builder));
        let begun: Vec<String> = self.connection.run(&call).await?;
        Ok(match begun.as_slice() {
            [id, capacity, bytes] => Some(Shape {
                id: id.clone(),
                capacity: capacity.parse().unwrap_or(1),
                bytes: bytes.parse().unwrap_or(1),
            }),
            _ => None,
        })
    }
}

#[async_trait]
impl EmailFilter for RedisFilter {
    fn has_none_of(&self, lookup: Lookup<'_>) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let freshness = self.options.freshness;
        let replica = state.replica.as_ref();
        replica.is_some_and(|replica| replica.has_none_of(lookup, Instant::now(), freshness))
    }

    async fn add(&self, items: &[FilterItem]) -> Result<Added, StoreError> {
        for _ in 0..ATTEMPTS {
            let known = self.known();
            let added = match self.try_add(&known, items).await {
                // Once more: a connection that broke while nobody used it is found out by the first to do so.
                Err(_) => self.try_add(&known, items).await,
                added => added,
            };
            match added? {
                -1 => {
                    self.look().await?;
                }
                // Redis was emptied: whoever rebuilds it finds what is added until then.
                -2 => {
                    self.begin_shape(0, Timestamp::from_millis(0), false).await?;
                    self.look().await?;
                }
                newly => {
                    self.change(|state| {
                        if let Some(replica) = &mut state.replica {
                            replica.set(items);
                        }
                    });
                    return Ok(if newly == 1 { Added::Newly } else { Added::Already });
                }
            }
        }
        Err(StoreError::Contended)
    }

    fn freshness(&self) -> Duration {
        self.options.freshness
    }

    async fn status(&self) -> Result<Option<GenerationStatus>, StoreError> {
        let Some(found) = self.look().await? else {
            return Ok(None);
        };
        let meta = self.key(&format!("{}:meta", found.shape.id));
        let (made_at, items): (Option<i64>, Option<u64>) = self
            .connection
            .ask(redis::cmd("HMGET").arg(meta).arg("made_at").arg("items"))
            .await?;
        let bits = self.key(&format!("{}:bits", found.shape.id));
        let bits_set: u64 = self.connection.ask(redis::cmd("BITCOUNT").arg(bits)).await?;
        let run = self.run().await?;
        Ok(Some(GenerationStatus {
            capacity: found.shape.capacity,
            items: items.unwrap_or(0),
            bits: found.shape.bytes as u64 * 8,
            bits_set,
            made_at: Timestamp::from_millis(made_at.unwrap_or(0)),
            is_trusted: found.run == run,
            basis: found.basis.parse().unwrap_or_default(),
            id: found.shape.id,
        }))
    }

    async fn begin(&self, expected: u64, now: Timestamp) -> Result<Box<dyn Draft>, BeginError> {
        // Before it is begun: what a restart in between loses makes the generation one of another run.
        let run = self.run().await?;
        let shape = self.begin_shape(expected, now, true).await?.ok_or(BeginError::Busy)?;
        Ok(Box::new(RedisDraft {
            connection: self.connection.clone(),
            bits: shape.empty(&self.seed)?,
            shape,
            taken: 0,
            run,
        }))
    }
}

impl fmt::Debug for RedisFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisFilter")
    }
}
