//! The installation that is looked at: its processes at their most talkative, and everything that they leave behind.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use sealgate::domain::{
    clock::{Clock as _, SystemClock},
    limits::Limit,
};

use super::{
    audit_lines,
    places::{self, Monitor, Place},
};
use crate::{
    installation::Installation,
    processes::{Lines, Process, SERVER, worker_binary},
    stores::{OwnRedis, SharedStores, free_port},
    waiting::{eventually, until},
};

pub(crate) const MOCK_TOKEN: &str = "twilio auth token";
const PATIENCE: Duration = Duration::from_mins(2);
const SCHEMA: &str = r#"{
    "type": "object",
    "properties": { "note": { "type": "string" } },
    "additionalProperties": false
}"#;

/// What of it is shared.
struct Shared<'s> {
    stores: &'s SharedStores,
    redis: OwnRedis,
    monitor: Monitor,
}

pub(crate) struct Installed<'i> {
    installation: &'i Installation,
    shared: Option<Shared<'i>>,
    /// Where the server listens, at every start.
    pub(crate) address: String,
    settings: Vec<(String, String)>,
    running: Vec<(Process, Lines, String)>,
    /// What was seen.
    seen: Vec<Place>,
    /// What was printed.
    printed: Vec<String>,
}

impl<'i> Installed<'i> {
    pub(crate) fn embedded(installation: &'i Installation) -> Self {
        Self::new(installation, None, &[("LOG_FORMAT", "text".to_owned())])
    }

    pub(crate) async fn shared(installation: &'i Installation, stores: &'i SharedStores) -> Self {
        let redis = OwnRedis::start(installation, &[]).await;
        let monitor = Monitor::of(redis.url.trim_start_matches("redis://"));
        let own = [
            ("REDIS_URL", redis.url.clone()),
            ("WORKER", "off".to_owned()),
            ("LOG_FORMAT", "json".to_owned()),
        ];
        let shared = Shared { stores, redis, monitor };
        let this = Self::new(installation, Some(shared), &own);
        assert!(this.run_quietly(&["keys", "new"]).status.success());
        this
    }

    fn new(installation: &'i Installation, shared: Option<Shared<'i>>, own: &[(&str, String)]) -> Self {
        let schema = installation.path().join("attributes.json");
        fs::write(&schema, SCHEMA).expect("written");
        let address = format!("127.0.0.1:{}", free_port());
        let expires = SystemClock.now().plus(Duration::from_hours(24 * 90)).to_string();
        let mut settings: Vec<(String, String)> = Vec::new();
        if let Some(shared) = &shared {
            let pairs = shared.stores.settings_with(&[]);
            settings.extend(
                pairs
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.to_owned())),
            );
        }
        let common = [
            ("HTTP_ADDR", address.as_str()),
            ("LOG_LEVEL", "trace"),
            ("AUDIT_STDOUT", "on"),
            ("EMAIL_SIGN_IN", "code,link"),
            ("SMS_SECOND_FACTOR", "on"),
            ("TRUSTED_PROXIES", "127.0.0.1"),
            ("ATTRIBUTES_SCHEMA", schema.to_str().expect("plain")),
            ("SECURITY_CONTACT", "mailto:security@example.com"),
            ("SECURITY_EXPIRES", &expires),
            ("RUST_BACKTRACE", "full"),
        ];
        settings.extend(common.map(|(name, value)| (name.to_owned(), value.to_owned())));
        // They count, and nobody meets them.
        let limits = Limit::ALL.iter();
        settings.extend(limits.map(|limit| (limit.variable().to_owned(), "100000/min".to_owned())));
        settings.extend(own.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        Self {
            installation,
            shared,
            address,
            settings,
            running: Vec::new(),
            seen: Vec::new(),
            printed: Vec::new(),
        }
    }

    /// Something else that was seen.
    pub(crate) fn saw(&mut self, what: &str, seen: Vec<u8>) {
        self.seen.push((what.to_owned(), seen));
    }

    pub(crate) fn outbox(&self) -> PathBuf {
        self.installation.data().join("outbox")
    }

    /// Starts the server, and the worker where it is a process of its own, with `more` settings from now on.
    pub(crate) async fn start(&mut self, more: &[(&str, &str)]) {
        let more = more
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.settings.extend(more);
        let mut programs = vec![PathBuf::from(SERVER)];
        programs.extend(self.shared.is_some().then(|| worker_binary().to_owned()));
        for program in programs {
            let metrics = format!("127.0.0.1:{}", free_port());
            let mut settings = self.settings.clone();
            settings.push(("METRICS_ADDR".to_owned(), metrics.clone()));
            let mut process = self.installation.start(&program, &[], &settings);
            let lines = process.lines();
            assert_no_dump(process.id()).await;
            self.running.push((process, lines, metrics));
        }
        let client = reqwest::Client::new();
        let ready = format!("http://{}/readyz", self.address);
        until("the server is ready", PATIENCE, async || {
            for (process, _, _) in &mut self.running {
                assert_eq!(process.ended(), None, "ended early");
            }
            client
                .get(&ready)
                .send()
                .await
                .is_ok_and(|answer| answer.status() == 200)
        })
        .await;
    }

    /// Keeps what the stores hold now, and what the processes measure.
    pub(crate) async fn look(&mut self, when: &str) {
        let outbox = self.outbox();
        let mut found = places::files(&self.installation.data(), &|path| path == outbox);
        if let Some(shared) = &self.shared {
            let records = shared.stores.mongo().await;
            let keys = records.client().database(&format!("{}_keys", records.name()));
            for database in [records, keys] {
                let collections = places::collections(&database).await;
                assert!(!collections.is_empty(), "{} is empty", database.name());
                found.extend(collections);
            }
            let values = places::redis_values(&shared.redis.url).await;
            assert!(values.len() > 5, "Redis is used");
            found.extend(values);
        } else {
            let names: String = found.iter().map(|(name, _)| name.as_str()).collect();
            for part in ["sealgate.db", "sealgate.db-wal", "keys.db", "jobs.db"] {
                assert!(names.contains(part), "{names}");
            }
        }
        for (_, _, metrics) in &self.running {
            let answer = reqwest::get(format!("http://{metrics}/metrics"))
                .await
                .expect("metrics");
            found.push((
                format!("metrics of {metrics}"),
                answer.bytes().await.expect("whole").to_vec(),
            ));
        }
        self.seen
            .extend(found.into_iter().map(|(name, bytes)| (format!("{name} {when}"), bytes)));
        self.read_lines();
    }

    fn read_lines(&mut self) {
        for (_, lines, _) in &mut self.running {
            self.printed.extend(lines.printed());
        }
    }

    /// Waits until a message of each of the kinds was sent, and nothing is left of who was erased.
    pub(crate) async fn settle(&mut self, kinds: &BTreeSet<String>) {
        let mut missing = kinds.clone();
        let what = format!("all of {kinds:?} are sent");
        eventually(&what, PATIENCE, async || {
            self.read_lines();
            let sent = audit_lines(&self.printed).filter(|entry| entry["event"] == "message_sent");
            for entry in sent {
                missing.remove(entry["details"]["kind"].as_str().unwrap_or_default());
            }
            missing.is_empty().then_some(())
        })
        .await;
        let erased = audit_lines(&self.printed).any(|entry| entry["event"] == "account_erased");
        assert!(erased, "somebody left");
    }

    /// Waits until messages of each of the kinds are given up.
    pub(crate) async fn dead(&mut self, kinds: &[&str]) {
        let what = format!("dead letters of {kinds:?}");
        eventually(&what, PATIENCE, async || {
            let listed = self.run_quietly(&["outbox", "list", "--json"]);
            let said = String::from_utf8_lossy(&listed.stdout).into_owned();
            let is_dead = |kind: &&str| said.contains(&format!("\"kind\":\"{kind}\""));
            kinds.iter().all(is_dead).then_some(())
        })
        .await;
        self.run(&["outbox", "list", "--json"]);
    }

    /// Runs a command, and keeps what it says.
    pub(crate) fn run(&mut self, arguments: &[&str]) -> Output {
        let output = self.run_quietly(arguments);
        let said = [output.stdout.as_slice(), &output.stderr].concat();
        // What was typed is the operator's own.
        self.seen.push((
            format!("`sealgate {}`", arguments[..2.min(arguments.len())].join(" ")),
            said,
        ));
        output
    }

    /// Keeps what it says on standard error alone.
    pub(crate) fn run_unsearched(&mut self, arguments: &[&str]) -> Vec<u8> {
        let output = self.run_quietly(arguments);
        assert!(output.status.success(), "{output:?}");
        self.seen
            .push(("standard error of a command".to_owned(), output.stderr));
        output.stdout
    }

    fn run_quietly(&self, arguments: &[&str]) -> Output {
        let settings = self
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        self.installation.run(arguments, &settings.collect::<Vec<_>>())
    }

    /// Looks once more and ends every process as an operator does.
    pub(crate) async fn stop(&mut self) {
        self.look("before its end").await;
        let mut is_talkative = false;
        for (mut process, mut lines, _) in std::mem::take(&mut self.running) {
            process.terminate();
            let ended = process.wait(PATIENCE).await;
            assert!(ended.success(), "{ended:?}");
            let logged = process.logged();
            is_talkative |= logged.contains("TRACE");
            assert!(!logged.contains("were dropped"), "every line is there");
            // Its reader comes to the end when the process has.
            let rest = lines.find(|line| {
                self.printed.push(line.to_owned());
                None::<()>
            });
            rest.await;
        }
        assert!(is_talkative, "the logs are at their most talkative");
    }

    /// Everything that was seen, and the files as they are now: logs too.
    pub(crate) fn everything(&self) -> Vec<Place> {
        let outbox = self.outbox();
        let mut all = self.seen.clone();
        all.extend(places::files(self.installation.path(), &|path| path == outbox));
        all.push(("standard output".to_owned(), self.printed.join("\n").into_bytes()));
        if let Some(shared) = &self.shared {
            all.push(("every command to Redis".to_owned(), shared.monitor.seen()));
        }
        all
    }
}

/// No core is dumped of the process, whatever happens to it. It says so at its very beginning.
async fn assert_no_dump(process: u32) {
    let limits = Path::new("/proc").join(process.to_string()).join("limits");
    eventually("core dumps are off", PATIENCE, async || {
        let text = fs::read_to_string(&limits).ok()?;
        let line = text.lines().find(|line| line.starts_with("Max core file size"))?;
        let words: Vec<&str> = line.split_whitespace().collect();
        (words[4..6] == ["0", "0"]).then_some(())
    })
    .await;
}

/// A figure for the run's log.
pub(crate) fn say(figure: &str) {
    let _ = writeln!(std::io::stderr(), "{figure}");
}
