//! `sealgate filter`: what the e-mail filter is, and its rebuild; and the filter of breached passwords.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use sealgate::{
    app::{Foundation, World},
    config::Config,
    service::email_filter::{RebuildError, basis, reason_to_rebuild, rebuild},
    storage::{
        breached::{Input, build},
        email_filter::BeginError,
    },
};

#[derive(Subcommand)]
pub(crate) enum FilterCommand {
    /// Print the current generation: its size, its fill, and whether it serves
    Status,
    /// Build it anew from all accounts and registrations; servers may serve meanwhile
    Rebuild,
    /// The filter of breached passwords that `BREACHED_PASSWORDS_FILE` names
    #[command(subcommand)]
    Breached(BreachedCommand),
}

#[derive(Subcommand)]
pub(crate) enum BreachedCommand {
    /// Make it from a list of hashes, `HASH` or `HASH:COUNT` a line (SHA-1 or NTLM); needs as much memory as the file has
    /// bytes, 3.6 for each password
    Build {
        /// The list; `-` is standard input
        input: PathBuf,
        /// The file to make; one that is there is replaced once the new one is whole
        #[arg(long)]
        output: PathBuf,
        /// How many lines the list has at most; without it they are counted first
        #[arg(long)]
        count: Option<u64>,
    },
}

pub(crate) async fn run(config: &Config, command: &FilterCommand) -> anyhow::Result<()> {
    match command {
        FilterCommand::Status => status(config).await,
        FilterCommand::Rebuild => rebuild_now(config).await,
        FilterCommand::Breached(BreachedCommand::Build { input, output, count }) => {
            build_breached(input, output, *count)
        }
    }
}

async fn status(config: &Config) -> anyhow::Result<()> {
    let foundation = Foundation::open(config, World::default()).await?;
    let core = &foundation.core;
    let mut out = io::stdout().lock();
    if config.stores.production.is_none() {
        writeln!(out, "{}", BeginError::NotKept)?;
        return Ok(());
    }
    let status = core.filter.status().await?;
    if let Some(status) = &status {
        writeln!(out, "generation    {}", status.id)?;
        writeln!(out, "made          {}", status.made_at)?;
        writeln!(out, "index keys    {}", status.basis)?;
        writeln!(out, "items         {} of {}", status.items, status.capacity)?;
        writeln!(
            out,
            "bits set      {} of {} ({:.1} %)",
            status.bits_set,
            status.bits,
            status.fill() * 100.0
        )?;
    }
    match reason_to_rebuild(status.as_ref(), &basis(core), core.clock.now()) {
        None => writeln!(out, "It serves.")?,
        Some(reason) => writeln!(
            out,
            "It must be rebuilt: {reason}. A worker does so within seconds; until then every address is looked up."
        )?,
    }
    Ok(())
}

async fn rebuild_now(config: &Config) -> anyhow::Result<()> {
    let foundation = Foundation::open(config, World::default()).await?;
    let rebuilt = match rebuild(&foundation.core).await {
        Err(RebuildError::Begin(BeginError::Busy)) => {
            anyhow::bail!("the filter is being rebuilt already; look at `sealgate filter status`")
        }
        rebuilt => rebuilt?,
    };
    writeln!(
        io::stdout(),
        "Rebuilt with {} addresses; it has room for {}.",
        rebuilt.items,
        rebuilt.capacity
    )?;
    Ok(())
}

fn build_breached(input: &Path, output: &Path, count: Option<u64>) -> anyhow::Result<()> {
    let input = match input.to_str() {
        Some("-") => Input::Stdin,
        _ => Input::File(input.to_owned()),
    };
    let mut tell = |done: u64, all: u64| {
        let _ = writeln!(io::stderr(), "{done} of {all} ({} %)", done * 100 / all);
    };
    let built = build(&input, output, count, &mut tell)?;
    writeln!(
        io::stdout(),
        "{} {} hashes in {} bytes; set BREACHED_PASSWORDS_FILE to {}.",
        built.items,
        built.hash.as_str(),
        built.bytes,
        output.display()
    )?;
    Ok(())
}
