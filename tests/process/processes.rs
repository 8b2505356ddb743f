//! Child processes: started, asked to end, killed, and never left behind.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};

use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};

use crate::waiting::eventually;

/// How long a process may take to say that it serves.
const START: Duration = Duration::from_secs(30);

/// The server's binary.
pub(crate) const SERVER: &str = env!("CARGO_BIN_EXE_sealgate");

/// The worker's binary lies beside the server's. It belongs to another package, which cargo does not build for this
/// one's tests: where it is missing, or older than the server, it is built here, once.
pub(crate) fn worker_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let worker = Path::new(SERVER).with_file_name("sealgate-worker");
        let made = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
        if made(&worker) < made(Path::new(SERVER)) {
            build_worker(&worker);
        }
        worker
    })
}

fn build_worker(worker: &Path) {
    let profile_folder = worker.parent().expect("a folder");
    let profile = match profile_folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--locked",
            "-p",
            "sealgate-worker",
            "--profile",
            profile,
            "--target-dir",
        ])
        .arg(profile_folder.parent().expect("a target folder"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be started");
    assert!(
        built.status.success() && worker.is_file(),
        "these tests need {}: run `cargo build -p sealgate-worker`. It said:\n{}",
        worker.display(),
        String::from_utf8_lossy(&built.stderr)
    );
}

/// A process that ends with its owner.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with an environment of `settings` alone, in `folder`. What it logs goes to the file `log`.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&str],
        folder: &Path,
        settings: &[(String, String)],
        log: &Path,
    ) -> Self {
        let file = File::create(log).expect("a log file");
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(measuring())
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .expect("the program can be started");
        Self {
            child,
            log: log.to_owned(),
        }
    }

    /// The lines that it prints, for as long as it lives.
    pub(crate) fn lines(&mut self) -> Lines {
        let printed = self.child.stdout.take().expect("asked for once");
        Lines::of(printed)
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it logged so far.
    pub(crate) fn logged(&self) -> String {
        // A pipe would be waited for.
        if !self.log.is_file() {
            return String::new();
        }
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Asks it to end (SIGTERM).
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Asks it to read its settings again (SIGHUP).
    pub(crate) fn hang_up(&self) {
        self.signal("HUP");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let asked = Command::new("sh")
            .args(["-c", "kill -\"$1\" \"$0\"", &pid, name])
            .status();
        assert!(asked.expect("a shell").success(), "process {pid} is gone");
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("ours to kill");
        self.child.wait().expect("ours to wait for");
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("ours to wait for")
    }

    /// Waits until it ends by itself.
    pub(crate) async fn wait(&mut self, patience: Duration) -> ExitStatus {
        let what = format!("the process ends; it logged\n{}", self.logged());
        eventually(&what, patience, async || self.ended()).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "--- {}\n{}", self.log.display(), self.logged());
        }
    }
}

/// What a process prints, line by line.
#[derive(Debug)]
pub(crate) struct Lines(UnboundedReceiver<String>);

impl Lines {
    fn of(printed: ChildStdout) -> Self {
        let (sender, receiver) = unbounded_channel();
        // Read to the end, so that the process never waits for a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(printed).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self(receiver)
    }

    /// The next line that `find` finds something in; `None` once the process has closed its output.
    pub(crate) async fn find<T>(&mut self, mut find: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let search = async {
            loop {
                let line = self.0.recv().await?;
                if let Some(found) = find(&line) {
                    return Some(found);
                }
            }
        };
        timeout(START, search)
            .await
            .expect("the process neither serves nor ends")
    }
}

impl Lines {
    /// What it printed so far and nobody asked for yet.
    pub(crate) fn printed(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }
}

/// Where a measured run counts lines, or nothing: what only a command reaches is counted too.
#[expect(
    clippy::disallowed_methods,
    reason = "a setting of the compiler's, not of the service"
)]
pub(crate) fn measuring() -> Option<(&'static str, String)> {
    const PLACE: &str = "LLVM_PROFILE_FILE";
    std::env::var(PLACE).ok().map(|place| (PLACE, place))
}
