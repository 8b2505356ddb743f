//! `sealgate outbox`: the messages that were given up.

use std::io::{self, Write as _};

use clap::{Args, Subcommand};
use sealgate::{
    app::OpenStores,
    config::Config,
    domain::{
        clock::{Clock as _, SystemClock},
        ids::MessageId,
    },
    service::dead_letters::{DeadLetter, Done, Wish, with_each},
};

#[derive(Subcommand)]
pub(crate) enum OutboxCommand {
    /// Print every message that was given up: id, kind, user type, account, when, failures, reason
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Send them after all
    Retry(Which),
    /// Remove them
    Drop(Which),
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// The one with this id
    message_id: Option<MessageId>,
    /// Each of them
    #[arg(long)]
    all: bool,
}

pub(crate) async fn run(config: &Config, command: &OutboxCommand) -> anyhow::Result<()> {
    let opened = OpenStores::open(config).await?;
    let done = match command {
        OutboxCommand::List { json } => list(config, &opened, *json).await,
        OutboxCommand::Retry(which) => act(config, &opened, Wish::Retry, which).await,
        OutboxCommand::Drop(which) => act(config, &opened, Wish::Drop, which).await,
    };
    opened.close().await;
    done
}

async fn list(config: &Config, opened: &OpenStores, is_json: bool) -> anyhow::Result<()> {
    let mut out = io::BufWriter::new(io::stdout());
    let mut tell = |letter: DeadLetter, _| writeln!(out, "{}", if is_json { json(&letter) } else { line(&letter) });
    let (types, now) = (&config.user_types.order, SystemClock.now());
    with_each(&opened.stores(), types, Wish::Look, None, now, &mut tell).await?;
    out.flush()?;
    Ok(())
}

async fn act(config: &Config, opened: &OpenStores, wish: Wish, which: &Which) -> anyhow::Result<()> {
    let (mut changed, mut late) = (0_u64, 0_u64);
    let mut tell = |_, done| {
        match done {
            Done::Due | Done::Dropped => changed += 1,
            Done::TooLate => late += 1,
            Done::Seen => {}
        }
        Ok(())
    };
    let only = which.message_id.as_ref();
    let (types, now) = (&config.user_types.order, SystemClock.now());
    with_each(&opened.stores(), types, wish, only, now, &mut tell).await?;
    if let Some(id) = only {
        anyhow::ensure!(changed + late > 0, "there is no dead letter {id}");
        anyhow::ensure!(
            changed > 0,
            "{id} is left as it is: its link or code is over, and its person has to ask again; drop it"
        );
    }
    let mut out = io::stdout().lock();
    match wish {
        Wish::Drop => writeln!(out, "{changed} removed.")?,
        Wish::Retry | Wish::Look => writeln!(out, "{changed} due again.")?,
    }
    if late > 0 {
        writeln!(
            out,
            "{late} left as they are: their link or code is over, and their person has to ask again; drop them."
        )?;
    }
    Ok(())
}

fn line(letter: &DeadLetter) -> String {
    format!(
        "{}  {}  {}  {}  {}  {} failure(s)  {}",
        letter.id,
        letter.kind.as_str(),
        letter.user_type,
        letter.account_id.as_ref().map_or("-", |id| id.as_str()),
        letter.made_at,
        letter.attempts,
        letter.reason.as_deref().unwrap_or("no reason is known"),
    )
}

fn json(letter: &DeadLetter) -> String {
    serde_json::json!({
        "id": letter.id,
        "kind": letter.kind,
        "user_type": letter.user_type,
        "account_id": letter.account_id,
        "made_at": letter.made_at.to_string(),
        "expires_at": letter.expires_at.to_string(),
        "attempts": letter.attempts,
        "reason": letter.reason,
    })
    .to_string()
}
