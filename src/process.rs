//! What every binary does first and last: the crypto provider, core dumps off, logs, signals.

use std::io::{self, IsTerminal as _};

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::config::logs::LogsConfig;

/// To be called first thing in every binary.
pub fn prepare() {
    // With two providers in the tree rustls would panic at its first use; there is one, and it is said.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    // A core dump would hold keys and plaintext. Where it can't be forbidden, there is nothing better to do.
    let _ = rlimit::setrlimit(rlimit::Resource::CORE, 0, 0);
}

/// Starts logging to standard error.
pub fn start_logs(config: &LogsConfig) {
    let filter = EnvFilter::try_new(&config.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    if config.is_json {
        logs.json().init();
    } else {
        logs.with_ansi(io::stderr().is_terminal()).init();
    }
}

/// Ends with the first SIGTERM or SIGINT.
pub async fn stop_signal() -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
