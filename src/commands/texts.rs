//! `sealgate texts`: how many went out today, what is paused, and letting it go again.

use std::{
    io::{self, Write as _},
    time::Duration,
};

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

/// Codes that are judged were sent within so long: an hour that ends when the last of them had its time.
const JUDGED: Duration = Duration::from_mins(70);

fn in_words(cap: u32) -> String {
    if cap == u32::MAX {
        return "any number".to_owned();
    }
    cap.to_string()
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
                        let (sent, spent) = (record.sent_on(now), record.spent_on(now));
                        if spent == sent {
                            write!(out, "{scope:<20} {sent} of {} today", in_words(cap))?;
                        } else {
                            let of = in_words(cap);
                            write!(out, "{scope:<20} {sent} today, {spent} of {of} since it was lifted")?;
                        }
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
                        if let Some(at) = record.lifted_within(JUDGED, now) {
                            write!(out, ", those since it was lifted at {at} alone")?;
                        }
                        if let Some(until) = record.paused_until(now) {
                            let is_prefix = matches!(record.id, TextScope::Prefix(_));
                            let what = if is_prefix { "paused" } else { "told of" };
                            write!(out, "; {what} until {until}")?;
                        }
                    }
                }
                writeln!(out)?;
            }
            let all = core.stores.text_counts.find(&TextScope::All).await?;
            let lifted = all.map_or(0, |all| all.sent_on(now).saturating_sub(all.spent_on(now)));
            match cap_of(core, &TextScope::All) {
                u32::MAX => writeln!(out, "No cap ends what leaves in a day.")?,
                cap => {
                    let most = cap.saturating_add(lifted);
                    writeln!(out, "No more than {most} leave today (UTC), unless the cap is lifted.")?;
                }
            }
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
