//! A server: HTTP on the foundation, and the jobs too unless told not to.

use std::{fs::File, net::SocketAddr};

use anyhow::Context as _;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    Arc, CancellationToken, Config, Duration, Foundation, JoinSet, Opened, Reloader, World,
    reload::{Edge, open_tls},
    worker,
};
use crate::http::{
    client_address::ExemptClients,
    health::Health,
    router,
    server::{Limits, serve},
};

/// A server that listens.
pub struct Server {
    /// Where.
    pub address: SocketAddr,
    reloader: Option<Reloader>,
    health: Health,
    /// Ends HTTP.
    stop_http: CancellationToken,
    /// Ends everything else, once HTTP has ended.
    stop_rest: CancellationToken,
    http: JoinHandle<std::io::Result<()>>,
    worker: Option<JoinHandle<anyhow::Result<()>>>,
    tasks: JoinSet<()>,
    opened: Opened,
    _lock: Option<File>,
}

impl Server {
    /// Opens everything and listens; answers once a request would be served.
    pub async fn start(mut config: Config, world: World, limits: Limits) -> anyhow::Result<Self> {
        let tls = open_tls(&config, world.clock.now())?;
        let lock = super::lock(&config)?;
        let listener = TcpListener::bind(config.http.address).await.with_context(|| {
            format!(
                "HTTP_ADDR {} is in use or not of this machine; choose another port",
                config.http.address
            )
        })?;
        let address = listener.local_addr()?;
        if config.http.public_url.port() == Some(0) {
            // Nobody said what people reach it by: links lead to the free port that was found.
            let _ = config.http.public_url.set_port(Some(address.port()));
        }
        config.http.address = address;
        // On the heap: what waits for it is held by whoever starts a server.
        let foundation = Box::pin(Foundation::open(&config, world)).await?;
        if let Some(file) = &foundation.breached {
            super::verify_breached(Arc::clone(file)).await?;
        }
        let (stop_http, stop_rest) = (CancellationToken::new(), CancellationToken::new());
        let mut tasks = JoinSet::new();
        let core = Arc::clone(&foundation.core);
        let worker = if config.worker.is_inside {
            let (deliverer, queue) = (foundation.deliverer(&config)?, Arc::clone(&foundation.queue));
            Some(tokio::spawn(worker::run(
                deliverer,
                queue,
                config.worker,
                stop_rest.clone(),
            )))
        } else {
            None
        };
        let health = Health::new(Arc::clone(&core));
        health.look(None).await;
        tasks.spawn(health.clone().probe(stop_rest.clone()));
        let templates = Arc::new(foundation.templates.clone());
        let exempt = ExemptClients::new(&config.http.limit_exempt);
        let reloader = Reloader {
            speaks_tls: Some(tls.is_some()),
            edge: Some(Edge {
                exempt: exempt.clone(),
                tls: tls.clone(),
            }),
            ..foundation.reloader(&config)
        };
        let endpoint = router::build(&config, core, &health, templates, exempt, limits);
        let http = tokio::spawn(serve(listener, endpoint, limits, tls, stop_http.clone()));
        foundation.count_servers(&mut tasks, &stop_rest);
        let opened = foundation.background(&mut tasks, &stop_rest);
        Ok(Self {
            address,
            reloader: Some(reloader),
            health,
            stop_http,
            stop_rest,
            http,
            worker,
            tasks,
            opened,
            _lock: lock,
        })
    }

    /// What of it can be replaced while it runs; once.
    pub fn reloader(&mut self) -> Option<Reloader> {
        self.reloader.take()
    }

    /// Runs until `stop`, or until the worker inside fails; finishes what is in flight.
    pub async fn run_until(mut self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let failed = async {
            match &mut self.worker {
                Some(worker) => worker.await,
                None => std::future::pending().await,
            }
        };
        let ended_early = tokio::select! {
            () = stop => None,
            ended = failed => Some(ended),
        };
        let Some(ended) = ended_early else {
            return self.shut_down().await;
        };
        self.worker = None;
        tracing::error!(?ended, "the worker inside has ended; the server stops");
        self.shut_down().await?;
        // Not a success: who looks after the process should start it again.
        anyhow::bail!("the worker inside has ended by itself")
    }

    /// Takes no more requests, finishes those in flight, then stops the jobs and closes the stores.
    pub async fn shut_down(self) -> anyhow::Result<()> {
        self.health.drain();
        self.stop_http.cancel();
        let served = self.http.await;
        self.stop_rest.cancel();
        if let Some(worker) = self.worker {
            worker.await??;
        }
        self.tasks.join_all().await;
        self.opened.close().await;
        served??;
        // Time for the last log lines of connections that were cut off.
        tokio::time::sleep(Duration::ZERO).await;
        Ok(())
    }
}
