//! One worker: consumes the queue and does what is due by the clock, until it is told to stop.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    config::worker::WorkerConfig,
    domain::ids::WorkerId,
    jobs::{
        audit,
        deliver::Deliverer,
        queue::WorkQueue,
        schedule::{
            ages_round, beat, every, filter_round, is_ours, key_jobs_round, keys_round, relay_round, sweep_round,
        },
    },
};

/// Runs until `stop`; what is under way is finished, and the worker's sign of life is taken down.
pub async fn run(
    deliverer: Arc<Deliverer>,
    queue: Arc<dyn WorkQueue>,
    config: WorkerConfig,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let core = Arc::clone(&deliverer.core);
    let worker = WorkerId::make(core.clock.now(), &*core.entropy);
    let mut periodic = JoinSet::new();
    {
        let (deliverer, queue) = (Arc::clone(&deliverer), Arc::clone(&queue));
        periodic.spawn(every(config.relay_period, stop.clone(), move || {
            let (deliverer, queue) = (Arc::clone(&deliverer), Arc::clone(&queue));
            async move {
                if is_ours(&deliverer, "relay", config.relay_period).await {
                    relay_round(&deliverer, &*queue).await;
                }
            }
        }));
    }
    {
        let (deliverer, worker) = (Arc::clone(&deliverer), worker.clone());
        periodic.spawn(every(config.heartbeat_period, stop.clone(), move || {
            let (deliverer, worker) = (Arc::clone(&deliverer), worker.clone());
            async move { beat(&deliverer, &worker).await }
        }));
    }
    {
        let (deliverer, queue) = (Arc::clone(&deliverer), Arc::clone(&queue));
        periodic.spawn(every(config.sweep_period, stop.clone(), move || {
            let (deliverer, queue) = (Arc::clone(&deliverer), Arc::clone(&queue));
            async move {
                if !is_ours(&deliverer, "sweep", config.sweep_period).await {
                    return;
                }
                sweep_round(&deliverer).await;
                if let Err(error) = queue.vacuum().await {
                    tracing::warn!(%error, "finished jobs were not removed");
                }
            }
        }));
    }
    {
        let deliverer = Arc::clone(&deliverer);
        periodic.spawn(every(config.filter_period, stop.clone(), move || {
            let deliverer = Arc::clone(&deliverer);
            async move {
                if is_ours(&deliverer, "filter", config.filter_period).await {
                    filter_round(&deliverer).await;
                }
            }
        }));
    }
    audit::start(&deliverer, config, &stop, &mut periodic);
    {
        let deliverer = Arc::clone(&deliverer);
        periodic.spawn(every(config.keys_period, stop.clone(), move || {
            let deliverer = Arc::clone(&deliverer);
            async move {
                if is_ours(&deliverer, "keys", config.keys_period).await {
                    keys_round(&deliverer).await;
                }
            }
        }));
    }
    {
        let (deliverer, worker, stop) = (Arc::clone(&deliverer), worker.clone(), stop.clone());
        periodic.spawn(every(config.key_jobs_period, stop.clone(), move || {
            let (deliverer, worker, stop) = (Arc::clone(&deliverer), worker.clone(), stop.clone());
            async move { key_jobs_round(&deliverer, &worker, config.key_jobs_share, &stop).await }
        }));
    }
    {
        let deliverer = Arc::clone(&deliverer);
        periodic.spawn(every(config.keys_period, stop.clone(), move || {
            let deliverer = Arc::clone(&deliverer);
            async move { ages_round(&deliverer, config.key_period).await }
        }));
    }
    tracing::info!(worker = %worker, "worker started");
    let result = queue
        .work(worker.as_str(), config.poll_period, deliverer, stop.clone())
        .await;
    periodic.join_all().await;
    let _ = core
        .stores
        .heartbeats
        .remove(Some(&worker), core.clock.now().plus(config.heartbeat_period))
        .await;
    result?;
    // apalis ends quietly when its backend does; unless we asked for it, that is a failure.
    anyhow::ensure!(stop.is_cancelled(), "the job queue ended by itself");
    Ok(())
}
