//! What every binary does first and last: the crypto provider, core dumps off, logs, signals.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    config::logs::LogsConfig,
    logs,
    service::audit::AuditLines,
    traces::{self, TraceGuard},
};

/// The system's allocator keeps the 19 MiB of each password hash for every thread that ever made one; this one gives
/// them back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// To be called first thing in every binary.
pub fn prepare() {
    // With two providers in the tree rustls would panic at its first use; there is one, and it is said.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    forbid_dumps();
    // The allocator asks for huge pages, and a heap that is spread thinly over them holds three times what it uses. Where
    // they pay, they are asked for (`crypto::hash_memory`). Where that can't be told, nothing is lost but memory.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(true);
}

/// A core dump would hold keys and plaintext. Where it can't be forbidden, there is nothing better to do.
fn forbid_dumps() {
    let _ = rlimit::setrlimit(rlimit::Resource::CORE, 0, 0);
    // A handler that the kernel pipes dumps to (`kernel.core_pattern`) is not bound by that limit. Nor may other processes
    // of the same user read this one's memory any more.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
}

/// Starts logging to standard error. A collector that stops reading stops nobody: lines wait for it, so many of them,
/// and past those they are dropped and counted. Spans go to their collector, where there is one, under `service_name`. What
/// waits is written and exported when the guard goes, if somebody takes it.
#[must_use = "the last lines are written when the guard goes"]
pub fn start_logs(config: &LogsConfig, service_name: &'static str) -> LogGuard {
    let (lines, waiting) = sync_channel(WAITING_LINES);
    let lines = LogLines {
        lines,
        dropped: Arc::default(),
    };
    let dropped = Arc::clone(&lines.dropped);
    thread::spawn(move || write_lines(&waiting, &dropped));
    let exporting = traces::start(&config.traces, service_name);
    let exported = exporting.as_ref().ok().and_then(Option::as_ref).map(traces::layer);
    let writer = lines.clone();
    logs::install(config, io::stderr().is_terminal(), move || writer.clone(), exported);
    let traces = exporting.unwrap_or_else(|error| {
        tracing::error!(%error, "spans are not exported");
        None
    });
    LogGuard { traces, lines }
}

/// How many lines wait for a collector that is slow.
const WAITING_LINES: usize = 4096;
/// How long the last lines may take at the end.
const LAST_LINES: Duration = Duration::from_millis(500);

enum Line {
    Text(Vec<u8>),
    /// Everything before it is written.
    Mark(SyncSender<()>),
}

/// Takes lines and never waits.
#[derive(Clone)]
struct LogLines {
    lines: SyncSender<Line>,
    dropped: Arc<AtomicU64>,
}

impl io::Write for LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(Line::Text(line.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The audit as lines on standard output. Nobody waits for who reads it: so many lines do, and past those they are dropped
/// and counted; the store has them all.
#[must_use]
pub fn audit_to_stdout() -> Arc<dyn AuditLines> {
    let (lines, waiting) = sync_channel::<String>(WAITING_LINES);
    let dropped = Arc::<AtomicU64>::default();
    let counted = Arc::clone(&dropped);
    thread::spawn(move || {
        for line in waiting {
            let mut out = io::stdout().lock();
            let _ = writeln!(out, "{line}");
            let _ = out.flush();
            let lost = counted.swap(0, Ordering::Relaxed);
            if lost > 0 {
                tracing::warn!(lost, "lines of the audit were not written: nobody read them in time");
            }
        }
    });
    Arc::new(StdoutLines { lines, dropped })
}

struct StdoutLines {
    lines: SyncSender<String>,
    dropped: Arc<AtomicU64>,
}

impl AuditLines for StdoutLines {
    fn take(&self, line: String) {
        if self.lines.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write_lines(waiting: &Receiver<Line>, dropped: &AtomicU64) {
    for line in waiting {
        match line {
            Line::Text(text) => {
                let mut err = io::stderr().lock();
                let _ = err.write_all(&text);
                let lost = dropped.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    let _ = writeln!(err, "sealgate: {lost} log lines were dropped: nobody read them in time");
                }
            }
            Line::Mark(done) => drop(done.send(())),
        }
    }
}

/// Exports and writes what waits when it goes.
#[derive(Debug)]
pub struct LogGuard {
    traces: Option<TraceGuard>,
    lines: LogLines,
}

impl std::fmt::Debug for LogLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogLines")
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        // First: what can't be exported is a line.
        drop(self.traces.take());
        let (done, written) = sync_channel(1);
        // No room: nobody reads, and there is nothing to wait for.
        if self.lines.lines.try_send(Line::Mark(done)).is_ok() {
            let _ = written.recv_timeout(LAST_LINES);
        }
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

/// SIGHUP: the settings are to be read again. From the moment that this is made it ends the process no more.
#[derive(Debug)]
pub struct HangUps {
    signals: Signal,
    has_terminal: bool,
}

impl HangUps {
    /// Hears them from now on.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            signals: signal(SignalKind::hangup())?,
            has_terminal: io::stdin().is_terminal(),
        })
    }

    /// Waits for the next; `false` where it says what it is named by: the terminal is gone that the process was started from.
    pub async fn next(&mut self) -> bool {
        let is_heard = self.signals.recv().await.is_some();
        let is_alone = self.has_terminal && !io::stdin().is_terminal();
        is_heard && !is_alone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_core_is_dumped() {
        prepare();
        assert_eq!(rlimit::Resource::CORE.get().expect("a limit"), (0, 0));
        #[cfg(target_os = "linux")]
        assert!(!nix::sys::prctl::get_dumpable().expect("told"));
    }
}
