//! The audit on its way to an HTTP collector that is slow, refuses, hangs, and comes back. No request notices.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::{net::TcpListener, time::Instant};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::method};

use crate::support::{Person, Setup, StoreSet, TestApp, eventually};

cases_per_store! {
    defect_23_whatever_the_collector_does_signing_in_goes_on_and_it_gets_everything_in_order
}

cases_once! {
    the_collector_is_told_who_is_calling
    a_collector_that_hangs_keeps_nobody_from_stopping
}

/// What the mock does with the next batch.
const TAKES: usize = 0;
const REFUSES: usize = 1;
const HANGS: usize = 2;
const IS_SLOW: usize = 3;

#[derive(Clone, Default)]
struct Moody {
    mood: Arc<AtomicUsize>,
    taken: Arc<Mutex<Vec<Value>>>,
    asked: Arc<AtomicUsize>,
}

impl Respond for Moody {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let take = || {
            let body = String::from_utf8(request.body.clone()).expect("text");
            let lines = body.lines().map(|line| serde_json::from_str(line).expect("JSON"));
            self.taken.lock().unwrap_or_else(PoisonError::into_inner).extend(lines);
        };
        match self.mood.load(Ordering::SeqCst) {
            REFUSES => ResponseTemplate::new(503),
            HANGS => ResponseTemplate::new(200).set_delay(Duration::from_mins(1)),
            IS_SLOW => {
                take();
                ResponseTemplate::new(202).set_delay(Duration::from_millis(200))
            }
            _ => {
                take();
                ResponseTemplate::new(202)
            }
        }
    }
}

impl Moody {
    async fn start(&self) -> MockServer {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(self.clone())
            .mount(&server)
            .await;
        server
    }

    fn lines(&self) -> Vec<Value> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Everything by the clock that the test moves, and a collector with little patience.
fn handing_over(stores: &StoreSet, url: &str) -> Setup {
    let mut setup = Setup::new(stores).set("AUDIT_COLLECTOR_URL", url);
    setup.worker = |worker| {
        worker.checkpoint_period = Duration::from_millis(50);
        worker.collector_period = Duration::from_millis(50);
    };
    setup.collector_patience = Duration::from_millis(400);
    setup
}

/// Entries come to be covered once they are old enough.
fn age(app: &TestApp) {
    app.clock.advance(Duration::from_secs(40));
}

async fn defect_23_whatever_the_collector_does_signing_in_goes_on_and_it_gets_everything_in_order(stores: &StoreSet) {
    let moody = Moody::default();
    let server = moody.start().await;
    let app = handing_over(stores, &server.uri()).spawn().await;
    let person = Person::new();
    app.join("User1", &person).await;
    let mut longest = Duration::ZERO;
    for mood in [TAKES, REFUSES, HANGS, IS_SLOW] {
        moody.mood.store(mood, Ordering::SeqCst);
        let before = moody.asked();
        age(&app);
        eventually("the collector to be asked", async || {
            (moody.asked() > before).then_some(())
        })
        .await;
        for _ in 0..5 {
            let began = Instant::now();
            app.login("User1", &person).await;
            longest = longest.max(began.elapsed());
        }
    }
    // Twice a hash and the store, on a machine that is busy with other tests; a collector's patience is none of it.
    assert!(longest < Duration::from_secs(3), "{longest:?}");
    moody.mood.store(TAKES, Ordering::SeqCst);
    age(&app);
    let noted: BTreeSet<String> = app
        .audit("User1")
        .await
        .iter()
        .map(|entry| entry.id.to_string())
        .collect();
    assert!(noted.len() >= 24, "{}", noted.len());
    let lines = eventually("everything to arrive", async || {
        let lines = moody.lines();
        let ids: BTreeSet<String> = lines
            .iter()
            .filter_map(|line| line["id"].as_str().map(str::to_owned))
            .collect();
        ids.is_superset(&noted).then_some(lines)
    })
    .await;

    // What came a second time aside, in order: of entries their ids, of checkpoints their places.
    let mut seen = BTreeSet::new();
    let first_time = |line: &&Value| seen.insert((*line).to_string());
    let once: Vec<&Value> = lines.iter().filter(first_time).collect();
    let ids: Vec<&str> = once.iter().filter_map(|line| line["id"].as_str()).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    let links: Vec<&&Value> = once.iter().filter(|line| line["audit"] == "checkpoint").collect();
    let places: Vec<u64> = links.iter().filter_map(|link| link["place"].as_u64()).collect();
    assert!(places.iter().copied().eq(1..=places.len() as u64), "{places:?}");
    let named: u64 = links.iter().filter_map(|link| link["entries"].as_u64()).sum();
    assert_eq!(named, ids.len() as u64);
    app.shut_down().await;
}

async fn the_collector_is_told_who_is_calling(stores: &StoreSet) {
    for (settings, authorization) in [
        (
            &[("Account_id", "acme"), ("Access_token", "s3cret-of-old")][..],
            "Basic YWNtZTpzM2NyZXQtb2Ytb2xk",
        ),
        (
            &[("AUDIT_COLLECTOR_ACCOUNT", "acme"), ("AUDIT_COLLECTOR_TOKEN", "s3cret")],
            "Basic YWNtZTpzM2NyZXQ=",
        ),
        (&[("Access_token", "s3cret-of-old")], "Bearer s3cret-of-old"),
        (&[], ""),
    ] {
        let moody = Moody::default();
        let server = moody.start().await;
        let mut setup = handing_over(&stores.another(), &server.uri());
        for (name, value) in settings {
            setup = setup.set(name, *value);
        }
        let app = setup.spawn().await;
        age(&app);
        let request = eventually("a batch", async || server.received_requests().await?.into_iter().next()).await;
        let header = |name: &str| {
            request
                .headers
                .get(name)
                .map_or("", |value| value.to_str().expect("text"))
        };
        assert_eq!(header("authorization"), authorization);
        assert_eq!(header("content-type"), "application/x-ndjson");
        app.shut_down().await;
    }
}

async fn a_collector_that_hangs_keeps_nobody_from_stopping(stores: &StoreSet) {
    // Takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = silent.local_addr().expect("an address");
    let mut setup = handing_over(stores, &format!("http://{address}"));
    setup.collector_patience = Duration::from_mins(1);
    let app = setup.spawn().await;
    age(&app);
    let (_held, _) = silent.accept().await.expect("a connection");
    let began = Instant::now();
    app.shut_down().await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
