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
    crypto::{
        keyring::{KeyState, KeyUse},
        local_keks::make_line,
        public_key::PublicKey,
        token_signer::SigningMethod,
    },
    domain::clock::{Clock as _, SystemClock, Timestamp},
    service::{
        keyring::{REREAD, waits_for_rotation},
        token_keys::{self, KeyInfo, OVERLAP, PENDING},
    },
};

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
    /// Print the keys of tokens, and what happens to each next
    Status,
    /// Make a new key; it signs after two minutes, and the one before verifies until what it signed has expired
    Rotate(Which),
    /// Take a key out at once, as one that others may have; a new one takes over
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
    /// What the key is for: `token`
    #[arg(long = "use", value_name = "USE", value_parser = rotated)]
    key_use: KeyUse,
}

/// A use whose keys can be rotated.
fn rotated(name: &str) -> Result<KeyUse, String> {
    match KeyUse::from_name(name) {
        Some(key_use @ KeyUse::Token) => Ok(key_use),
        Some(_) => Err("keys of this use can't be rotated; those of `token` can".to_owned()),
        None => Err("there is no such use; keys of `token` can be rotated".to_owned()),
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
        KeysCommand::Status => {
            let now = core.clock.now();
            let token = KeyUse::Token.name();
            for key in token_keys::list(core).await?.iter().filter(|key| key.key_use == token) {
                writeln!(out, "{}\n  {}", line(key, now), outlook(key, now))?;
            }
            writeln!(out, "{}", signs(config, foundation))?;
        }
        KeysCommand::Rotate(_) => {
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
        }
        KeysCommand::Remove { version, .. } => {
            let signs = token_keys::remove(core, *version, config.tokens.algorithm).await?;
            let signs = signs.map_or_else(|| "nothing".to_owned(), |version| format!("token/{version}"));
            writeln!(
                out,
                "token/{version} is removed; {signs} is the newest that signs. Every process knows within {}. Access tokens \
                 of the removed key are refused from then on, refresh tokens bring new ones.",
                said(REREAD)
            )?;
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

fn algorithm(key: &KeyInfo) -> &'static str {
    let algorithm = key.public.as_ref().and_then(PublicKey::algorithm);
    algorithm.map_or("-", sealgate::crypto::public_key::PairAlgorithm::as_str)
}

fn state(key: &KeyInfo) -> &'static str {
    if key.is_removed { "removed" } else { key.state.as_str() }
}

fn line(key: &KeyInfo, now: Timestamp) -> String {
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

/// What happens to it next.
fn outlook(key: &KeyInfo, now: Timestamp) -> String {
    let left = |period: Duration| match period.saturating_sub(now.since(key.since)) {
        Duration::ZERO => "as soon as a worker runs".to_owned(),
        left => format!("in {}", said(left)),
    };
    match key.state {
        KeyState::Pending => format!("published; signs {}", left(PENDING)),
        KeyState::Active => format!("in the keyring the one that signs, since {}", key.since),
        KeyState::VerifyOnly => format!("verifies; retired {}", left(OVERLAP)),
        KeyState::Retired if key.is_removed => format!("removed {}: nothing that it signed counts", key.since),
        KeyState::Retired => format!("retired {}: its public half is kept for receipts", key.since),
    }
}

/// What signs, and what would.
fn signs(config: &Config, foundation: &Foundation) -> String {
    let tokens = &config.tokens;
    let waits = waits_for_rotation(&foundation.core.signer, &tokens.method, tokens.algorithm);
    match &tokens.method {
        SigningMethod::Hs256(_) => "Tokens are signed with JWT_SECRET (HS256).".to_owned(),
        SigningMethod::Rs256(_) => "Tokens are signed with JWT_PRIVATE_KEY (RS256).".to_owned(),
        SigningMethod::Keyring => match waits {
            Some(waits) => format!("{waits}."),
            None => format!("New keys are made for {}.", tokens.algorithm),
        },
    }
}

/// A duration, as far as anybody wants to know.
fn said(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
