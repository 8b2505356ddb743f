//! The separate worker process: sends what the outbox holds, on the same stores as the server.

use std::{
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use sealgate::{
    app::{World, run_worker},
    config::{Config, Source},
    metrics_listener, process,
};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    process::prepare();
    let source = match Source::from_environment(Path::new(".")) {
        Ok(source) => source,
        Err(problem) => return refuse(&[problem.to_string()]),
    };
    let config = match Config::load(&source) {
        Ok(config) => config,
        Err(problems) => return refuse(&problems.iter().map(ToString::to_string).collect::<Vec<_>>()),
    };
    let _logs = process::start_logs(&config.logs, env!("CARGO_PKG_NAME"));
    match run(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&[format!("{error:#}")]),
    }
}

fn refuse(problems: &[String]) -> ExitCode {
    let mut err = io::stderr().lock();
    for problem in problems {
        let _ = writeln!(err, "sealgate-worker: {problem}");
    }
    ExitCode::FAILURE
}

fn run(config: &Config) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            if let Some(address) = config.logs.metrics_address {
                metrics_listener::listen(address)?;
            }
            let hang_ups = process::HangUps::listen()?;
            let stop = CancellationToken::new();
            tokio::spawn({
                let stop = stop.clone();
                async move {
                    if let Err(error) = process::stop_signal().await {
                        tracing::error!(%error, "signals can't be caught");
                    }
                    stop.cancel();
                }
            });
            let world = World {
                audit_lines: config.audit.has_stdout.then(process::audit_to_stdout),
                ..World::default()
            };
            run_worker(config, world, stop, Some(hang_ups)).await
        })
}
