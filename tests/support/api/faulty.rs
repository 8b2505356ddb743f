//! A service whose stores lie behind proxies that do to it what networks do.

use std::{collections::BTreeMap, fmt, time::Duration};

use tokio::time::Instant;
use url::Url;

use super::{Answer, Setup, StoreSet, TestApp, eventually};
use crate::fault_proxy::FaultProxy;

/// Proxies before the two stores of a [`StoreSet`].
pub(crate) struct Faulty {
    pub(crate) mongo: FaultProxy,
    pub(crate) redis: FaultProxy,
    mongo_url: String,
    redis_url: String,
}

impl Faulty {
    pub(crate) async fn before(stores: &StoreSet) -> Self {
        let settings: BTreeMap<String, String> = stores.settings().into_iter().collect();
        let (mongo, mut mongo_url) = proxy(&settings["MONGO_URL"], 27017).await;
        let (redis, redis_url) = proxy(&settings["REDIS_URL"], 6379).await;
        if !mongo_url.query_pairs().any(|(name, _)| name == "directConnection") {
            // A replica set would name its own address, and the driver go there.
            mongo_url.query_pairs_mut().append_pair("directConnection", "true");
            if mongo_url.path().is_empty() {
                mongo_url.set_path("/");
            }
        }
        Self {
            mongo,
            redis,
            mongo_url: mongo_url.into(),
            redis_url: redis_url.into(),
        }
    }

    /// `setup`, with its stores behind the proxies, and the default patience with them.
    pub(crate) fn lead(&self, setup: &Setup) -> Setup {
        let setup = setup.clone().set("MONGO_URL", &self.mongo_url);
        let setup = setup.set("MONGO_OPERATION_TIMEOUT_MS", "1800");
        setup.set("REDIS_URL", &self.redis_url)
    }
}

async fn proxy(url: &str, port: u16) -> (FaultProxy, Url) {
    let mut url = Url::parse(url).expect("a URL");
    let host = url.host_str().expect("a host").to_owned();
    let mut addresses = tokio::net::lookup_host((host.as_str(), url.port().unwrap_or(port)))
        .await
        .expect("a name that is resolved");
    let proxy = FaultProxy::before(addresses.next().expect("an address")).await;
    url.set_host(Some("127.0.0.1")).expect("a host");
    url.set_port(Some(proxy.address().port())).expect("a port");
    (proxy, url)
}

/// An answer, and how long it took.
pub(crate) struct Timed {
    kind: &'static str,
    answer: Answer,
    took: Duration,
}

impl Timed {
    pub(crate) async fn ask(kind: &'static str, asked: impl Future<Output = Answer>) -> Self {
        let began = Instant::now();
        let answer = asked.await;
        Self {
            kind,
            answer,
            took: began.elapsed(),
        }
    }
}

/// What was answered how often, and the longest that it took.
#[derive(Default)]
pub(crate) struct Tally {
    statuses: BTreeMap<(&'static str, u16), usize>,
    longest: Duration,
}

impl Tally {
    /// Asks, and counts the answer among those of `kind`.
    pub(crate) async fn ask(&mut self, kind: &'static str, asked: impl Future<Output = Answer>) -> Answer {
        let timed = Timed::ask(kind, asked).await;
        self.note(&timed)
    }

    /// Counts it.
    pub(crate) fn note(&mut self, timed: &Timed) -> Answer {
        *self.statuses.entry((timed.kind, timed.answer.status)).or_default() += 1;
        self.longest = self.longest.max(timed.took);
        timed.answer.clone()
    }

    pub(crate) fn longest(&self) -> Duration {
        self.longest
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((kind, status), count) in &self.statuses {
            write!(f, "{kind} {status}×{count}, ")?;
        }
        write!(f, "the longest {:.2} s", self.longest.as_secs_f64())
    }
}

/// Until `path` answers with `status`; how long that took.
pub(crate) async fn until(app: &TestApp, path: &str, status: u16) -> Duration {
    let began = Instant::now();
    eventually(&format!("{path} to answer {status}"), async || {
        (app.get(path).send_unchecked().await.status == status).then_some(())
    })
    .await;
    began.elapsed()
}

#[expect(
    clippy::print_stdout,
    reason = "a figure for whoever runs the tests with --success-output"
)]
pub(crate) fn say(figure: &str) {
    println!("{figure}");
}
