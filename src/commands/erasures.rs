//! `sealgate erasures`: after a restore, whom the journal names is erased again.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Subcommand;
use sealgate::{
    app::{Foundation, World},
    config::Config,
    crypto::receipt::ReceiptKeys,
    service::{
        apply_erasures::{Fate, Unproven, apply, read_line},
        token_keys,
    },
    storage::erasures::LONGEST_LINE,
};

use crate::commands::receipt::{jwk_set, trusted};

/// How `apply` ends when lines erased nobody; 1 is that it could not go on.
const REFUSED: u8 = 3;
/// Progress is told after so many lines.
const STRIDE: u64 = 10_000;

#[derive(Subcommand)]
pub(crate) enum ErasuresCommand {
    /// Erase again whom the journals name. To be run after a restore, before servers and workers start; may be stopped and run
    /// again. Exit code 0; 3 when lines prove nothing
    Apply {
        /// The journals of all servers and workers (default: `ERASURE_JOURNAL`)
        files: Vec<PathBuf>,
        /// Trust the receipts of these keys too, where the restored key database lacks them: a JWK set, as `sealgate keys
        /// public` prints it
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
        /// Only count what there is to be done
        #[arg(long)]
        dry_run: bool,
    },
}

/// What became of the lines.
#[derive(Default)]
struct Counts {
    lines: u64,
    erased: u64,
    removed: u64,
    gone: u64,
    later: u64,
    refused: u64,
}

pub(crate) async fn run(config: &Config, command: &ErasuresCommand) -> anyhow::Result<ExitCode> {
    let ErasuresCommand::Apply { files, keys, dry_run } = command;
    let files = if files.is_empty() {
        let own = config.erasures.journal.clone();
        vec![own.context("ERASURE_JOURNAL is off: name the journals")?]
    } else {
        files.clone()
    };
    // All are there before anything is done.
    for file in &files {
        File::open(file).with_context(|| format!("{}", file.display()))?;
    }
    let keys = keys.as_deref().map(jwk_set).transpose()?;
    let foundation = Foundation::open(config, World::default()).await?;
    let applied = apply_all(&foundation, &files, keys, *dry_run).await;
    foundation.close().await;
    let counts = applied?;
    tell(&counts, *dry_run)?;
    Ok(if counts.refused == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(REFUSED)
    })
}

async fn apply_all(
    foundation: &Foundation,
    files: &[PathBuf],
    keys: Option<ReceiptKeys>,
    is_dry: bool,
) -> anyhow::Result<Counts> {
    let own = trusted(&token_keys::list(&foundation.core).await?);
    let keys = keys.map_or(own.clone(), |given| own.and(given));
    let mut counts = Counts::default();
    for file in files {
        apply_file(foundation, file, &keys, is_dry, &mut counts)
            .await
            .with_context(|| format!("{}", file.display()))?;
    }
    Ok(counts)
}

async fn apply_file(
    foundation: &Foundation,
    path: &Path,
    keys: &ReceiptKeys,
    is_dry: bool,
    counts: &mut Counts,
) -> anyhow::Result<()> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let limit = u64::try_from(LONGEST_LINE)?;
        if reader.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let is_whole = line.last() == Some(&b'\n');
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        counts.lines += 1;
        let proven = read_line(&foundation.core, keys, text);
        match proven {
            Ok(line) => match apply(&foundation.core, &line, is_dry).await? {
                Fate::Erased => counts.erased += 1,
                Fate::Removed => counts.removed += 1,
                Fate::Gone => counts.gone += 1,
                Fate::MadeLater => counts.later += 1,
            },
            // The end of a line that a crash cut off: nobody was told that it is done.
            Err(Unproven::Unreadable) if !is_whole && reader.fill_buf()?.is_empty() => {
                writeln!(
                    io::stderr(),
                    "{}:{number}: cut off by a crash, and passed over",
                    path.display()
                )?;
            }
            Err(unproven) => {
                counts.refused += 1;
                writeln!(io::stderr(), "{}:{number}: {}", path.display(), why(unproven))?;
            }
        }
        if counts.lines.is_multiple_of(STRIDE) {
            writeln!(io::stderr(), "{} lines so far", counts.lines)?;
        }
    }
    Ok(())
}

fn why(unproven: Unproven) -> &'static str {
    match unproven {
        Unproven::Unreadable => "no line of a journal: cut off by a crash, or altered",
        Unproven::Unsigned => "neither its MAC nor its receipt is of this service; `--keys` may help",
        Unproven::UnknownUserType => "its user type is not among USER_TYPES",
    }
}

fn tell(counts: &Counts, is_dry: bool) -> io::Result<()> {
    let Counts {
        lines,
        erased,
        removed,
        gone,
        later,
        refused,
    } = counts;
    let would = if is_dry { "to be " } else { "" };
    writeln!(
        io::stdout(),
        "{lines} lines: {erased} accounts {would}erased, {removed} without an account {would}removed, {gone} gone already, \
         {later} made anew since and left alone, {refused} refused."
    )
}
