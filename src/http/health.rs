//! Health, as it is: a prober looks every two seconds, the routes read what it saw last, so that asking costs nothing
//! and a store that hangs makes no route hang.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use poem::{EndpointExt as _, IntoResponse as _, Response, Route, get, handler, http::StatusCode, web::Data};
use serde_json::json;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    service::Core,
    storage::heartbeats::{HeartbeatRecord, ServiceHealth},
};

const PERIOD: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(1);
/// A worker that said nothing for so long is not known to live.
const WORKER_SILENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug)]
struct Seen {
    database: ServiceHealth,
    redis: ServiceHealth,
    email: ServiceHealth,
    sms: ServiceHealth,
    response_time: Duration,
    memory_bytes: u64,
    cpu_percent: f32,
}

/// What the prober saw last. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Health {
    core: Arc<Core>,
    seen: Arc<RwLock<Seen>>,
    is_draining: Arc<AtomicBool>,
}

impl Health {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(core: Arc<Core>) -> Self {
        let unknown = ServiceHealth::Unknown;
        let seen = Seen {
            database: unknown,
            redis: unknown,
            email: unknown,
            sms: unknown,
            response_time: Duration::ZERO,
            memory_bytes: 0,
            cpu_percent: 0.0,
        };
        Self {
            core,
            seen: Arc::new(RwLock::new(seen)),
            is_draining: Arc::default(),
        }
    }

    /// From now on not ready: the server finishes what is in flight and takes no more.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Looks every two seconds until `stop`.
    pub async fn probe(self, stop: CancellationToken) {
        // Where the system's figures can't be had, health goes on without them.
        let mut system = System::new().ok();
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.look(system.as_mut()).await,
                () = stop.cancelled() => return,
            }
        }
    }

    /// Looks once.
    pub async fn look(&self, system: Option<&mut System>) {
        let began = Instant::now();
        let database = match timeout(PATIENCE, self.core.stores.probe.probe()).await {
            Ok(Ok(())) => ServiceHealth::Healthy,
            Ok(Err(error)) => {
                tracing::error!(%error, "the database can't be used");
                ServiceHealth::Down
            }
            Err(_) => {
                tracing::error!("the database does not answer");
                ServiceHealth::Down
            }
        };
        if database == ServiceHealth::Down {
            self.core.look_ups.forget();
        }
        let redis = self.look_at_shared().await;
        let response_time = began.elapsed();
        let (email, sms) = self.look_at_workers().await;
        let (memory_bytes, cpu_percent) = system.map(usage).unwrap_or_default();
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = Seen {
            database,
            redis,
            email,
            sms,
            response_time,
            memory_bytes,
            cpu_percent,
        };
    }

    async fn look_at_shared(&self) -> ServiceHealth {
        let Some(shared) = &self.core.shared else {
            return ServiceHealth::Disabled;
        };
        match timeout(PATIENCE, shared.probe()).await {
            Ok(Ok(())) => ServiceHealth::Healthy,
            Ok(Err(error)) => {
                tracing::error!(%error, "Redis can't be used; limits are counted by each server alone");
                ServiceHealth::Down
            }
            Err(_) => {
                tracing::error!("Redis does not answer; limits are counted by each server alone");
                ServiceHealth::Down
            }
        }
    }

    async fn look_at_workers(&self) -> (ServiceHealth, ServiceHealth) {
        let since = self.core.clock.now().minus(WORKER_SILENCE);
        let beats = match timeout(PATIENCE, self.core.stores.heartbeats.since(since)).await {
            Ok(Ok(beats)) => beats,
            _ => Vec::new(),
        };
        // The best of them: one worker that delivers is delivery.
        let best =
            |of: fn(&HeartbeatRecord) -> ServiceHealth| beats.iter().map(of).min().unwrap_or(ServiceHealth::Unknown);
        (best(|beat| beat.email), best(|beat| beat.sms))
    }

    fn seen(&self) -> Seen {
        *self.seen.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_ready(&self) -> bool {
        self.seen().database == ServiceHealth::Healthy && !self.is_draining.load(Ordering::Relaxed)
    }
}

fn usage(system: &mut System) -> (u64, f32) {
    let pid = Pid::from_u32(std::process::id());
    let what = ProcessRefreshKind::nothing().with_memory().with_cpu();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
    system
        .process(pid)
        .map_or((0, 0.0), |process| (process.memory(), process.cpu_usage()))
}

/// Adds the routes.
#[must_use]
pub fn mount(route: Route, health: &Health) -> Route {
    route
        .at("/health", get(show).data(health.clone()))
        .at("/livez", get(livez))
        .at("/readyz", get(readyz).data(health.clone()))
        .at("/db_check", get(db_check).data(health.clone()))
}

fn answer(is_good: bool, body: &serde_json::Value) -> Response {
    let status = if is_good {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let response = Response::builder().status(status).content_type("application/json");
    let response = if is_good {
        response
    } else {
        response.header("retry-after", "2")
    };
    response.body(body.to_string()).into_response()
}

#[handler]
fn show(Data(health): Data<&Health>) -> Response {
    let seen = health.seen();
    let is_draining = health.is_draining.load(Ordering::Relaxed);
    let works = |health| matches!(health, ServiceHealth::Healthy | ServiceHealth::Disabled);
    let status = match (seen.database, seen.email) {
        (ServiceHealth::Healthy, _) if is_draining => "draining",
        (ServiceHealth::Healthy, email) if works(email) && works(seen.redis) => "healthy",
        (ServiceHealth::Healthy, _) => "degraded",
        _ => "down",
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "a figure for people, in megabytes with one decimal"
    )]
    let megabytes = (seen.memory_bytes as f64 / 1_048_576.0 * 10.0).round() / 10.0;
    let milliseconds = (seen.response_time.as_secs_f64() * 1e5).round() / 100.0;
    answer(
        health.is_ready(),
        &json!({
            "status": status,
            "timestamp": health.core.clock.now().to_string(),
            "services": {
                "database": seen.database.as_str(),
                "redis": seen.redis.as_str(),
                "email": seen.email.as_str(),
                "sms": seen.sms.as_str(),
            },
            "performance": {
                "response_time_ms": milliseconds,
                "memory_usage_mb": megabytes,
                "cpu_usage_percent": (f64::from(seen.cpu_percent) * 10.0).round() / 10.0,
            },
        }),
    )
}

#[handler]
fn livez() -> Response {
    answer(true, &json!({ "status": "alive" }))
}

#[handler]
fn readyz(Data(health): Data<&Health>) -> Response {
    let is_ready = health.is_ready();
    answer(
        is_ready,
        &json!({ "status": if is_ready { "ready" } else { "not ready" } }),
    )
}

#[handler]
fn db_check(Data(health): Data<&Health>) -> Response {
    let database = health.seen().database;
    answer(
        database == ServiceHealth::Healthy,
        &json!({ "database": database.as_str() }),
    )
}
