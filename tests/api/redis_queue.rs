//! The queue on Redis keeps house: finished jobs leave, and what is due by the clock is done once a period.

use std::time::Duration;

use futures_util::StreamExt as _;
use redis::aio::MultiplexedConnection;
use tokio::time::timeout;

use crate::support::{Person, RedisServer, Setup, StoreSet, TestApp, eventually};

cases_on_production! {
    redis_does_not_grow_with_what_was_delivered
    of_three_workers_one_sweeps_in_each_period
}

const PERIOD: Duration = Duration::from_millis(300);

async fn deliver(app: &TestApp, count: usize) {
    for _ in 0..count {
        let person = Person::new();
        app.create("User1", &person).await.expect(201);
        app.next_mail(&person.email).await;
    }
    app.settle().await;
}

async fn connect(redis: &RedisServer) -> MultiplexedConnection {
    let client = redis::Client::open(redis.url()).expect("a client");
    client.get_multiplexed_async_connection().await.expect("Redis answers")
}

/// Keys, and what is in those that hold many. Leases and the probe come and go.
async fn held(redis: &mut MultiplexedConnection) -> u64 {
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(redis).await.expect("keys");
    let mut held = 0;
    for key in keys
        .iter()
        .filter(|key| !key.contains(":lease:") && !key.ends_with(":probe"))
    {
        let kind: String = redis::cmd("TYPE").arg(key).query_async(redis).await.expect("a type");
        let count = match kind.as_str() {
            "hash" => "HLEN",
            "set" => "SCARD",
            "zset" => "ZCARD",
            "list" => "LLEN",
            _ => "EXISTS",
        };
        held += redis::cmd(count)
            .arg(key)
            .query_async::<u64>(redis)
            .await
            .expect("a number");
    }
    held
}

/// Jobs, finished or not.
async fn jobs(redis: &mut MultiplexedConnection) -> u64 {
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg("*:jobs:data")
        .query_async(redis)
        .await
        .expect("keys");
    let mut jobs = 0;
    for key in keys {
        jobs += redis::cmd("HLEN")
            .arg(key)
            .query_async::<u64>(redis)
            .await
            .expect("a number");
    }
    jobs
}

async fn redis_does_not_grow_with_what_was_delivered(stores: &StoreSet) {
    let server = RedisServer::start().await;
    let mut redis = connect(&server).await;
    let mut setup = Setup::new(stores).set("REDIS_URL", server.url());
    setup.worker = |worker| {
        worker.sweep_period = PERIOD;
        worker.keep_finished = Duration::ZERO;
    };
    let app = setup.spawn().await;
    let mut least = Vec::new();
    for round in 0..3 {
        deliver(&app, 10).await;
        eventually(&format!("finished jobs to leave, round {round}"), async || {
            (jobs(&mut redis).await == 0).then_some(())
        })
        .await;
        least.push(held(&mut redis).await);
    }
    // A signal that somebody waits for may stand or not.
    assert!(least[2] <= least[0] + 1, "{least:?}");
    app.shut_down().await;

    setup.worker = |_| ();
    let app = setup.spawn().await;
    deliver(&app, 10).await;
    assert!(jobs(&mut redis).await >= 10, "they are kept for a while");
    let kept = held(&mut redis).await;
    assert!(least[2] + 10 <= kept, "they would show: {least:?}, {kept}");
    app.shut_down().await;
}

async fn of_three_workers_one_sweeps_in_each_period(stores: &StoreSet) {
    const ROUNDS: usize = 20;
    let redis = RedisServer::start().await;
    let client = redis::Client::open(redis.url()).expect("a client");
    let monitor = client.get_async_monitor().await.expect("told of everything");
    let mut said = monitor.into_on_message::<String>();

    let mut setup = Setup::new(stores).set("REDIS_URL", redis.url());
    setup.worker = |worker| worker.sweep_period = PERIOD;
    let apps = [setup.spawn().await, setup.spawn().await, setup.spawn().await];
    // In Redis's own time: when the first of them asked for the lease, and when each swept. Deleting this is what only the
    // sweep does, and by itself.
    let (mut asked, mut swept) = (None, Vec::new());
    let watch = async {
        while swept.len() < ROUNDS {
            let line = said.next().await.expect("Redis says more");
            let at = || -> f64 { line.split(' ').next().and_then(|at| at.parse().ok()).expect("a time") };
            if line.contains(":lease:sweep") {
                asked.get_or_insert_with(at);
            } else if line.contains("\"DEL\"") && line.contains(":jobs:done") {
                swept.push(at());
            }
        }
    };
    timeout(Duration::from_mins(1), watch).await.expect("they sweep");
    // A lease lasts four fifths of the period.
    let took = swept[ROUNDS - 1] - asked.expect("before the first");
    let least = (PERIOD.mul_f32(0.8) * u32::try_from(ROUNDS - 1).expect("few")).as_secs_f64();
    assert!(
        took >= least - 0.05,
        "{took} s; each of the three by itself would take a third of {least} s"
    );
    for app in apps {
        app.shut_down().await;
    }
}
