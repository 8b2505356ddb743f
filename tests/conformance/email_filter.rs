//! The e-mail filter in Redis, with several servers.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use sealgate::{
    crypto::{filter_item::FilterItem, system_entropy::SystemEntropy},
    domain::{clock::Timestamp, entropy::make_bytes, private::Private, user_type::UserType},
    storage::{
        email_filter::{Added, Basis, BeginError, EmailFilter as _, Lookup},
        redis::{self, FilterOptions, RedisFilter, RedisOptions},
    },
};
use tokio_util::sync::CancellationToken;

use crate::{
    fault_proxy::{Fault, FaultProxy},
    harness::runtime,
    shared::test_redis_url,
};

const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);
const FRESHNESS: Duration = Duration::from_millis(80);

/// Servers of one installation, each with its own connections and its own copy.
struct Installation {
    url: String,
    prefix: String,
    stop: CancellationToken,
}

impl Installation {
    fn new() -> Self {
        Self {
            url: test_redis_url(),
            prefix: format!(
                "test:{}:",
                data_encoding::HEXLOWER.encode(&make_bytes::<8>(&SystemEntropy))
            ),
            stop: CancellationToken::new(),
        }
    }

    async fn server(&self) -> Arc<RedisFilter> {
        self.server_at(&self.url, 10_000).await
    }

    async fn server_at(&self, url: &str, capacity: u64) -> Arc<RedisFilter> {
        let options = RedisOptions {
            url: Private::new(url.to_owned()),
            authority: None,
            prefix: self.prefix.clone(),
        };
        let redis = redis::open(&options).await.expect("Redis answers");
        let options = FilterOptions {
            capacity,
            false_positive_rate: 0.001,
            freshness: FRESHNESS,
        };
        let filter = Arc::new(redis.email_filter([7; 32], options, Arc::new(SystemEntropy)));
        let (following, stop) = (Arc::clone(&filter), self.stop.clone());
        tokio::spawn(async move { following.follow(stop).await });
        filter
    }

    /// The same Redis, through a proxy.
    async fn proxy(&self) -> (FaultProxy, String) {
        let parsed = url::Url::parse(&self.url).expect("a URL");
        let target: SocketAddr = format!("127.0.0.1:{}", parsed.port().unwrap_or(6379))
            .parse()
            .expect("an address");
        let proxy = FaultProxy::before(target).await;
        let mut url = parsed;
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(proxy.address().port())).expect("a port");
        (proxy, url.to_string())
    }

    /// As after FLUSHALL, for this installation alone.
    async fn flush(&self) {
        let client = ::redis::Client::open(self.url.as_str()).expect("a URL");
        let mut connection = client.get_multiplexed_async_connection().await.expect("Redis answers");
        let keys: Vec<String> = ::redis::cmd("KEYS")
            .arg(format!("{}*", self.prefix))
            .query_async(&mut connection)
            .await
            .expect("keys");
        let _: u64 = ::redis::cmd("DEL")
            .arg(keys)
            .query_async(&mut connection)
            .await
            .expect("gone");
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[expect(
    clippy::print_stdout,
    reason = "a figure for whoever runs the tests with --success-output"
)]
fn say(figure: &str) {
    println!("{figure}");
}

fn user_type() -> UserType {
    "User1".parse().expect("valid")
}

fn basis() -> Basis {
    Basis::new([(user_type(), 1)])
}

fn item(number: u64) -> FilterItem {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    FilterItem::from_bytes(bytes)
}

fn denies(filter: &RedisFilter, number: u64) -> bool {
    filter.has_none_of(Lookup {
        user_type: &user_type(),
        versions: &[1],
        items: &[item(number)],
    })
}

/// An empty generation that is current.
async fn establish(filter: &RedisFilter) {
    let draft = filter.begin(0, NOW).await.expect("nobody builds");
    assert!(draft.finish(&basis()).await.expect("finishes"));
}

async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "no {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn until_denied(filter: &RedisFilter, number: u64) {
    eventually("a certain no", async || denies(filter, number).then_some(())).await;
}

#[test]
fn nobody_is_denied_before_there_is_a_generation_and_strangers_are_after() {
    runtime().block_on(async {
        let installation = Installation::new();
        let (one, two) = (installation.server().await, installation.server().await);
        assert_eq!(one.status().await.expect("answers"), None);
        tokio::time::sleep(FRESHNESS).await;
        assert!(!denies(&one, 1));
        establish(&one).await;
        for server in [&one, &two] {
            until_denied(server, 1).await;
        }
        let status = one.status().await.expect("answers").expect("one");
        assert!(status.is_trusted && status.basis == basis() && status.bits_set == 0);
        let other = Lookup {
            user_type: &user_type(),
            versions: &[2],
            items: &[item(1)],
        };
        assert!(!one.has_none_of(other), "values of another index key were never added");
    });
}

#[test]
fn what_was_added_is_known_here_at_once_and_everywhere_in_time() {
    runtime().block_on(async {
        let installation = Installation::new();
        let (one, two) = (installation.server().await, installation.server().await);
        establish(&one).await;
        until_denied(&one, 1).await;
        until_denied(&two, 1).await;
        assert_eq!(one.add(&[item(1)]).await.expect("added"), Added::Newly);
        assert!(!denies(&one, 1));
        tokio::time::sleep(FRESHNESS).await;
        assert!(!denies(&two, 1));
        assert_eq!(two.add(&[item(1)]).await.expect("added"), Added::Already);
        until_denied(&two, 2).await;
    });
}

#[test]
fn what_is_added_while_a_generation_is_built_is_in_both() {
    runtime().block_on(async {
        let installation = Installation::new();
        let (one, two) = (installation.server().await, installation.server().await);
        establish(&one).await;
        until_denied(&two, 1).await;
        let mut draft = one.begin(0, NOW).await.expect("nobody builds");
        assert!(matches!(two.begin(0, NOW).await, Err(BeginError::Busy)));
        two.add(&[item(1)]).await.expect("added");
        draft.take(&[item(2)]);
        assert!(draft.hold().await.expect("answers"));
        assert!(!denies(&two, 1), "the old one still serves");
        assert!(draft.finish(&basis()).await.expect("finishes"));
        for server in [&one, &two] {
            eventually("the other generation", async || (!denies(server, 2)).then_some(())).await;
            until_denied(server, 3).await;
            assert!(!denies(server, 1) && !denies(server, 2));
        }
        let status = one.status().await.expect("answers").expect("one");
        assert_eq!(status.items, 2);
    });
}

#[test]
fn a_builder_that_was_overtaken_finishes_nothing() {
    runtime().block_on(async {
        let installation = Installation::new();
        let one = installation.server().await;
        let slow = one.begin(0, NOW).await.expect("nobody builds");
        installation.flush().await;
        establish(&one).await;
        until_denied(&one, 1).await;
        one.add(&[item(1)]).await.expect("added");
        assert!(!slow.hold().await.expect("answers"));
        assert!(!slow.finish(&basis()).await.expect("answers"));
        tokio::time::sleep(FRESHNESS * 2).await;
        assert!(!denies(&one, 1));
        // One that let go is gone on with.
        let draft = one.begin(0, NOW).await.expect("nobody builds");
        draft.abandon().await.expect("answers");
        let larger = one.begin(1_000_000, NOW).await.expect("nobody builds");
        assert_eq!(larger.capacity(), 1_000_000);
    });
}

#[test]
fn after_a_flush_nobody_is_denied_until_it_is_rebuilt_and_additions_go_on() {
    runtime().block_on(async {
        let installation = Installation::new();
        let (one, two) = (installation.server().await, installation.server().await);
        establish(&one).await;
        one.add(&[item(1)]).await.expect("added");
        until_denied(&two, 9).await;
        installation.flush().await;
        tokio::time::sleep(FRESHNESS * 2).await;
        assert!(!denies(&one, 1) && !denies(&two, 1) && !denies(&two, 9));
        assert_eq!(two.add(&[item(2)]).await.expect("added"), Added::Newly);
        let mut draft = one.begin(0, NOW).await.expect("what an addition made, nobody builds");
        draft.take(&[item(1)]);
        assert!(draft.finish(&basis()).await.expect("finishes"));
        until_denied(&two, 9).await;
        for server in [&one, &two] {
            assert!(!denies(server, 1) && !denies(server, 2));
        }
    });
}

#[test]
fn redis_holds_neither_the_seed_nor_more_than_the_bitmap_asks_for() {
    runtime().block_on(async {
        let installation = Installation::new();
        let one = installation.server_at(&installation.url, 1_000_000).await;
        establish(&one).await;
        one.add(&[item(1)]).await.expect("added");
        let client = ::redis::Client::open(installation.url.as_str()).expect("a URL");
        let mut connection = client.get_multiplexed_async_connection().await.expect("Redis answers");
        let keys: Vec<String> = ::redis::cmd("KEYS")
            .arg(format!("{}f:*", installation.prefix))
            .query_async(&mut connection)
            .await
            .expect("keys");
        let mut bytes = 0;
        for key in &keys {
            let dumped: Vec<u8> = ::redis::cmd("DUMP")
                .arg(key)
                .query_async(&mut connection)
                .await
                .expect("a value");
            assert!(
                !dumped.windows(32).any(|window| window == [7; 32]),
                "the seed is in {key}"
            );
            let held: u64 = ::redis::cmd("MEMORY")
                .arg("USAGE")
                .arg(key)
                .query_async(&mut connection)
                .await
                .expect("a size");
            bytes += held;
        }
        // -n ln p / (ln 2)², in bytes.
        let theory = 1_000_000.0 * 0.001_f64.ln().abs() / std::f64::consts::LN_2.powi(2) / 8.0;
        say(&format!(
            "{bytes} bytes in Redis for a million at 0.1 %, theory {theory:.0}"
        ));
        // SETBIT grows the string to the highest bit that was set, and Redis rounds up as it grows.
        #[expect(clippy::cast_precision_loss, reason = "a size")]
        let share = bytes as f64 / theory;
        assert!(share < 1.05, "{share}");
    });
}

/// Ten thousand times: added on one server, and a freshness later asked for on three others, while what their feeds bring
/// is delayed, dropped, doubled, put in another order and cut.
#[test]
fn nobody_who_was_added_is_denied_whatever_happens_to_the_feed() {
    const ROUNDS: u64 = 10_000;
    runtime().block_on(async {
        let installation = Installation::new();
        let (proxy, url) = installation.proxy().await;
        let writer = installation.server_at(&installation.url, 20_000).await;
        let mut readers = Vec::new();
        for _ in 0..3 {
            readers.push(installation.server_at(&url, 20_000).await);
        }
        establish(&writer).await;
        for reader in &readers {
            until_denied(reader, u64::MAX).await;
        }
        proxy.set(Fault::ShuffleFeed);
        let (nos, asked) = (AtomicUsize::new(0), AtomicUsize::new(0));
        stream::iter(0..ROUNDS)
            .for_each_concurrent(100, async |round| {
                writer.add(&[item(round)]).await.expect("added");
                tokio::time::sleep(FRESHNESS).await;
                for reader in &readers {
                    assert!(!denies(reader, round), "round {round}");
                    asked.fetch_add(1, Ordering::Relaxed);
                    nos.fetch_add(usize::from(denies(reader, u64::MAX - round)), Ordering::Relaxed);
                }
            })
            .await;
        let (nos, asked) = (nos.into_inner(), asked.into_inner());
        say(&format!(
            "{ROUNDS} rounds: none denied; {nos} of {asked} questions about strangers were answered with no"
        ));
        assert!(nos > 0, "a filter that never says no proves nothing");
        for reader in &readers {
            for round in 0..ROUNDS {
                assert!(!denies(reader, round), "round {round}, later");
            }
        }
    });
}

/// What the proxy can do beside shuffling: a slow Redis, one whose answers are lost, and one that is gone.
#[test]
fn additions_fail_or_are_known_and_nobody_is_denied_while_redis_is_slow_deaf_or_gone() {
    runtime().block_on(async {
        let installation = Installation::new();
        let (proxy, url) = installation.proxy().await;
        let (writer, reader) = (
            installation.server_at(&url, 10_000).await,
            installation.server_at(&url, 10_000).await,
        );
        establish(&writer).await;
        until_denied(&reader, u64::MAX).await;
        let faults = [
            Fault::Slow(Duration::from_millis(30)),
            Fault::LoseAnswers,
            Fault::Gone,
            Fault::None,
        ];
        for (number, fault) in (1_u64..).zip(faults) {
            proxy.set(fault);
            let added = writer.add(&[item(number)]).await;
            tokio::time::sleep(FRESHNESS).await;
            // Where the answer was lost it may be there; where it was not added, its record is not inserted.
            if added.is_ok() {
                assert!(!denies(&reader, number) && !denies(&writer, number), "{fault:?}");
            }
            if fault == Fault::Gone {
                assert!(added.is_err());
                assert!(!denies(&reader, u64::MAX), "nothing is compared, so nothing is denied");
            }
        }
        until_denied(&reader, u64::MAX).await;
    });
}
