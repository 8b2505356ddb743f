//! One installation: the store, its processes, and what must be true of it.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use mail_parser::MessageParser;
use sealgate::{
    config::{Config, Source},
    domain::{
        clock::{Clock as _, ManualClock, Timestamp},
        ids::AccountId,
        token::LinkToken,
    },
    storage::{
        erasures::ErasureLine,
        sqlite::{self, SqliteStores},
    },
};
use sqlx::{
    Connection as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tempfile::TempDir;

use crate::process::{Installation, Process};

const START: Timestamp = Timestamp::from_millis(1_764_000_000_000);
/// Longer than a worker's lease and a hand-over.
const A_MINUTE: Duration = Duration::from_secs(61);

/// The installation.
pub(crate) struct World {
    folder: TempDir,
    installation: Installation,
    sqlite: SqliteStores,
    records: SqlitePool,
    keys: SqlitePool,
    pub(crate) clock: Arc<ManualClock>,
    /// A process that nothing happens to.
    pub(crate) sound: Process,
}

/// Ids of what is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) accounts: BTreeSet<String>,
    pub(crate) registrations: BTreeSet<String>,
    pub(crate) requests: BTreeSet<String>,
    pub(crate) deks: BTreeSet<String>,
}

impl Census {
    /// Data keys of nobody.
    pub(crate) fn orphans(&self) -> Vec<&String> {
        let has_owner = |id: &&String| self.accounts.contains(*id) || self.registrations.contains(*id);
        self.deks.iter().filter(|id| !has_owner(id)).collect()
    }
}

/// One mail.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) id: String,
    pub(crate) subject: String,
    pub(crate) link: Option<String>,
}

impl Mail {
    /// The registration that its link confirms.
    pub(crate) fn confirms(&self) -> Option<AccountId> {
        let token = LinkToken::parse(self.link.as_deref()?).expect("a token");
        Some(token.account_id().clone())
    }
}

impl World {
    /// An empty one.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let path = data.to_str().expect("a plain path").to_owned();
        let source = Source::from_pairs([
            ("DATA_DIR".to_owned(), path),
            ("USER_TYPES".to_owned(), "User1".to_owned()),
        ]);
        let config = Config::load(&source).expect("a configuration");
        let sqlite = sqlite::open(&data).await.expect("opens");
        let clock = Arc::new(ManualClock::new(START));
        let installation = Installation::found(config, &sqlite.stores(), &*clock).await;
        Self {
            records: pool(&data.join(sqlite::RECORDS_FILE)),
            keys: pool(&data.join(sqlite::KEYS_FILE)),
            sound: Process::start(&installation, &sqlite.stores(), clock.clone()),
            folder,
            installation,
            sqlite,
            clock,
        }
    }

    /// Another process.
    pub(crate) fn process(&self) -> Process {
        Process::start(&self.installation, &self.sqlite.stores(), self.clock.clone())
    }

    /// Another process, with connections of its own.
    pub(crate) async fn separate_process(&self) -> Process {
        let sqlite = sqlite::open(&self.installation.config.stores.data_dir)
            .await
            .expect("opens");
        Process::start(&self.installation, &sqlite.stores(), self.clock.clone())
    }

    /// Another process, whose clock stands behind by that much.
    pub(crate) fn process_behind(&self, behind: Duration) -> Process {
        let clock = ManualClock::new(self.clock.now().minus(behind));
        Process::start(&self.installation, &self.sqlite.stores(), Arc::new(clock))
    }

    pub(crate) async fn census(&self) -> Census {
        Census {
            accounts: ids(&self.records, "accounts").await,
            registrations: ids(&self.records, "registrations").await,
            requests: ids(&self.records, "requests").await,
            deks: ids(&self.keys, "deks").await,
        }
    }

    /// What must be true at every instant: whoever has an account or a registration has a data key, and every account
    /// opens with it.
    pub(crate) async fn check(&self) -> Census {
        let census = self.census().await;
        for id in &census.accounts {
            let id = id.parse().expect("an id");
            assert!(self.sound.opens(&id).await, "account {id} can't be opened");
        }
        census
    }

    /// Lets an installation without faults do what it does by itself, until nothing is left to be sent.
    pub(crate) async fn settle(&self) -> Census {
        for _ in 0..10 {
            for job in self.sound.due().await {
                self.sound.deliver(&job).await;
            }
            self.sound.sweep().await.expect("swept");
            if self.waiting().await == 0 {
                return self.check().await;
            }
            self.clock.advance(A_MINUTE);
        }
        panic!("a message is never delivered");
    }

    /// Records with messages that are not delivered yet.
    async fn waiting(&self) -> i64 {
        const SQL: &str = "SELECT (SELECT count(*) FROM accounts WHERE outbox_due < ?1) \
                           + (SELECT count(*) FROM registrations WHERE outbox_due < ?1) \
                           + (SELECT count(*) FROM requests WHERE outbox_due < ?1)";
        let never = Timestamp::NEVER.as_millis();
        sqlx::query_scalar(SQL)
            .bind(never)
            .fetch_one(&self.records)
            .await
            .expect("counted")
    }

    /// Overwrites a record with what is none.
    pub(crate) async fn damage(&self, table: &str, id: &AccountId) {
        let file = self.installation.config.stores.data_dir.join(sqlite::RECORDS_FILE);
        let options = SqliteConnectOptions::new().filename(file);
        let mut connection = SqliteConnection::connect_with(&options).await.expect("opened");
        let sql = sqlx::AssertSqlSafe(format!("UPDATE {table} SET doc = x'00' WHERE id = ?"));
        let done = sqlx::query(sql)
            .bind(id.as_str())
            .execute(&mut connection)
            .await
            .expect("done");
        assert_eq!(done.rows_affected(), 1);
        connection.close().await.expect("closed");
    }

    /// Whom the erasure journal names, once for each line.
    pub(crate) fn journal(&self) -> Vec<AccountId> {
        let path = self.installation.config.erasures.journal.as_ref().expect("a journal");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines = text.lines().filter_map(ErasureLine::parse);
        lines.map(|line| line.account_id).collect()
    }

    /// From now on no mail can be sent, or again every mail.
    pub(crate) fn refuse_mails(&self, refuse: bool) {
        let folder = &self.installation.config.mail.directory;
        if refuse {
            std::fs::write(folder, b"in the way").expect("no mail yet");
        } else {
            std::fs::remove_file(folder).expect("in the way");
        }
    }

    /// Every mail that was sent; each under a `Message-ID` of its own.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        let files = std::fs::read_dir(&self.installation.config.mail.directory)
            .into_iter()
            .flatten()
            .flatten();
        let mails = files.filter(|file| file.path().extension().is_some_and(|kind| kind == "eml"));
        mails.map(|file| read_mail(&file.path())).collect()
    }

    /// The body of every text that was sent, oldest first.
    pub(crate) fn texts(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.installation.config.mail.directory);
        let paths = files.into_iter().flatten().flatten().map(|file| file.path());
        let mut texts: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|kind| kind == "sms"))
            .collect();
        // Named by their messages, whose ids are in the order of time.
        texts.sort();
        let body = |path| {
            let text = std::fs::read_to_string(path).expect("readable");
            text.split_once("\n\n").expect("head and body").1.to_owned()
        };
        texts.iter().map(body).collect()
    }

    /// The tokens of every mailed link.
    pub(crate) fn links(&self) -> Vec<String> {
        self.mails().into_iter().filter_map(|mail| mail.link).collect()
    }

    /// Closes the files.
    pub(crate) async fn close(self) {
        self.records.close().await;
        self.keys.close().await;
        self.sqlite.close().await;
        drop(self.folder);
    }
}

fn pool(file: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options)
}

async fn ids(pool: &SqlitePool, table: &str) -> BTreeSet<String> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT id FROM {table}"));
    let ids: Vec<String> = sqlx::query_scalar(sql).fetch_all(pool).await.expect("listed");
    ids.into_iter().collect()
}

fn read_mail(path: &Path) -> Mail {
    let bytes = std::fs::read(path).expect("readable");
    let mail = MessageParser::default().parse(&bytes).expect("a mail");
    let text = mail.body_text(0).expect("a text");
    let link = text
        .split_whitespace()
        .find_map(|word| Some(word.split_once("?token=")?.1.to_owned()));
    Mail {
        id: mail.message_id().expect("an id").to_owned(),
        subject: mail.subject().expect("a subject").to_owned(),
        link,
    }
}
