//! `sealgate keys`: the key file, and the keys that sign tokens.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Subcommand};
use sealgate::{
    app::{Foundation, World},
    config::{Config, keks::KekSource},
    crypto::{keyring::KeyUse, local_keks::make_line, public_key::PublicKey, token_signer::SigningMethod},
    domain::clock::{Clock as _, SystemClock, Timestamp},
    service::{
        Core,
        keyring::REREAD,
        rotation::{self, destroy},
        token_keys::{self, KeyInfo, PENDING},
    },
};

use crate::commands::key_status;

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Make the key file; one that is there is left as it is, and that is a failure
    New {
        /// One that is there is no failure
        #[arg(long)]
        if_missing: bool,
        /// Make no file, but print a line: for KEK, or to be appended to a key file
        #[arg(long, conflicts_with = "if_missing")]
        print: bool,
    },
    /// Print every version of every root key: use, version, algorithm, state, age, id
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Print every key that is on its way, what happens to it next, and how far the work is that it makes
    Status {
        /// One JSON object a line: the work alone
        #[arg(long)]
        json: bool,
    },
    /// Make a new key, which takes over after two minutes; a worker sees to the records that the one before concerns
    Rotate(Which),
    /// Let the work of a key wait
    Pause(Which),
    /// Let the work of a key go on
    Resume(Which),
    /// Destroy a version that nothing names any more; of `token`: take it out at once, as one that others may have
    Remove {
        #[command(flatten)]
        which: Which,
        /// Which version; see `sealgate keys list`
        #[arg(long)]
        version: u16,
    },
    /// Print the public keys that receipts of erasure are verified with (a JWK set), also of keys that are retired
    Public,
}

#[derive(Args)]
pub(crate) struct Which {
    /// What the key is for: `kek`, `dek`, `index` (of one user type: `index.User1`), `token` or `otp`
    #[arg(long = "use", value_name = "USE", value_parser = rotated)]
    key_use: Rotated,
}

/// Keys that can be rotated.
#[derive(Clone)]
enum Rotated {
    Of(KeyUse),
    /// Of every user type.
    Indexes,
}

impl Rotated {
    fn uses(&self, config: &Config) -> anyhow::Result<Vec<KeyUse>> {
        let user_types = &config.user_types.order;
        match self {
            Self::Indexes => Ok(user_types.iter().cloned().map(KeyUse::Index).collect()),
            Self::Of(KeyUse::Index(user_type)) if !user_types.contains(user_type) => {
                anyhow::bail!("there is no user type {user_type}")
            }
            Self::Of(key_use) => Ok(vec![key_use.clone()]),
        }
    }
}

fn rotated(name: &str) -> Result<Rotated, String> {
    const CAN: &str = "those of kek, dek, index, token and otp can";
    if name == "index" {
        return Ok(Rotated::Indexes);
    }
    match KeyUse::from_name(name) {
        Some(key_use @ (KeyUse::Token | KeyUse::Kek | KeyUse::Dek | KeyUse::Otp | KeyUse::Index(_))) => {
            Ok(Rotated::Of(key_use))
        }
        Some(_) => Err(format!("keys of this use can't be rotated; {CAN}")),
        None => Err(format!("there is no such use; {CAN}")),
    }
}

pub(crate) fn make_file(config: &Config, if_missing: bool) -> anyhow::Result<ExitCode> {
    let path = &config.stores.kek_file;
    let mut out = io::stdout().lock();
    let source = &config.stores.keks.provider;
    if if_missing && !matches!(source, KekSource::File) {
        writeln!(out, "The key-encryption keys come from {source}; no file is made.")?;
        return Ok(ExitCode::SUCCESS);
    }
    if if_missing && path.exists() {
        writeln!(out, "The key file at {} is left as it is.", path.display())?;
        return Ok(ExitCode::SUCCESS);
    }
    sealgate::app::make_key_file(config)?;
    writeln!(
        out,
        "The key file is at {}. Keep a copy apart from the data.",
        path.display()
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Prints a fresh key's line, and keeps nothing of it.
pub(crate) fn print_line() -> anyhow::Result<ExitCode> {
    let (_, line) = make_line(SystemClock.now());
    writeln!(io::stdout().lock(), "{}", *line)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn run(config: &Config, command: &KeysCommand) -> anyhow::Result<()> {
    let foundation = Foundation::open(config, World::default()).await?;
    let done = act(config, &foundation, command).await;
    foundation.close().await;
    done
}

async fn act(config: &Config, foundation: &Foundation, command: &KeysCommand) -> anyhow::Result<()> {
    let core = &foundation.core;
    let mut out = io::BufWriter::new(io::stdout());
    match command {
        KeysCommand::New { .. } => {}
        KeysCommand::List { json } => {
            let now = core.clock.now();
            for key in token_keys::list(core).await? {
                writeln!(out, "{}", if *json { to_json(&key) } else { line(&key, now) })?;
            }
        }
        KeysCommand::Status { json } => key_status::write(config, foundation, *json, &mut out).await?,
        KeysCommand::Rotate(which) => {
            for key_use in which.key_use.uses(config)? {
                rotate(config, core, &key_use, &mut out).await?;
            }
        }
        KeysCommand::Pause(which) => pause(config, core, which, true, &mut out).await?,
        KeysCommand::Resume(which) => pause(config, core, which, false, &mut out).await?,
        KeysCommand::Remove { version, which } => {
            for key_use in which.key_use.uses(config)? {
                remove(config, core, &key_use, *version, &mut out).await?;
            }
        }
        KeysCommand::Public => {
            let keys = token_keys::of_receipts(&token_keys::list(core).await?);
            let configured = core.signer.published();
            // A configured key stands in no record.
            let more = configured
                .iter()
                .filter(|key| keys.iter().all(|known| known.kid != key.kid));
            let set: Vec<_> = keys.iter().chain(more).collect();
            writeln!(
                out,
                "{}",
                serde_json::to_string_pretty(&serde_json::json!({ "keys": set }))?
            )?;
        }
    }
    out.flush()?;
    Ok(())
}

async fn rotate(config: &Config, core: &Core, key_use: &KeyUse, out: &mut impl io::Write) -> anyhow::Result<()> {
    if *key_use != KeyUse::Token {
        let version = rotation::rotate(core, key_use).await?;
        writeln!(
            out,
            "{}/{version} is made; it takes over in {}. A worker sees to {}: look at `sealgate keys status`.",
            key_use.name(),
            said(PENDING),
            match key_use {
                KeyUse::Kek => "what the one before wrapped",
                KeyUse::Dek => "what is sealed",
                KeyUse::Otp => "the rest",
                _ => "the accounts that are there",
            }
        )?;
        return Ok(());
    }
    anyhow::ensure!(
        matches!(config.tokens.method, SigningMethod::Keyring),
        "tokens are signed with a key of the configuration: change JWT_PRIVATE_KEY or JWT_SECRET there"
    );
    let version = token_keys::rotate(core, config.tokens.algorithm).await?;
    writeln!(
        out,
        "token/{version} is made, for {}. It is published now and signs in {}; what the one before signed is good \
         until it expires. A worker sees to that: look at `sealgate keys status`.",
        config.tokens.algorithm,
        said(PENDING)
    )?;
    Ok(())
}

async fn remove(
    config: &Config,
    core: &Core,
    key_use: &KeyUse,
    version: u16,
    out: &mut impl io::Write,
) -> anyhow::Result<()> {
    if *key_use != KeyUse::Token {
        destroy::destroy(core, key_use, version).await?;
        writeln!(
            out,
            "{}/{version} is destroyed. Back-ups from before it was replaced open no more.",
            key_use.name()
        )?;
        return Ok(());
    }
    let signs = token_keys::remove(core, version, config.tokens.algorithm).await?;
    let signs = signs.map_or_else(|| "nothing".to_owned(), |version| format!("token/{version}"));
    writeln!(
        out,
        "token/{version} is removed; {signs} is the newest that signs. Every process knows within {}. Access tokens \
         of the removed key are refused from then on, refresh tokens bring new ones.",
        said(REREAD)
    )?;
    Ok(())
}

async fn pause(
    config: &Config,
    core: &Core,
    which: &Which,
    is_paused: bool,
    out: &mut impl io::Write,
) -> anyhow::Result<()> {
    for key_use in which.key_use.uses(config)? {
        let name = key_use.name();
        anyhow::ensure!(
            rotation::pause(core, &key_use, is_paused).await?,
            "no work of `{name}` is under way; look at `sealgate keys status`"
        );
        let does = if is_paused { "waits" } else { "goes on" };
        writeln!(out, "The work of {name} {does}.")?;
    }
    Ok(())
}

fn algorithm(key: &KeyInfo) -> &'static str {
    let algorithm = key.public.as_ref().and_then(PublicKey::algorithm);
    algorithm.map_or("-", sealgate::crypto::public_key::PairAlgorithm::as_str)
}

fn state(key: &KeyInfo) -> &'static str {
    if key.is_removed { "removed" } else { key.state.as_str() }
}

pub(super) fn line(key: &KeyInfo, now: Timestamp) -> String {
    format!(
        "{}  {}  {}  {}  {}  {}",
        key.key_use,
        key.version,
        algorithm(key),
        state(key),
        said(now.since(key.created_at)),
        key.public
            .as_ref()
            .map_or_else(|| "-".to_owned(), PublicKey::thumbprint),
    )
}

fn to_json(key: &KeyInfo) -> String {
    serde_json::json!({
        "use": key.key_use,
        "version": key.version,
        "algorithm": key.public.as_ref().and_then(PublicKey::algorithm).map(sealgate::crypto::public_key::PairAlgorithm::as_str),
        "state": state(key),
        "created_at": key.created_at.to_string(),
        "since": key.since.to_string(),
        "kid": key.public.as_ref().map(PublicKey::thumbprint),
    })
    .to_string()
}

/// A duration, as far as anybody wants to know.
pub(super) fn said(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
