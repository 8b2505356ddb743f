//! `sealgate audit`: whether what happened is still what was written down.

use std::{
    io::{self, Write},
    process::ExitCode,
    str::FromStr,
};

use clap::Subcommand;
use data_encoding::HEXLOWER;
use sealgate::{
    app::{Foundation, World},
    config::Config,
    service::verify_audit::{Anchor, Finding, Report, verify_audit},
};

/// How `verify` ends when something is wrong; 1 is that it could not look.
const WRONG: u8 = 3;

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Compare every entry with the checkpoints over them: exit code 0 when all is as it was, 3 when not
    Verify {
        /// A checkpoint that was kept elsewhere, as PLACE:MAC: it must still be there
        #[arg(long, value_name = "PLACE:MAC")]
        kept: Option<Kept>,
    },
}

#[derive(Clone)]
pub(crate) struct Kept(Anchor);

impl FromStr for Kept {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once(':').and_then(|(place, mac)| {
            let mac = HEXLOWER.decode(mac.as_bytes()).ok()?;
            Some(Anchor {
                place: place.parse().ok()?,
                mac,
            })
        });
        parsed
            .map(Self)
            .ok_or("write `place` and `mac` of a checkpoint's line, for example 17:0001ab…")
    }
}

pub(crate) async fn run(config: &Config, command: &AuditCommand) -> anyhow::Result<ExitCode> {
    let AuditCommand::Verify { kept } = command;
    let foundation = Foundation::open(config, World::default()).await?;
    let report = verify_audit(&foundation.core, kept.as_ref().map(|kept| &kept.0)).await;
    foundation.close().await;
    let report = report?;
    tell(&report, &mut io::BufWriter::new(io::stdout()))?;
    Ok(if report.is_sound() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(WRONG)
    })
}

fn tell(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for finding in &report.findings {
        writeln!(out, "{}", line(finding))?;
    }
    if report.more > 0 {
        writeln!(out, "and {} more", report.more)?;
    }
    let Report {
        entries,
        waiting,
        links,
        begins_at,
        ..
    } = report;
    writeln!(
        out,
        "{entries} entries as they were, under {links} checkpoints from {begins_at} on; {waiting} wait for the next."
    )?;
    if let Some(last) = &report.last {
        let mac = HEXLOWER.encode(&last.mac);
        writeln!(out, "The last checkpoint is {}:{mac}", last.place)?;
    }
    let verdict = if report.is_sound() {
        "Nothing was changed, removed or put in."
    } else {
        "The audit is not what was written."
    };
    writeln!(out, "{verdict}")?;
    out.flush()
}

fn line(finding: &Finding) -> String {
    match finding {
        Finding::Changed { entry, place } => format!("changed      {entry} (checkpoint {place})"),
        Finding::Moved { entry, place } => format!("reordered    {entry} holds what another did (checkpoint {place})"),
        Finding::Removed { entry, place } => format!("removed      {entry} (checkpoint {place})"),
        Finding::Unnamed { entry } => format!("not covered  {entry} is in no checkpoint that is there"),
        Finding::LinksMissing { first, last } if first == last => format!("removed      checkpoint {first}"),
        Finding::LinksMissing { first, last } => format!("removed      checkpoints {first} to {last}"),
        Finding::LinkForged { place } => format!("changed      checkpoint {place}"),
        Finding::LinkMoved { place } => format!("reordered    checkpoint {place} does not follow the one before"),
        Finding::NotTheOne { place } => format!("changed      checkpoint {place} is not the one that was kept"),
        Finding::Stalled { entries } => format!("not covered  {entries} entries, though a worker lives"),
    }
}
