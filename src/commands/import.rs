//! `sealgate import`: accounts from the Python service's database, or from a file.

use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use futures_util::{StreamExt as _, TryStreamExt as _};
use sealgate::{
    app::{Foundation, World, open_legacy},
    config::Config,
    crypto::fernet::LegacyKeys,
    domain::{import::FieldNote, private::Private, user_type::UserType},
    service::{
        Core,
        import::Imported,
        import_legacy::{check_keys, prepare},
        import_lines::ImportLines,
        import_run::{ImportRun, Tally, Tidings, Told},
    },
    storage::{Unique, legacy::LegacyAccounts},
};
use serde_json::json;
use tokio::time::Instant;

/// Records that the keys are tried on.
const SAMPLE: usize = 10;
/// Ids that are printed; the report has them all.
const PRINTED: usize = 50;

#[derive(Subcommand)]
pub(crate) enum ImportCommand {
    /// From the database of the Python service; needs its `ENCRYPTION_KEY` and `EMAIL_SALT`
    Legacy {
        /// Where it is; better as `LEGACY_MONGO_URL`, which no list of processes shows
        #[arg(long)]
        mongo_url: Option<String>,
        /// Its name
        #[arg(long, default_value = "auth")]
        database: String,
        /// Which collection becomes which user type, as COLLECTION=TYPE; may be given several times
        #[arg(long, value_name = "COLLECTION=TYPE", default_values = ["User1=User1", "User2=User2"])]
        map: Vec<String>,
        #[command(flatten)]
        options: Options,
    },
    /// From a file of JSON, one account a line: docs/IMPORTING.md
    Accounts {
        /// The file; `-` is standard input
        file: PathBuf,
        /// The user type of accounts that name none
        #[arg(long = "type", value_name = "TYPE")]
        user_type: Option<String>,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Args)]
pub(crate) struct Options {
    /// Look only: say what would become of each, and make no account
    #[arg(long)]
    dry_run: bool,
    /// Write a line of JSON here for each record that was refused or has something to look at: places, ids and codes, no
    /// values
    #[arg(long)]
    report: Option<PathBuf>,
}

pub(crate) async fn run(config: &Config, command: &ImportCommand) -> anyhow::Result<ExitCode> {
    match command {
        ImportCommand::Legacy {
            mongo_url,
            database,
            map,
            options,
        } => {
            let source = Source::open(config, mongo_url.as_deref(), database, map).await?;
            let foundation = Foundation::open(config, World::default()).await?;
            let done = legacy(&foundation.core, &source, options).await;
            foundation.close().await;
            done
        }
        ImportCommand::Accounts {
            file,
            user_type,
            options,
        } => {
            let default = match user_type {
                Some(name) => Some(known(config, name)?),
                None => None,
            };
            let input: Box<dyn BufRead + Send> = if file == Path::new("-") {
                Box::new(BufReader::new(io::stdin()))
            } else {
                Box::new(BufReader::new(File::open(file).context("the file can't be read")?))
            };
            let lines = ImportLines::new(input, config.user_types.order.clone(), default);
            let foundation = Foundation::open(config, World::default()).await?;
            let done = accounts(&foundation.core, lines, options).await;
            foundation.close().await;
            done
        }
    }
}

fn known(config: &Config, name: &str) -> anyhow::Result<UserType> {
    let user_type = name.parse().ok();
    user_type
        .filter(|user_type| config.user_types.order.contains(user_type))
        .with_context(|| format!("{name} is none of USER_TYPES"))
}

/// The old database, opened, with keys that open what is in it.
struct Source {
    records: Arc<dyn LegacyAccounts>,
    keys: Arc<LegacyKeys>,
    /// Collections and what they become.
    plan: Vec<(String, UserType)>,
    total: u64,
}

impl Source {
    /// Fails before anything of ours is opened, so that a wrong key leaves no trace.
    async fn open(config: &Config, url: Option<&str>, database: &str, map: &[String]) -> anyhow::Result<Self> {
        let settings = &config.legacy;
        let given = url.map(|url| Private::new(url.to_owned()));
        let url = given
            .as_ref()
            .or(settings.mongo_url.as_ref())
            .context("where is the old database? Give --mongo-url, or set LEGACY_MONGO_URL")?;
        let key = settings.encryption_key.as_ref().context("ENCRYPTION_KEY is not set")?;
        let salt = settings.email_salt.as_ref().context("EMAIL_SALT is not set")?;
        let keys = LegacyKeys::parse(key.expose(), Private::new(salt.expose().to_owned())).context("ENCRYPTION_KEY")?;
        let plan = map.iter().map(|pair| {
            let (collection, name) = pair.split_once('=').context("--map takes COLLECTION=TYPE")?;
            anyhow::Ok((collection.to_owned(), known(config, name)?))
        });
        let plan: Vec<_> = plan.collect::<anyhow::Result<_>>()?;

        let records = open_legacy(url, database).await?;
        let (mut total, mut sample) = (0, Vec::new());
        for (collection, _) in &plan {
            total += records.count(collection).await?;
            for is_verified in [true, false] {
                let first = records.records(collection, is_verified).await?.take(SAMPLE);
                sample.extend(first.try_collect::<Vec<_>>().await?);
            }
        }
        anyhow::ensure!(
            !sample.is_empty(),
            "the old database has no record in the collections named by --map"
        );
        let keys = Arc::new(keys);
        let checked = Arc::clone(&keys);
        tokio::task::spawn_blocking(move || check_keys(&checked, &sample))
            .await?
            .map_err(|wrong| anyhow::anyhow!("{wrong}; nothing was imported"))?;
        Ok(Self {
            records,
            keys,
            plan,
            total,
        })
    }
}

async fn legacy(core: &Core, source: &Source, options: &Options) -> anyhow::Result<ExitCode> {
    let mut teller = Teller::new(options, Some(source.total))?;
    let mut tell = |tidings: &Tidings<'_>| teller.tell(tidings);
    let mut run = ImportRun::new(core, options.dry_run, &mut tell);
    // Reading a record takes a core for a while; the next ones are read meanwhile.
    let ahead = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let mut number = 0;
    // Whoever confirmed an address has it before all who did not, whatever their order.
    for (collection, user_type) in &source.plan {
        for is_verified in [true, false] {
            let records = source.records.records(collection, is_verified).await?;
            let prepared = records
                .map_err(anyhow::Error::from)
                .map_ok(|record| {
                    number += 1;
                    let prepared = prepare(core, user_type, &source.keys, number, record);
                    async move { anyhow::Ok(prepared.await?) }
                })
                .try_buffered(ahead);
            run.take(prepared).await?;
        }
    }
    let tally = run.finish().await;
    teller.conclude(&tally)
}

async fn accounts(
    core: &Core,
    lines: ImportLines<Box<dyn BufRead + Send>>,
    options: &Options,
) -> anyhow::Result<ExitCode> {
    let mut teller = Teller::new(options, None)?;
    let mut tell = |tidings: &Tidings<'_>| teller.tell(tidings);
    let mut run = ImportRun::new(core, options.dry_run, &mut tell);
    let prepared = futures_util::stream::try_unfold(lines, |mut lines| async move {
        let next = lines.next_account().context("the file can't be read to its end")?;
        anyhow::Ok(next.map(|prepared| (prepared, lines)))
    });
    run.take(prepared).await?;
    let tally = run.finish().await;
    teller.conclude(&tally)
}

/// Says how far the import is, and writes the report.
struct Teller {
    is_dry: bool,
    total: Option<u64>,
    began: Instant,
    report: Option<File>,
    /// What could not be written of the report.
    failure: Option<io::Error>,
    /// Ids of accounts whose names look spoilt.
    spoilt: BTreeSet<String>,
}

impl Teller {
    fn new(options: &Options, total: Option<u64>) -> anyhow::Result<Self> {
        let open = |path: &PathBuf| {
            let mut file = OpenOptions::new();
            file.write(true).create(true).truncate(true).mode(0o600).open(path)
        };
        let report = options.report.as_ref().map(open).transpose();
        Ok(Self {
            is_dry: options.dry_run,
            total,
            began: Instant::now(),
            report: report.context("--report can't be written")?,
            failure: None,
            spoilt: BTreeSet::new(),
        })
    }

    fn tell(&mut self, tidings: &Tidings<'_>) {
        match tidings {
            Tidings::Progress(tally) => {
                let of = self.total.map_or_else(String::new, |total| format!(" of {total}"));
                let rate =
                    f64::from(u32::try_from(tally.seen).unwrap_or(u32::MAX)) / self.began.elapsed().as_secs_f64();
                let line = self.line(tally);
                let _ = writeln!(io::stderr(), "{}{of} ({rate:.0}/s): {line}", tally.seen);
            }
            Tidings::Record(told) => {
                if let Some(id) = &told.place.id
                    && told.notes.iter().any(|note| note.code == "name_corrupted")
                {
                    self.spoilt.insert(id.clone());
                }
                if let Some(report) = &mut self.report
                    && let Err(error) = writeln!(report, "{}", entry(told))
                {
                    self.failure.get_or_insert(error);
                }
            }
        }
    }

    fn line(&self, tally: &Tally) -> String {
        let made = if self.is_dry { "would be made" } else { "made" };
        format!(
            "{} {made}, {} there already, {} deleted since, {} taken by another account, {} invalid, {} to look at",
            tally.made, tally.already_there, tally.erased, tally.taken, tally.invalid, tally.noted
        )
    }

    fn conclude(self, tally: &Tally) -> anyhow::Result<ExitCode> {
        let mut out = io::stdout().lock();
        writeln!(out, "{} record(s): {}.", tally.seen, self.line(tally))?;
        if !self.spoilt.is_empty() {
            writeln!(
                out,
                "{} account(s) have a name that the old service seems to have spoilt (\"O#x27Brien\", \"Tom amp Jerry\"); \
                 their owners can change it:",
                self.spoilt.len()
            )?;
            for id in self.spoilt.iter().take(PRINTED) {
                writeln!(out, "  {id}")?;
            }
            if self.spoilt.len() > PRINTED {
                writeln!(out, "  and {} more: see --report", self.spoilt.len() - PRINTED)?;
            }
        }
        if let Some(error) = self.failure {
            return Err(error).context("the report could not be written");
        }
        Ok(match tally.refused() {
            0 => ExitCode::SUCCESS,
            refused => {
                let hint = if self.report.is_some() {
                    "the report says"
                } else {
                    "--report FILE says"
                };
                writeln!(out, "{refused} record(s) were not taken over: {hint} which and why.")?;
                ExitCode::FAILURE
            }
        })
    }
}

fn entry(told: &Told<'_>) -> serde_json::Value {
    let notes = |notes: &[FieldNote]| -> Vec<_> {
        let note = |note: &FieldNote| json!({ "field": note.field, "code": note.code });
        notes.iter().map(note).collect()
    };
    let (outcome, errors) = match told.imported {
        Imported::Made => ("made", Vec::new()),
        Imported::AlreadyThere => ("already_there", Vec::new()),
        Imported::Erased => ("erased", Vec::new()),
        Imported::Taken(Unique::Id) => ("id_taken", Vec::new()),
        Imported::Taken(Unique::Email) => ("email_taken", Vec::new()),
        Imported::Taken(Unique::Username) => ("username_taken", Vec::new()),
        Imported::Invalid(invalid) => ("invalid", notes(invalid)),
    };
    json!({
        "number": told.place.number,
        "id": told.place.id,
        "user_type": told.user_type.map(UserType::as_str),
        "outcome": outcome,
        "errors": errors,
        "notes": notes(told.notes),
    })
}
