//! Hands the audit to an HTTP collector, checkpoint by checkpoint: its entries, and a line for the checkpoint itself.
//!
//! It is taken from the store, after the place that the collector has had last: no request knows of it, nothing is lost
//! while the collector is away, and no more than one batch is in memory. Two workers that hand over at once hand over twice;
//! what may have arrived is sent again (at least once), in order.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Client, StatusCode, redirect};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::{
    config::audit::CollectorConfig,
    domain::entropy::make_bytes,
    service::{Core, Failure, audit::entry_line, audit_chain::link_line},
    storage::audit::CheckpointRecord,
    traces::{self, TRACEPARENT},
};

/// Under which name the place is remembered.
const READER: &str = "collector";
/// Entries of one request, unless one checkpoint alone has more.
const BATCH: usize = 500;
/// Requests of one turn.
const TURN: usize = 20;
const LINKS: u32 = 20;
const LONGEST: Duration = Duration::from_mins(5);

/// The collector.
pub struct Collector {
    client: Client,
    config: CollectorConfig,
    /// Failures in a row, and before when it is not asked again.
    waiting: Mutex<(u32, Option<Instant>)>,
}

enum Sent {
    Taken,
    Refused(StatusCode),
    Unreachable,
}

impl Collector {
    /// Connects to nothing yet.
    pub fn new(config: &CollectorConfig) -> anyhow::Result<Self> {
        let client = Client::builder()
            .connect_timeout(config.patience)
            .timeout(config.patience)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("sealgate/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            client,
            config: config.clone(),
            waiting: Mutex::default(),
        })
    }

    /// One turn: hands over what there is, unless it is too soon after a failure.
    pub async fn round(&self, core: &Core) {
        if self.is_waiting() {
            return;
        }
        for _ in 0..TURN {
            match self.hand_over(core).await {
                Ok(Some(Sent::Taken)) => self.note(core, true),
                Ok(None) => return,
                Ok(Some(Sent::Refused(status))) => {
                    let status = status.as_u16();
                    tracing::warn!(status, "the collector of the audit refuses it; it is asked again later");
                    return self.note(core, false);
                }
                Ok(Some(Sent::Unreachable)) => {
                    tracing::warn!("the collector of the audit does not answer; it is asked again later");
                    return self.note(core, false);
                }
                Err(error) => {
                    tracing::warn!(%error, "the audit can't be read for its collector");
                    return;
                }
            }
        }
    }

    /// The next batch; nothing where the collector has had everything.
    async fn hand_over(&self, core: &Core) -> Result<Option<Sent>, Failure> {
        let audit = &core.stores.audit;
        let seen = audit.cursor(READER).await?;
        let links = audit.checkpoints(seen.unwrap_or(0) + 1, LINKS).await?;
        let Some(first) = links.first().map(CheckpointRecord::place) else {
            return Ok(None);
        };
        if seen.is_some_and(|seen| seen + 1 < first) {
            tracing::error!("the collector was away for longer than the audit is kept: it misses what went");
        }
        let (mut lines, mut entries, mut place) = (String::new(), 0, first);
        for link in &links {
            if entries > 0 && entries + link.entries.len() > BATCH {
                break;
            }
            for entry in audit.entries(&link.entries).await? {
                // One that can't be read is what `audit verify` tells of.
                if let Ok(record) = entry.record() {
                    lines += &entry_line(&record);
                    lines.push('\n');
                }
            }
            lines += &link_line(link);
            lines.push('\n');
            entries += link.entries.len();
            place = link.place();
        }
        let sent = self.send(lines).await;
        if matches!(sent, Sent::Taken) {
            // Who was faster has handed it over too.
            audit.advance(READER, seen, place).await?;
        }
        Ok(Some(sent))
    }

    async fn send(&self, lines: String) -> Sent {
        let request = self
            .client
            .post(self.config.url.clone())
            .header("content-type", "application/x-ndjson")
            .body(lines);
        let token = self.config.token.as_ref().map(|token| token.expose());
        let request = match (&self.config.account, token) {
            (Some(account), token) => request.basic_auth(account, token),
            (None, Some(token)) => request.bearer_auth(token),
            (None, None) => request,
        };
        let span = traces::call("POST", "audit-collector", self.config.url.host_str());
        let send = async {
            let request = match traces::current() {
                Some(parent) => request.header(TRACEPARENT, parent.to_string()),
                None => request,
            };
            request.send().await.map(|response| response.status())
        };
        let answer = send.instrument(span.clone()).await;
        traces::called(&span, answer.as_ref().ok().map(StatusCode::as_u16));
        match answer {
            Ok(status) if status.is_success() => Sent::Taken,
            Ok(status) => Sent::Refused(status),
            Err(_) => Sent::Unreachable,
        }
    }

    fn is_waiting(&self) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.1.is_some_and(|until| Instant::now() < until)
    }

    /// A failure makes it wait: `back_off` of the configuration, doubling, less up to a quarter.
    fn note(&self, core: &Core, is_taken: bool) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if is_taken {
            *waiting = (0, None);
            return;
        }
        let [jitter] = make_bytes(&*core.entropy);
        let whole = self.config.back_off.saturating_mul(1 << waiting.0.min(16)).min(LONGEST);
        let pause = whole.saturating_sub(whole / 4 * u32::from(jitter) / 255);
        *waiting = (waiting.0 + 1, Some(Instant::now() + pause));
    }
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Collector")
    }
}
