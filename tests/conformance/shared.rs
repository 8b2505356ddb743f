//! What servers share beside the database: limits, remembered requests, leases.

use std::{sync::Arc, time::Duration};

use proptest::{
    prelude::{Strategy as _, any},
    strategy::ValueTree as _,
    test_runner::TestRunner,
};
use sealgate::{
    crypto::system_entropy::SystemEntropy,
    domain::{clock::Timestamp, entropy::make_bytes, private::Private},
    storage::{
        StoreError,
        idempotency::{Begun, Idempotency, IdempotencyKey, Remembered},
        leases::Leases,
        limits::{LimitKey, Limits, Quota, Spent},
        memory::{MemoryIdempotency, MemoryLimits, MemoryThrottle},
        redis::{self, RedisOptions, RedisShared},
        throttle::{Charged, Pace, Throttle, Tries},
    },
};

use crate::harness::{at_once, count, runtime};

const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);

/// One adapter set, opened twice: as one server has it, and another.
pub(crate) struct Servers {
    limits: [Arc<dyn Limits>; 2],
    idempotency: [Arc<dyn Idempotency>; 2],
    throttle: [Arc<dyn Throttle>; 2],
}

/// In process: the same one twice.
pub(crate) fn memory<F: Future<Output = ()>>(case: impl FnOnce(Servers) -> F) {
    let limits: Arc<dyn Limits> = Arc::new(MemoryLimits::default());
    let idempotency: Arc<dyn Idempotency> = Arc::new(MemoryIdempotency::default());
    let throttle: Arc<dyn Throttle> = Arc::new(MemoryThrottle::default());
    runtime().block_on(case(Servers {
        limits: [Arc::clone(&limits), limits],
        idempotency: [Arc::clone(&idempotency), idempotency],
        throttle: [Arc::clone(&throttle), throttle],
    }));
}

/// On the Redis that `TEST_REDIS_URL` names, under a prefix of its own.
pub(crate) fn redis<F: Future<Output = ()>>(case: impl FnOnce(Servers) -> F) {
    runtime().block_on(async {
        let [one, two] = two_connections(&test_redis_url()).await.expect("Redis answers");
        case(Servers {
            limits: [Arc::new(one.limits()), Arc::new(two.limits())],
            idempotency: [Arc::new(one.idempotency()), Arc::new(two.idempotency())],
            throttle: [Arc::new(one.throttle()), Arc::new(two.throttle())],
        })
        .await;
    });
}

async fn two_connections(url: &str) -> Result<[RedisShared; 2], StoreError> {
    let options = RedisOptions {
        url: Private::new(url.to_owned()),
        authority: None,
        // Every key has an end; none is left behind for long.
        prefix: format!(
            "test:{}:",
            data_encoding::HEXLOWER.encode(&make_bytes::<8>(&SystemEntropy))
        ),
    };
    Ok([redis::open(&options).await?, redis::open(&options).await?])
}

#[expect(clippy::disallowed_methods, reason = "names the server that the tests run against")]
pub(crate) fn test_redis_url() -> String {
    std::env::var("TEST_REDIS_URL").expect(
        "TEST_REDIS_URL must name a Redis server to test against: run scripts/test, which starts one, or start \
         redis-server and set it to its URL",
    )
}

const PACE: Pace = Pace {
    free: 7,
    first_pause: Duration::from_secs(1),
    longest_pause: Duration::from_secs(8),
    memory: Duration::from_mins(10),
};

pub(crate) async fn of_fifty_tries_of_two_servers_the_free_ones_are_admitted(servers: Servers) {
    let (one, two) = (LimitKey([1; 32]), LimitKey([2; 32]));
    let tried = at_once(50, |n| {
        let throttle = Arc::clone(&servers.throttle[n % 2]);
        // The second key would admit more: it is charged for those alone that the first admits.
        let keys = [(one, PACE), (two, Pace { free: 30, ..PACE })];
        async move { throttle.charge(&keys, NOW).await.expect("answers") }
    })
    .await;
    assert_eq!(count(&tried, &Charged::Admitted), 7);
    let [throttle, other] = &servers.throttle;
    let mut left = 0;
    while throttle
        .charge(&[(two, Pace { free: 30, ..PACE })], NOW)
        .await
        .expect("answers")
        == Charged::Admitted
    {
        left += 1;
    }
    assert_eq!(left, 30 - 7, "nothing is charged by a refusal");
    // One that succeeds forgets its own and gives one of the others back.
    other.succeed(&[one], &[two]).await.expect("answers");
    let charge = async |key| throttle.charge(&[(key, PACE)], NOW).await.expect("answers");
    assert_eq!(charge(one).await, Charged::Admitted);
    let refunded = throttle.charge(&[(two, Pace { free: 30, ..PACE })], NOW).await;
    assert_eq!(refunded.expect("answers"), Charged::Admitted);
    let refused = throttle.charge(&[(two, Pace { free: 30, ..PACE })], NOW).await;
    assert!(matches!(refused.expect("answers"), Charged::Refused { .. }));
}

pub(crate) async fn every_try_is_judged_by_the_rule(servers: Servers) {
    let mut runner = TestRunner::deterministic();
    for round in 0_u8..12 {
        let steps = proptest::collection::vec(0_u64..12_000, 60);
        let steps = steps.new_tree(&mut runner).expect("steps").current();
        let key = LimitKey([100 + round; 32]);
        // Real time passes beside: keys in Redis must not end before the rule says so.
        let (mut stored, mut now) = (None::<Tries>, NOW);
        for (n, step) in steps.into_iter().enumerate() {
            now = now.plus(Duration::from_millis(step));
            let judged = match PACE.charge(stored, now) {
                Ok(tries) => {
                    stored = Some(tries);
                    Charged::Admitted
                }
                Err(retry_after) => Charged::Refused { retry_after },
            };
            let charged = servers.throttle[n % 2].charge(&[(key, PACE)], now).await;
            assert_eq!(charged.expect("answers"), judged, "round {round}, step {n}");
        }
    }
}

pub(crate) async fn of_fifty_attempts_of_two_servers_the_burst_is_allowed(servers: Servers) {
    let quota = Quota {
        burst: 7,
        period: Duration::from_mins(1),
    };
    let spent = at_once(50, |n| {
        let limits = Arc::clone(&servers.limits[n % 2]);
        async move { limits.spend(LimitKey([1; 32]), quota, NOW).await.expect("counted") }
    })
    .await;
    let allowed = spent
        .iter()
        .filter(|spent| matches!(spent, Spent::Allowed { .. }))
        .count();
    assert_eq!(allowed, 7);
    let other = servers.limits[0]
        .spend(LimitKey([2; 32]), quota, NOW)
        .await
        .expect("counted");
    assert!(
        matches!(other, Spent::Allowed { remaining: 6, .. }),
        "a bucket of its own: {other:?}"
    );
}

/// Whatever is asked in whatever order: every adapter answers as the rule does.
pub(crate) async fn every_answer_is_the_rules(servers: Servers) {
    let asked = (1_u32..20, 1_u64..100_000, 0_u64..40_000, any::<u8>());
    let mut runner = TestRunner::deterministic();
    let reference = MemoryLimits::default();
    let mut now = NOW;
    for round in 0..300 {
        let (burst, period, step, bucket) = asked.new_tree(&mut runner).expect("a value").current();
        // Intervals of whole milliseconds: the adapters round at different places below that.
        let quota = Quota {
            burst,
            period: Duration::from_millis(period * u64::from(burst)),
        };
        now = now.plus(Duration::from_millis(step));
        let mut key = [0; 32];
        key[0] = bucket % 3;
        key[1..5].copy_from_slice(&burst.to_be_bytes());
        key[5..13].copy_from_slice(&period.to_be_bytes());
        for _ in 0..3 {
            let expected = reference.spend(LimitKey(key), quota, now).await.expect("counted");
            let found = servers.limits[round % 2]
                .spend(LimitKey(key), quota, now)
                .await
                .expect("counted");
            assert_eq!(found, expected, "round {round}: {quota:?}");
        }
    }
}

fn request(body: u8) -> Remembered {
    Remembered {
        body: [body; 32],
        answer: None,
        expires_at: NOW.plus(Duration::from_hours(24)),
    }
}

pub(crate) async fn of_fifty_that_begin_one_request_one_is_first(servers: Servers) {
    let key = IdempotencyKey([3; 32]);
    let begun = at_once(50, |n| {
        let idempotency = Arc::clone(&servers.idempotency[n % 2]);
        async move { idempotency.begin(key, &request(1), NOW).await.expect("remembered") }
    })
    .await;
    assert_eq!(count(&begun, &Begun::First), 1);
    assert_eq!(count(&begun, &Begun::Seen(request(1))), 49);
}

pub(crate) async fn a_request_is_remembered_until_its_end_or_forgotten(servers: Servers) {
    let [one, two] = &servers.idempotency;
    let key = IdempotencyKey([4; 32]);
    assert_eq!(
        one.begin(key, &request(1), NOW).await.expect("remembered"),
        Begun::First
    );
    one.finish(key, "usr_1").await.expect("noted");
    let done = Remembered {
        answer: Some("usr_1".into()),
        ..request(1)
    };
    // Of whichever body: the caller compares.
    assert_eq!(
        two.begin(key, &request(2), NOW).await.expect("remembered"),
        Begun::Seen(done)
    );
    let later = NOW.plus(Duration::from_hours(24));
    let next = Remembered {
        expires_at: later.plus(Duration::from_hours(24)),
        ..request(2)
    };
    assert_eq!(
        two.begin(key, &next, later).await.expect("remembered"),
        Begun::First,
        "its time is over"
    );
    two.forget(key).await.expect("forgotten");
    two.finish(key, "usr_2").await.expect("nothing to note");
    assert_eq!(one.begin(key, &next, later).await.expect("remembered"), Begun::First);
}

mod only_redis {
    use super::*;

    #[test]
    fn of_fifty_workers_one_takes_a_lease_and_it_ends_by_itself() {
        runtime().block_on(async {
            let [one, two] = two_connections(&test_redis_url()).await.expect("Redis answers");
            let leases = [one.leases(), two.leases()];
            let period = Duration::from_millis(300);
            let taken = at_once(50, |n| {
                let leases = leases[n % 2].clone();
                async move { leases.take("relay", period).await.expect("answered") }
            })
            .await;
            assert_eq!(count(&taken, &true), 1);
            assert!(leases[0].take("sweep", period).await.expect("answered"), "another job");
            let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
            while !leases[1].take("relay", period).await.expect("answered") {
                assert!(tokio::time::Instant::now() < deadline, "the lease does not end");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }

    #[test]
    fn servers_are_counted() {
        runtime().block_on(async {
            let [one, two] = two_connections(&test_redis_url()).await.expect("Redis answers");
            assert_eq!(one.count_servers("a").await.expect("counted"), 1);
            assert_eq!(two.count_servers("b").await.expect("counted"), 2);
            assert_eq!(one.count_servers("a").await.expect("counted"), 2);
        });
    }

    #[test]
    fn a_wrong_password_is_told_with_its_mend_and_not_repeated() {
        runtime().block_on(async {
            let mut url: url::Url = test_redis_url().parse().expect("a URL");
            url.set_password(Some("wrong-password-of-redis")).expect("set");
            let error = two_connections(url.as_str()).await.expect_err("refused");
            let said = error.to_string();
            assert!(said.contains("REDIS_URL") && !said.contains("wrong-password"), "{said}");
        });
    }
}
