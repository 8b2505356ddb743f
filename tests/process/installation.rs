//! One installation: a fresh folder, and the servers and workers that run in it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::Instant;

use crate::{
    client::Client,
    outbox::Outbox,
    processes::{Process, SERVER, measuring, worker_binary},
    waiting::eventually,
};

/// A folder that servers and workers run in, and nothing of which existed before. Settings are given as pairs; nothing
/// else reaches the processes.
#[derive(Debug)]
pub(crate) struct Installation {
    folder: TempDir,
    logs: AtomicUsize,
}

impl Installation {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            logs: AtomicUsize::new(0),
        }
    }

    /// Where the processes run.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The default of `DATA_DIR`.
    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// What was mailed.
    pub(crate) fn outbox(&self) -> Outbox {
        Outbox::at(self.data().join("outbox"))
    }

    /// Starts a server on a free port and waits until it serves.
    pub(crate) async fn serve(&self, settings: &[(&str, &str)]) -> Server {
        match self.try_serve(settings).await {
            Ok(server) => server,
            Err(refusal) => panic!("the server does not start: {}", refusal.said),
        }
    }

    /// Starts a server that may refuse to.
    pub(crate) async fn try_serve(&self, settings: &[(&str, &str)]) -> Result<Server, Refusal> {
        let mut process = self.start(Path::new(SERVER), &[], &with_free_port(settings));
        let mut lines = process.lines();
        let base = |line: &str| Some(line.split_once(" listens on ")?.1.to_owned());
        match lines.find(base).await {
            Some(base) => Ok(Server {
                client: Client::with(reqwest::Client::builder(), &base),
                address: base.split_once("://").expect("a scheme").1.to_owned(),
                process,
            }),
            None => Err(Refusal::of(process).await),
        }
    }

    /// Starts a separate worker and waits until it works.
    pub(crate) async fn work(&self, settings: &[(&str, &str)]) -> Worker {
        let process = self.start(worker_binary(), &[], &with_free_port(settings));
        let mut worker = Worker { process };
        eventually("the worker starts", Duration::from_secs(30), async || {
            assert_eq!(
                worker.process.ended(),
                None,
                "the worker ended: {}",
                worker.process.logged()
            );
            worker.process.logged().contains("worker started").then_some(())
        })
        .await;
        worker
    }

    /// Runs the server's binary to its end.
    pub(crate) fn run(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
        self.run_program(Path::new(SERVER), arguments, settings)
    }

    /// Runs the worker's binary to its end.
    pub(crate) fn run_worker(&self, settings: &[(&str, &str)]) -> Output {
        self.run_program(worker_binary(), &[], settings)
    }

    fn run_program(&self, program: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
        Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(measuring())
            .envs(settings.iter().copied())
            .current_dir(self.path())
            .output()
            .expect("the program can be started")
    }

    /// Starts a program and waits for nothing.
    pub(crate) fn start(&self, program: &Path, arguments: &[&str], settings: &[(String, String)]) -> Process {
        let number = self.logs.fetch_add(1, Ordering::Relaxed);
        let name = program.file_name().and_then(|name| name.to_str()).expect("a name");
        let log = self.path().join(format!("{number:02}-{name}.log"));
        Process::start(program, arguments, self.path(), settings, &log)
    }
}

fn with_free_port(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    [("HTTP_ADDR", "127.0.0.1:0"), ("RATE_LIMITS", "off")]
        .iter()
        .chain(settings)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// A server that serves.
#[derive(Debug)]
pub(crate) struct Server {
    /// Where, as `host:port`.
    pub(crate) address: String,
    /// Talks to it.
    pub(crate) client: Client,
    /// Its process.
    pub(crate) process: Process,
}

impl Server {
    /// Waits until it says that it is ready; how long that took.
    pub(crate) async fn ready(&self) -> Duration {
        let began = Instant::now();
        self.answers("/readyz", 200, Duration::from_secs(30)).await;
        began.elapsed()
    }

    /// Waits until `path` answers with `status`; how long that took.
    pub(crate) async fn answers(&self, path: &str, status: u16, patience: Duration) -> Duration {
        let began = Instant::now();
        eventually(&format!("{path} answers {status}"), patience, async || {
            let answer = self.client.try_get(path).await?;
            (answer.status == status).then_some(())
        })
        .await;
        began.elapsed()
    }
}

/// A worker that works.
#[derive(Debug)]
pub(crate) struct Worker {
    /// Its process.
    pub(crate) process: Process,
}

/// A server that did not start.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The process's exit code.
    pub(crate) code: Option<i32>,
    /// What it said on standard error.
    pub(crate) said: String,
}

impl Refusal {
    async fn of(mut process: Process) -> Self {
        let ended = process.wait(Duration::from_secs(10)).await;
        Self {
            code: ended.code(),
            said: process.logged(),
        }
    }
}
