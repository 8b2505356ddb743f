//! `sealgate filter`: what the e-mail filter is, and its rebuild.

use std::io::{self, Write as _};

use clap::Subcommand;
use sealgate::{
    app::{Foundation, World},
    config::Config,
    service::email_filter::{RebuildError, basis, reason_to_rebuild, rebuild},
    storage::email_filter::BeginError,
};

#[derive(Subcommand)]
pub(crate) enum FilterCommand {
    /// Print the current generation: its size, its fill, and whether it serves
    Status,
    /// Build it anew from all accounts and registrations; servers may serve meanwhile
    Rebuild,
}

pub(crate) async fn run(config: &Config, command: &FilterCommand) -> anyhow::Result<()> {
    match command {
        FilterCommand::Status => status(config).await,
        FilterCommand::Rebuild => rebuild_now(config).await,
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
