//! What workers do for the audit by the clock: checkpoints, retention, and handing it to the collector.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    config::worker::WorkerConfig,
    jobs::{
        deliver::Deliverer,
        schedule::{every, is_ours},
    },
    service::audit_chain::{extend, retain},
};

/// Starts it all, until `stop`.
pub fn start(deliverer: &Arc<Deliverer>, config: WorkerConfig, stop: &CancellationToken, tasks: &mut JoinSet<()>) {
    tasks.spawn({
        let deliverer = Arc::clone(deliverer);
        every(config.checkpoint_period, stop.clone(), move || {
            let deliverer = Arc::clone(&deliverer);
            async move {
                if is_ours(&deliverer, "audit", config.checkpoint_period).await {
                    checkpoint_round(&deliverer).await;
                }
            }
        })
    });
    tasks.spawn({
        let deliverer = Arc::clone(deliverer);
        every(config.sweep_period, stop.clone(), move || {
            let deliverer = Arc::clone(&deliverer);
            async move {
                if is_ours(&deliverer, "audit-retention", config.sweep_period).await {
                    retention_round(&deliverer, config).await;
                }
            }
        })
    });
    if deliverer.collector.is_some() {
        let (deliverer, stop) = (Arc::clone(deliverer), stop.clone());
        tasks.spawn(every(config.collector_period, stop.clone(), move || {
            let (deliverer, stop) = (Arc::clone(&deliverer), stop.clone());
            async move {
                let Some(collector) = &deliverer.collector else { return };
                if !is_ours(&deliverer, "audit-collector", config.collector_period).await {
                    return;
                }
                // A collector that hangs keeps nobody from stopping: what it may have had, it gets again.
                tokio::select! {
                    () = collector.round(&deliverer.core) => {}
                    () = stop.cancelled() => {}
                }
            }
        }));
    }
}

/// One look for entries that no checkpoint names.
pub async fn checkpoint_round(deliverer: &Deliverer) {
    match extend(&deliverer.core).await {
        Ok(0) => {}
        Ok(entries) => tracing::debug!(entries, "the audit has a checkpoint more"),
        Err(error) => tracing::warn!(%error, "the audit has no new checkpoint; the next turn makes up for it"),
    }
}

async fn retention_round(deliverer: &Deliverer, config: WorkerConfig) {
    match retain(&deliverer.core, config.audit_retention).await {
        Ok(removed) if removed.entries == 0 && removed.links == 0 => {}
        Ok(removed) => tracing::info!(
            entries = removed.entries,
            checkpoints = removed.links,
            "what was over is gone from the audit"
        ),
        Err(error) => tracing::warn!(%error, "what is over stays in the audit until the next turn"),
    }
}
