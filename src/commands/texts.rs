//! `sealgate texts`: how many went out today, what is paused, and letting it go again.

use std::io::{self, Write as _};

use clap::Subcommand;
use sealgate::{
    app::{Foundation, World},
    config::Config,
    domain::text_scope::TextScope,
    service::text_guard::{cap_of, lift},
};

#[derive(Subcommand)]
pub(crate) enum TextsCommand {
    /// Print what was counted today: texts by user type, codes that came back by country and dial prefix, what is paused
    Status,
    /// Let texts go again before the next day
    Lift {
        /// As `status` names it: `all`, `type:User1`, `prefix:4179123`
        scope: TextScope,
    },
}

pub(crate) async fn run(config: &Config, command: &TextsCommand) -> anyhow::Result<()> {
    let foundation = Foundation::open(config, World::default()).await?;
    let core = &foundation.core;
    let mut out = io::stdout().lock();
    match command {
        TextsCommand::Status => {
            let now = core.clock.now();
            for record in core.stores.text_counts.list().await? {
                let scope = record.id.to_string();
                match &record.id {
                    TextScope::All | TextScope::UserType(_) => {
                        let cap = cap_of(core, &record.id);
                        write!(out, "{scope:<20} {} of {cap} today", record.sent_on(now))?;
                        if let Some(until) = record.capped_until(cap, now) {
                            write!(out, "; paused until {until}")?;
                        }
                    }
                    TextScope::Country(_) | TextScope::Prefix(_) => {
                        let conversion = record.conversion(now);
                        write!(
                            out,
                            "{scope:<20} {} of {} codes came back within the hour",
                            conversion.verified, conversion.sent
                        )?;
                        if let Some(until) = record.paused_until(now) {
                            let is_prefix = matches!(record.id, TextScope::Prefix(_));
                            let what = if is_prefix { "paused" } else { "told of" };
                            write!(out, "; {what} until {until}")?;
                        }
                    }
                }
                writeln!(out)?;
            }
            let cap = cap_of(core, &TextScope::All);
            writeln!(out, "No more than {cap} leave in a day (UTC).")?;
        }
        TextsCommand::Lift { scope } => {
            let said = if lift(core, scope).await? {
                "lifted: texts go again"
            } else {
                "nothing held them back"
            };
            writeln!(out, "{scope} {said}")?;
        }
    }
    foundation.close().await;
    Ok(())
}
